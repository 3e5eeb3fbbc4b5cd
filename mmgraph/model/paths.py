"""A network that is conditioned on the question: what the paths from the asked item say of every other.

Neural Bellman-Ford networks, Zhu et al. 2021 (arXiv 2106.06935). Nothing is learnt an item, so it answers about other items
than it was trained on, as long as the relations are the same.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmgraph.errors import SettingsError
from mmgraph.model.relational import MESSAGES, relational_moments, relational_sum
from mmgraph.model.typed import Chunk, TypedGraph

MessageName = Literal["dist_mult", "trans_e", "rotate"]
Aggregate = Literal["sum", "mean", "max", "pna"]
_CHUNK = 1 << 24  # bytes of a chunk's messages: more is no faster
_SHARE = 64  # of the bound, that a chunk's messages may take; about a dozen tensors of their size live at once
_SMALLEST = 1e-6  # of a variance


@dataclass(frozen=True)
class PathSettings:
    """depth: steps of Bellman-Ford, the length of the longest path; width: of a state.

    message: how a relation changes what passes along it; aggregate: how messages are joined at an item; dependent: the relations'
    vectors depend on the question (W_r q + b_r); residual: add a step's input to what it gives; memory_mb: what the states and messages
    of a block of questions may take.
    """

    depth: int = 4
    width: int = 32
    message: MessageName = "dist_mult"
    aggregate: Aggregate = "pna"
    dependent: bool = True
    residual: bool = True
    memory_mb: int = 1024

    def __post_init__(self) -> None:
        for name in ("depth", "width", "memory_mb"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} of Paths must be 1 at least", given=getattr(self, name))
        if self.message == "rotate" and self.width % 2:
            todo = "choose an even width: half of it are imaginary parts"
            raise SettingsError("width of Paths does not suit the message rotate", given=self.width, todo=todo)


class PathLayer(nn.Module):
    """h' = relu(norm(W [h, aggregate of the messages and the boundary])) + h (equations 3 and 4; section 3.3).

    pna: mean, highest, lowest and standard deviation, each as it is, times and over the logarithm of the number of messages, which
    is scaled by its mean over the nodes (Corso et al. 2020, arXiv 2004.05718, equations 5 and 6). The boundary counts as a message.
    """

    def __init__(self, relations: int, settings: PathSettings) -> None:
        super().__init__()
        width = settings.width
        self.message, self.aggregate = MESSAGES[settings.message], settings.aggregate
        self.relations, self.residual = relations, settings.residual
        self.vectors = nn.Linear(width, relations * width) if settings.dependent else nn.Embedding(relations, width)
        parts, scales = (4, 3) if settings.aggregate == "pna" else (1, 1)
        self.itself = nn.Linear(width, width)
        self.heard = nn.Linear(parts * width, scales * width, bias=False)
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        state: Float[Tensor, "nodes queries width"],
        query: Float[Tensor, "queries width"],
        boundary: Float[Tensor, "nodes queries width"],
        graph: TypedGraph,
        chunks: tuple[Chunk, ...],
    ) -> Float[Tensor, "nodes queries width"]:
        """One step."""
        relations = self.relation_vectors(query).to(state.dtype)
        heard = self._heard(state, relations, boundary, graph, chunks)
        after = torch.relu(self.norm(self.itself(state) + heard))
        return after + state if self.residual else after

    def relation_vectors(self, query: Float[Tensor, "queries width"]) -> Float[Tensor, "relations queries width"]:
        """Of every relation, for each question."""
        if isinstance(self.vectors, nn.Embedding):
            return self.vectors.weight[:, None].expand(-1, len(query), -1)
        return self.vectors(query).view(len(query), self.relations, -1).transpose(0, 1)

    def _heard(
        self, state: Tensor, relations: Tensor, boundary: Tensor, graph: TypedGraph, chunks: tuple[Chunk, ...]
    ) -> Tensor:
        count = (graph.degree + 1).to(state.dtype)[:, None, None]
        if self.aggregate in ("sum", "mean"):
            total = relational_sum(state, relations, chunks, self.message) + boundary
            return self.heard(total / count if self.aggregate == "mean" else total)
        total, squares, highest, lowest = relational_moments(state, relations, chunks, self.message)
        highest = torch.maximum(highest, boundary)
        if self.aggregate == "max":
            return self.heard(highest)
        mean = (total + boundary) / count
        variance = (squares + boundary.square()) / count - mean.square()
        deviation = variance.clamp(min=_SMALLEST).sqrt()
        parts = self.heard(torch.cat([mean, highest, torch.minimum(lowest, boundary), deviation], -1))
        scale = count.log()
        scale = scale / scale.mean().clamp(min=_SMALLEST)
        plain, more, less = parts.chunk(3, -1)
        return plain + scale * more + less / scale.clamp(min=1e-2)


class PathNetwork(nn.Module):
    """Scores of nodes as the answers to questions (node, relation): the boundary, the steps, and a network with one hidden layer."""

    def __init__(self, relations: int, settings: PathSettings) -> None:
        super().__init__()
        self.settings, self.relations = settings, relations
        width = settings.width
        self.query = nn.Embedding(relations, width)
        self.layers = nn.ModuleList(PathLayer(relations, settings) for _ in range(settings.depth))
        self.state = nn.Linear(width, 2 * width)
        self.asked = nn.Linear(width, 2 * width, bias=False)
        self.score = nn.Linear(2 * width, 1)

    def forward(
        self, graph: TypedGraph, node: Int[Tensor, "n"], relation: Int[Tensor, "n"], candidates: Int[Tensor, "m"]
    ) -> Float[Tensor, "n m"]:
        """Block by block; with a gradient, more than one block are computed again when their turn comes.

        Raises SettingsError where a single question needs more than ``memory_mb``.
        """
        asked, row = torch.unique(relation * graph.num_nodes + node, return_inverse=True)
        if not len(asked):
            return self.score.weight.new_zeros(0, len(candidates))
        questions, messages = self.sizes(graph, len(asked), len(candidates))
        chunks = graph.chunks(messages, "pairs" if self.settings.aggregate in ("sum", "mean") else "edges")
        blocks = asked.split(questions)
        if torch.is_grad_enabled() and len(blocks) > 1:
            made = [checkpoint(self._scores, graph, chunks, some, candidates, use_reentrant=False) for some in blocks]
        else:
            made = [self._scores(graph, chunks, some, candidates) for some in blocks]
        return torch.cat(made).index_select(0, row)

    def states(
        self, graph: TypedGraph, chunks: tuple[Chunk, ...], node: Int[Tensor, "n"], relation: Int[Tensor, "n"]
    ) -> Float[Tensor, "nodes n width"]:
        """After all steps, from the relation's vector at the asked node and zero elsewhere."""
        query = self.query(relation)
        zero = query.new_zeros(graph.num_nodes, *query.shape)
        boundary = zero.index_put((node, torch.arange(len(node), device=node.device)), query)
        state = boundary
        for layer in self.layers:
            state = layer(state, query, boundary, graph, chunks)
        return state

    def _scores(self, graph: TypedGraph, chunks: tuple[Chunk, ...], asked: Tensor, candidates: Tensor) -> Tensor:
        relation, node = asked // graph.num_nodes, asked % graph.num_nodes
        state = self.states(graph, chunks, node, relation).index_select(0, candidates)
        hidden = torch.relu(self.state(state) + self.asked(self.query(relation)))
        return self.score(hidden).squeeze(-1).T

    def sizes(self, graph: TypedGraph, asked: int, candidates: int) -> tuple[int, int]:
        """Questions of a block and messages of a chunk, so that what lives at once stays within ``memory_mb``.

        Sums need a message a pair of a source and a relation, the other aggregates one an edge.
        Counted in tensors of one question: each step keeps some of [nodes, width] and of [relations, width] for the gradient, and needs
        some more while it is computed; so does the last network for its candidates.
        """
        one = self.settings
        kept, passing = {"sum": (6, 8), "mean": (7, 8), "max": (9, 12), "pna": (22, 24)}[one.aggregate]
        steps = one.depth if torch.is_grad_enabled() else 1
        rows = graph.num_nodes * (kept * steps + passing) + self.relations * (2 * steps + 4) + candidates * 8
        bound, of_one = one.memory_mb << 20, rows * one.width * 4
        questions = int(0.75 * bound) // of_one
        if not questions:
            todo = f"set memory_mb of Paths to {-(-of_one // (3 << 18))} at least, or a smaller width or depth"
            raise SettingsError(
                "one question about this graph needs more memory than it may take", given=f"{one.memory_mb} MB", todo=todo
            )
        questions = -(-asked // -(-asked // questions))  # blocks of one size
        messages = min(bound // _SHARE, _CHUNK) // (questions * one.width * 4)
        return questions, max(1, messages)
