"""Heads of the tasks: parameters, loss on a batch, figure on validation data."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Asking, Embeddings, Head, LinkLoss, Regulariser, Scorer, searched_by, suited
from mmgraph.sample.batch import Batch
from mmgraph.sample.moved import moved
from mmgraph.sample.negatives import NegativeSampler, Nobody
from mmgraph.settings import ComponentLike, normal
from mmgraph.split.contract import LabelSplit, LinkSplit
from mmgraph.tasks.contract import RelationHead
from mmgraph.tasks.label_loss import LabelLoss
from mmgraph.tasks.method import LabelMethod
from mmgraph.tasks.ranking import LinkRanking, ListRanking
from mmgraph.tasks.whole import Whole
from mmgraph.types import Ints

_QUERIES = 2000  # validation links looked at each epoch; all of them are ranked once training has ended


@dataclass(frozen=True)
class Compare:
    """How links are scored and compared with what they are not; raises SettingsError where the loss does not suit the scorer."""

    scorer: Scorer
    loss: LinkLoss
    regulariser: Regulariser | None = None

    def __post_init__(self) -> None:
        suited(self.loss, self.scorer)


def sampler_for(negatives: ComponentLike, loss: ComponentLike, scorer: ComponentLike) -> NegativeSampler:
    """The negative sampler of this name; raises SettingsError where the loss wants to know what the sampler cannot say, or the sampler
    searches by what the scorer does not compare.
    """
    sampler: NegativeSampler = registry.create("negative sampler", negatives)
    made: LinkLoss = registry.create("loss", loss)
    if not made.negatives:
        return Nobody()
    if made.log_q != "none" and not sampler.states_log_q:
        known = registry.discover("negative sampler")
        stating = ", ".join(name for name, entry in known.items() if entry.load().states_log_q)
        wrong = "the negative sampler cannot say how likely it draws an item, which the loss asks with log_q"
        todo = f"set log_q: none, or take one of: {stating}"
        raise SettingsError(wrong, given=normal(negatives).class_path, todo=todo)
    scores = registry.find("scorer", normal(scorer).class_path)
    if sampler.mined and searched_by(scores.load()) is None:
        todo = "take another scorer (dot, cosine, complex ...) or other negatives"
        raise SettingsError(
            "no index finds the best answers of this scorer, which these negatives need", given=scores.name, todo=todo
        )
    return sampler


class LinkHead(RelationHead):
    """A scorer and a loss; both directions of every link are compared with the candidates of the batch. ranking: of validation links, by
    which the epoch is chosen; a LinkRanking when not given.
    """

    def __init__(
        self,
        name: str,
        split: LinkSplit,
        visible: Graph,
        compare: Compare,
        weight: float,
        ranking: LinkRanking | ListRanking | None = None,
    ) -> None:
        super().__init__()
        self.name, self.weight = name, weight
        self.scorer, self.compare, self.regulariser = compare.scorer, compare.loss, compare.regulariser
        self.relation = split.relation
        self.kinds = (self.relation.source, self.relation.target)
        self.figure = "mrr" if len(split.valid) else None
        self._ranking = ranking or LinkRanking(split, visible, _QUERIES)

    def loss(self, embeddings: Embeddings, batch: Batch) -> Float[Tensor, ""]:
        """Mean of the two directions' losses, and what the regulariser adds."""
        asked = batch.links[self.name]
        of_sources, of_targets = embeddings[self.relation.source], embeddings[self.relation.target]
        sources, targets = self.scorer.source(of_sources), self.scorer.target(of_targets)
        source, target = sources[asked.source], targets[asked.target]
        positive = self.scorer.pairs(source, target)
        to_targets = self.scorer.matrix(source, targets[asked.other_targets])
        to_sources = self.scorer.matrix(sources[asked.other_sources], target).T
        forward = self.compare.drawn(positive, to_targets, ~asked.is_link, asked.log_q)
        backward = self.compare.drawn(positive, to_sources, ~asked.is_link_source, asked.log_q_source)
        loss = (forward + backward) / 2 + self.compare.spread(source, target)
        if self.regulariser is None:
            return loss
        return loss + self.regulariser(self.scorer.factors(of_sources[asked.source], None, of_targets[asked.target]))

    def items(self, batch: Batch) -> dict[str, Tensor]:
        """See Head: both ends of the links."""
        return batch.links[self.name].items(self.relation)

    @torch.no_grad()
    def validate(self, embeddings: Embeddings) -> dict[str, float]:
        """See LinkRanking and ListRanking."""
        return self._ranking.figures(self._prepared(embeddings))

    def validation_bytes(self, counts: Mapping[str, int], width: int) -> int:
        """See Head: prepared vectors, and what ranking takes."""
        return self._ranking.bytes + 4 * width * sum(counts[kind] for kind in self.kinds)

    @torch.no_grad()
    def scores(self, embeddings: Embeddings, queries: Ints, backwards: bool) -> Float[Tensor, "n candidates"]:
        """See RelationHead."""
        return self._prepared(embeddings)(queries, backwards)

    @torch.no_grad()
    def asking(self, embeddings: Embeddings, side: str) -> Asking | None:
        """See Head."""
        metric = searched_by(type(self.scorer))
        scorer = copy.deepcopy(self.scorer).cpu()
        sources = scorer.source(embeddings[self.relation.source])
        targets = scorer.target(embeddings[self.relation.target])
        items, answers = (sources, targets) if side == "target" else (targets, sources)
        return None if metric is None else Asking(lambda item, _: items[item], answers, metric)

    def _prepared(self, embeddings: Embeddings) -> Callable[[Ints, bool], Tensor]:
        sources = self.scorer.source(embeddings[self.relation.source])
        targets = self.scorer.target(embeddings[self.relation.target])

        def score(queries: Ints, backwards: bool) -> Tensor:
            asked = moved(torch.from_numpy(queries), sources.device)
            return self.scorer.matrix(sources, targets[asked]).T if backwards else self.scorer.matrix(sources[asked], targets)

        return score


def macro_f1(called: Tensor, true: Tensor, classes: int) -> float:
    """Mean F1 of the classes that are called or true at least once.

    >>> round(macro_f1(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 3), 4)
    0.6667
    """
    right = torch.bincount(true[called == true], minlength=classes)
    either = torch.bincount(called, minlength=classes) + torch.bincount(true, minlength=classes)
    return float((2 * right / either.clamp(min=1)).sum() / (either > 0).sum().clamp(min=1))


class LabelHead(Head):
    """A softmax over classes, trained with cross-entropy on the labels shown, and what the ``methods`` add.

    figure: which one on validation chooses the epoch. whole: reads what is labelled out from its parts; without methods. told: its
    training labels are inputs as well.
    """

    def __init__(
        self,
        split: LabelSplit,
        width: int,
        weight: float,
        compare: LabelLoss,
        *,
        methods: Sequence[LabelMethod] = (),
        figure: str = "accuracy",
        whole: Whole | None = None,
        told: bool = False,
    ) -> None:
        super().__init__()
        labels = split.labels
        self.told = len(labels.classes) if told else 0
        self.name, self.weight, self.kind = labels.target, weight, labels.kind
        self.kinds = (labels.kind if whole is None else whole.members.kind,)
        self.figure = figure if len(split.valid) else None
        self.compare = compare
        self.methods: list[LabelMethod] = nn.ModuleList(methods)  # type: ignore[assignment]
        self.draws = max((one.draws for one in methods), default=1)
        self.whole = whole
        self.classify = nn.Linear(width if whole is None else whole.readout.wide, len(labels.classes))
        self._valid = torch.from_numpy(split.valid), torch.from_numpy(labels.values[split.valid])

    def loss(self, embeddings: Embeddings, batch: Batch) -> Float[Tensor, ""]:
        """Mean cross-entropy, as ``LabelLoss`` balances it."""
        asked = batch.labels[self.name]
        logits = self.classify(embeddings[self.kind][asked.items] if self.whole is None else self.whole(embeddings, asked))
        loss: Tensor = self.compare(logits, asked.classes)
        return loss

    def items(self, batch: Batch) -> dict[str, Tensor]:
        """See Head: what is labelled, unless it is read out from its parts."""
        return {self.kind: batch.labels[self.name].items} if self.whole is None else {}

    def loss_of(self, draws: Sequence[Embeddings], batch: Batch) -> Float[Tensor, ""]:
        """Mean over the draws, and what the methods add."""
        loss = torch.stack([self.loss(one, batch) for one in draws]).mean()
        if not self.methods:
            return loss
        logits = [self.classify(one[self.kind]) for one in draws]
        return loss + torch.stack([method(logits[: method.draws], batch.labels[self.name]) for method in self.methods]).sum()

    @torch.no_grad()
    def validate(self, embeddings: Embeddings) -> dict[str, float]:
        """The figure that chooses first, then the others: accuracy, log-likelihood, macro-F1, and likelihood, the geometric mean of the
        true classes' probabilities.
        """
        items, classes = self._valid
        if not len(items):
            return {}
        if self.methods:
            every = self.classify(self.vectors(embeddings))
            for method in self.methods:
                method.validated(every, items, classes)
        logits = self.classify(self.vectors(embeddings, items)).float().cpu()
        called, loss = logits.argmax(1), float(F.cross_entropy(logits, classes))
        found = {
            "accuracy": float((called == classes).float().mean()),
            "log_likelihood": -loss,
            "likelihood": math.exp(-loss),
            "macro_f1": macro_f1(called, classes, logits.shape[1]),
        }
        chosen = str(self.figure)
        return {chosen: found[chosen], **found}

    @torch.no_grad()
    def probabilities(self, embeddings: Embeddings) -> Float[Tensor, "items classes"]:
        """Of every item of the kind."""
        return torch.softmax(self.classify(self.vectors(embeddings)).float(), 1).cpu()

    def vectors(self, embeddings: Embeddings, items: Tensor | None = None) -> Tensor:
        """What classes are read from: [items, wide] of every item of the kind, or of those at ``items``."""
        if self.whole is not None:
            return self.whole.of(embeddings, items)
        return embeddings[self.kind] if items is None else embeddings[self.kind][items]
