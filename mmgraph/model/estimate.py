"""What training takes of memory, known before it starts: the model's own forward and backward pass, run on shapes.

Nothing is fitted to measurements. Tensors that autograd saves are counted by running the module itself, with its layers, scorers
and losses, on tensors without contents (torch's FakeTensorMode), so that a layer of one's own is counted like ours. What is
made in numpy is counted from the formulas beside the code that makes it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from mmgraph.encode.memory import Rows, needed
from mmgraph.encode.tuning import Top
from mmgraph.errors import ModelError
from mmgraph.model.contract import named
from mmgraph.model.data import GraphData
from mmgraph.model.live import LiveBytes
from mmgraph.model.module import GraphModule
from mmgraph.sample.batch import Batch
from mmgraph.sample.expected import Sizes, empty_batch, of_full, of_neighbours, of_steps, of_whole, tensors
from mmgraph.sample.full import shared
from mmgraph.settings import AdaptationSettings, ModelSettings

_FLOAT = 4
_INT = 8
_KNOWN = 48  # bytes a link, a candidate and a pair found while known links are looked up: ranges, places and positions of each
_KEPT = 26  # bytes an edge while edges are taken out: masks in both orders and where each edge goes
_DGL = 64  # bytes an edge of DGL's graph, both directions: int64 pairs, and compressed columns with ids
_TENSORS = 16  # of all rows, a layer; ours keep fewer than ten
_ID = 72  # bytes of an id as a Python string, with its place in an array


@dataclass(frozen=True)
class Need:
    """Bytes by part. held: in memory before training starts; lasting: stays while it lasts; passing: one after the other, so that
    the largest counts. on_gpu: names of the parts that lie on the GPU where one is used.
    """

    mode: str
    held: Mapping[str, int]
    lasting: Mapping[str, int]
    passing: Mapping[str, int]

    on_gpu = ("features", "model", "moments of the optimiser", "edges for message passing", "taking edges out", "a training step",
              "a validation")  # fmt: skip

    @property
    def more(self) -> int:
        """What training adds to what is held."""
        return sum(self.lasting.values()) + max(self.passing.values())

    @property
    def total(self) -> int:
        """All of it at its highest."""
        return sum(self.held.values()) + self.more

    @property
    def gpu(self) -> int:
        """What lies on the GPU, where the step is computed there."""
        return self._within(lambda name: name in self.on_gpu)

    @property
    def host(self) -> int:
        """What training adds in the machine's memory, where the step is computed on a GPU; edges are held there as well."""
        edges = self.lasting["edges for message passing"]
        return self._within(lambda name: name not in (*self.on_gpu, *self.held)) + edges

    def _within(self, wanted: Callable[[str], bool]) -> int:
        stay = sum(size for name, size in {**self.held, **self.lasting}.items() if wanted(name))
        return stay + max((size for name, size in self.passing.items() if wanted(name)), default=0)


def estimate(module: GraphModule, data: GraphData, mode: str, settings: ModelSettings, by_row: bool = False) -> Need:
    """Of training ``module`` on ``data`` in this mode, in float32; by_row: tables of ids are stepped row by row.

    Raises ModelError for a layer, scorer or loss that cannot be run on shapes, because it looks into its data.
    """
    if data.passing:
        raise ModelError("the memory of a head that passes messages of its own cannot be estimated", todo="see its settings")
    try:
        return _estimate(module, data, mode, settings, by_row)
    except (RuntimeError, TypeError, ValueError) as error:  # of torch, and of numpy and scipy that are given no contents
        wrong = "the memory that training takes cannot be estimated: a part of the model looks into its data"
        raise ModelError(
            wrong, given=(str(error) or type(error).__name__).splitlines()[0], todo="set model.batches.mode"
        ) from error


def ceiling(data: GraphData, mode: str, settings: ModelSettings) -> int:
    """Bytes that training surely stays below, without running anything: for graphs so small that no more is asked.

    Each layer would have to keep _TENSORS tensors of all items and edges, and each loss as many of its scores.
    """
    sizes = expected(data, mode, settings)
    rows = sum(sizes.items.values()) + sum(sum(edges.values()) for _, edges in sizes.layers)
    wide = max((f.vectors.shape[1] for f in data.graph.features.values()), default=0) + settings.width * (1 + settings.layers)
    return _FLOAT * _TENSORS * (rows * wide + sum(sizes.cells) * settings.width)


def _estimate(module: GraphModule, data: GraphData, mode: str, settings: ModelSettings, by_row: bool) -> Need:
    with torch.random.fork_rng(devices=[]), FakeTensorMode(allow_non_fake_inputs=True) as fake, _no_tops(module):
        state = {name: fake.from_tensor(one) for name, one in [*module.named_parameters(), *module.named_buffers()]}
        sizes, every = expected(data, mode, settings), of_whole(data.graph, settings.layers)
        touched = _touched(module, sizes) if by_row else {}
        trained = [touched.get(name, p).numel() * _FLOAT for name, p in module.named_parameters() if p.requires_grad]
        weights, gradients = sum(one.numel() * one.element_size() for one in state.values()), sum(trained)
        sparse = settings.scale == "rows"
        whole = empty_batch(data.graph, every, None, data.chains, sparse)
        batch = empty_batch(data.graph, sizes, None if mode == "neighbours" else whole, data.chains, sparse)
        forward, given = _validation(module, state, whole)
        step = _step(module, {**state, **touched}, batch, gradients)
        made = _bytes(batch) - _bytes(batch, within=whole)
        edges = _edges(whole, batch)
    counts = {kind: data.graph.count(kind) for kind in data.graph.ids}
    rank = max((head.validation_bytes(counts, settings.width) for head in module.all_heads), default=0)
    kept = sum(_FLOAT * settings.width * counts[kind] for head in module.all_heads for kind in head.kinds)
    features = {key: f.vectors.nbytes for key, f in data.graph.features.items()}
    by_rows = sum(one.numel() * _FLOAT for one in touched.values())
    moments = (1 if settings.optimizer == "adagrad" else 2) * (gradients - by_rows)
    moments += _FLOAT * sum(len(table.weight) for table in module.network.inputs.tables().values()) if by_row else 0
    lasting = {"moments of the optimiser": moments, "edges for message passing": edges}
    if copied := sum(size for key, size in features.items() if not shared(data.graph.features[key].vectors)):
        lasting["features, copied"] = copied
    if mode == "neighbours" and settings.layers:
        lasting["graph of DGL"] = _DGL * sum(map(len, data.graph.edges.values())) * max(1, settings.batches.workers)
    drawing = made + _looked_up(sizes) + _taken_out(sizes, every)
    if mode == "neighbours" and not settings.batches.workers:
        lasting["the batch ahead"] = drawing  # see sample/ahead.py
    passing = {
        "making a batch": gradients + drawing,
        **({} if mode == "neighbours" else {"taking edges out": gradients + made + _taken_out(sizes, every)}),
        "a training step": made
        + max(step + _of_tops(module, data, settings.adaptation), gradients + 2 * max(trained, default=0) + 2 * by_rows),
        "a validation": gradients + max(forward, given + rank),
        "writing a checkpoint": weights + gradients + moments,
        "embeddings at the end": kept + forward,
    }
    held = {"features": sum(features.values()) + _activations(data), "graph": _graph(data), "model": weights}
    return Need(f"{mode}, ids by row" if by_row else mode, held, lasting, passing)


def _touched(module: GraphModule, sizes: Sizes) -> dict[str, Tensor]:
    """By name of the parameter, a table of as many rows as a batch has of its kind: of contents that nobody looks at, in the step, which
    then has gradients as large as those that are sparse.
    """
    rows = {named(kind): count for kind, count in sizes.items.items()}
    return {
        f"network.inputs.kinds.{name}.ids.weight": torch.empty(
            max(rows.get(name, 0), 1), table.weight.shape[1], requires_grad=True
        )
        for name, table in module.network.inputs.tables().items()
    }


def expected(data: GraphData, mode: str, settings: ModelSettings) -> Sizes:
    """Sizes of a batch in this mode."""
    if mode == "full":
        return of_full(data.graph, settings.layers, data.asked, data.supervise, data.clock)
    if mode == "steps":
        return of_steps(data.graph, settings.layers, data.asked, settings.batches.size, data.clock)
    return of_neighbours(
        data.graph, settings.batches.fanouts[: settings.layers], data.asked, settings.batches.size, data.clock
    )


def step_bytes(module: nn.Module, batch: Batch, counted: LiveBytes, state: Mapping[str, Tensor], gradients: int) -> int:
    """The most that one step allocates beside its batch; gradients of the step before live until the loss is known.

    The order is Lightning's: forward pass, gradients set to None, backward pass.
    """
    with counted:
        counted.hold(gradients)
        losses = torch.func.functional_call(module, dict(state), (batch,))
        total = torch.stack(list(losses.values())).sum()
        del losses
        counted.hold(-gradients)
        total.backward()  # type: ignore[no-untyped-call]
    return counted.peak


def _step(module: GraphModule, state: Mapping[str, Tensor], batch: Batch, gradients: int) -> int:
    was = module.training
    try:
        return step_bytes(module.train(), batch, LiveBytes(), state, gradients)
    finally:
        module.train(was)


def _validation(module: GraphModule, state: Mapping[str, Tensor], whole: Batch) -> tuple[int, int]:
    """The most that a forward pass allocates, less what adjacencies keep of themselves, and the bytes of the embeddings."""
    before = _bytes(whole)
    own = {name.removeprefix("network."): one for name, one in state.items() if name.startswith("network.")}
    was, counted = module.training, LiveBytes()
    try:
        module.eval()
        with torch.no_grad(), counted:
            rows = torch.func.functional_call(module.network, own, (whole,))
        kept = _bytes(whole) - before
        return counted.peak - kept, sum(one.numel() * _FLOAT for one in rows.values())
    finally:
        module.train(was)


@contextmanager
def _no_tops(module: GraphModule) -> Iterator[None]:
    """Encoders that are trained are passed by: they look into their data; ``encode.memory`` knows what they take."""
    inputs = module.network.inputs
    before = inputs.name_of
    inputs.name_of = {key: name for key, name in before.items() if _top(inputs.adapted[name]) is None}
    try:
        yield
    finally:
        inputs.name_of = before


def _top(adaptation: nn.Module) -> Top | None:
    top = getattr(adaptation, "top", None)
    return top if isinstance(top, Top) else None


def _of_tops(module: GraphModule, data: GraphData, settings: AdaptationSettings) -> int:
    """What the backward pass keeps of trained encoders, from above."""
    total = 0
    for (kind, modality), f in data.graph.features.items():
        name = module.network.inputs.name_of.get((kind, modality))
        top = None if name is None else _top(module.network.inputs.adapted[name])
        if top is not None and f.activations is not None:
            rows = Rows(len(f.activations), f.activations.shape[1], 0)
            total += needed(top, [rows], getattr(settings, modality)).steps
    return total


def _bytes(batch: Batch, within: Batch | None = None) -> int:
    """Of all tensors of a batch, or of those that it shares with another."""
    others = None if within is None else {id(one) for one in tensors(within)}
    return sum(one.numel() * one.element_size() for one in tensors(batch) if others is None or id(one) in others)


def _edges(whole: Batch, batch: Batch) -> int:
    """Of the whole graph's adjacencies; the order by source is made only where a pass has asked for it."""
    if not whole.blocks:
        return 0
    total = 0
    own = set(map(id, batch.blocks[0].relations.values()))
    for adjacency in whole.blocks[0].relations.values():
        every = sum(one.numel() for one in tensors(adjacency))
        back = sum(one.numel() for one in tensors(adjacency.given_transposed))
        asked = "transposed" in vars(adjacency) or (batch.inputs is whole.inputs and id(adjacency) not in own)
        total += every if asked else every - back
    return _INT * total


def _looked_up(sizes: Sizes) -> int:
    """While known links are looked up among a task's candidates."""
    return _KNOWN * max((n + max(t, s) + max(sizes.known[name]) for name, (n, t, s) in sizes.links.items()), default=0)


def _taken_out(sizes: Sizes, whole: Sizes) -> int:
    """While the edges that a step predicts are taken out."""
    if not sizes.layers or sizes.items != whole.items or sizes.layers[0][1].keys() != whole.layers[0][1].keys():
        return 0
    edges = whole.layers[0][1]
    return _KEPT * max((n for r, n in edges.items() if sizes.layers[0][1][r] != n), default=0)


def _activations(data: GraphData) -> int:
    return sum(f.activations.nbytes for f in data.graph.features.values() if f.activations is not None)


def _graph(data: GraphData) -> int:
    """Ids, edges with their data, the keys of known links, and which of these say the same the other way round."""
    ids = sum(one.nbytes if one.dtype != object else _ID * len(one) for one in data.graph.ids.values())
    arrays = [value for edges in data.graph.edges.values() for value in vars(edges).values() if isinstance(value, np.ndarray)]
    links = ((len(one.source), one.relation) for one in data.asked.links)
    asked = sum(count * (1 + (r.source == r.target)) for count, r in links) + 9 * sum(len(one) for one in data.asked.triples)
    return ids + sum(one.nbytes for one in arrays) + _INT * asked
