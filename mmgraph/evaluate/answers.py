"""A trained model -> answers to every question asked, measured beside the baselines."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mmgraph.evaluate.baselines.classes import best_on_validation
from mmgraph.evaluate.contract import OURS, SAME_PARENT, LabelQuestion, LinkMethod, LinkQuestion, Row
from mmgraph.evaluate.effects import Measurement
from mmgraph.evaluate.evaluate import (
    Ranked,
    baseline_names,
    evaluate_labels,
    evaluate_links,
    fit_label_baselines,
    fit_link_baselines,
    fit_recommend_baselines,
)
from mmgraph.evaluate.evidence import EvidenceReport, combine_labels, combine_links
from mmgraph.evaluate.family import FamilyQuestion, OfRelation, gathered
from mmgraph.evaluate.gnn import GNN
from mmgraph.evaluate.grouping import group_rows
from mmgraph.evaluate.open_classes import open_rows
from mmgraph.evaluate.prepared import of_facts, of_links
from mmgraph.evaluate.ratings.combine import combine_ratings
from mmgraph.evaluate.ratings.contract import RatingMethod
from mmgraph.evaluate.ratings.evaluate import evaluate_ratings, fit_rating_baselines
from mmgraph.evaluate.ratings.network import NetworkRatings
from mmgraph.evaluate.ratings.spread import Spread
from mmgraph.evaluate.recommend.evaluate import evaluate_recommendations
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.evaluate.reliability import Trust, trust, validated_groups
from mmgraph.evaluate.sampled import METRICS as SAMPLED
from mmgraph.evaluate.sampled import sampled_rows
from mmgraph.evaluate.unknown import LabelTrust, label_trust, unknown_rows
from mmgraph.evaluate.verdict import Verdict, with_carrier
from mmgraph.model.contract import Embeddings
from mmgraph.model.train import Trained
from mmgraph.settings import EvaluateSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import FactsHead, RelationHead
from mmgraph.tasks.heads import LabelHead
from mmgraph.tasks.rated import RatingQuestion
from mmgraph.tasks.ratings import RatingsHead
from mmgraph.tasks.recommend import RecommendHead
from mmgraph.tasks.several import SeveralHead
from mmgraph.types import Floats


@dataclass(frozen=True)
class LinkAnswer:
    """What validation chose for a relation, how its scores become probabilities, and where it abstains."""

    question: LinkQuestion
    method: LinkMethod
    trust: Trust


@dataclass(frozen=True)
class LabelAnswer:
    """What validation chose for a field: probabilities float32 [items, classes], and below which of them a class is unknown."""

    question: LabelQuestion
    probabilities: Floats
    trust: LabelTrust


@dataclass(frozen=True)
class RatingAnswer:
    """What validation chose for the ratings of a relation, and how far they fall from it; None where validation has too few to say."""

    question: RatingQuestion
    method: RatingMethod
    spread: Spread | None


@dataclass
class Answers:
    """All answers, the rows of metrics.json, the verdicts, what evidence carries each answer, and the rank of every test link."""

    links: list[LinkAnswer] = field(default_factory=list)
    labels: list[LabelAnswer] = field(default_factory=list)
    ratings: list[RatingAnswer] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    evidence: list[EvidenceReport] = field(default_factory=list)
    ranked: list[Ranked] = field(default_factory=list)
    tested: list[Measurement] | None = None


def answer(
    trained: Trained, split: Split, settings: EvaluateSettings, seed: int, tested: list[Measurement] | None = None
) -> Answers:
    """Combine model and baselines on validation, then read the test split, once; ``tested``: gets what can be paired with other fits."""
    answers = Answers(tested=tested)
    for one in trained.heads:
        if isinstance(one.head, RecommendHead):
            _recommend(one.head, one.embeddings, split, settings, seed, answers)
        elif isinstance(one.head, RelationHead):
            _links(one.head, one.embeddings, split, settings, seed, answers)
        elif isinstance(one.head, FactsHead):
            _facts(one.head, one.embeddings, split, settings, seed, answers)
        elif isinstance(one.head, LabelHead | SeveralHead):
            _labels(one.head, one.embeddings, split, settings, seed, answers)
        elif isinstance(one.head, RatingsHead):
            _ratings(one.head, one.embeddings, split, settings, seed, answers)
    return answers


def _links(
    head: RelationHead, rows: Embeddings, split: Split, settings: EvaluateSettings, seed: int, answers: Answers
) -> None:
    question = LinkQuestion(split.visible, split.links[head.relation], seed, settings.candidates)
    gnn = of_links(head, rows)
    names = baseline_names(settings.baselines, "link")
    methods: Sequence[LinkMethod] = [gnn, *fit_link_baselines(question, names)]
    ours, evidence = combine_links(question, methods, settings, seed)
    measured, verdict = _measured(question, [ours, *methods], settings, answers)
    trusted = trust(question, ours, settings, seed, validated_groups(question))
    answers.links.append(LinkAnswer(question, ours, trusted))
    answers.rows += measured
    answers.verdicts.append(with_carrier(verdict, evidence.carried))
    answers.evidence.append(evidence)


def _recommend(
    head: RecommendHead, rows: Embeddings, split: Split, settings: EvaluateSettings, seed: int, answers: Answers
) -> None:
    question = RecommendQuestion(split.visible, split.links[head.relation], seed, at=head.at)
    methods: Sequence[LinkMethod] = [of_links(head, rows), *fit_recommend_baselines(question, settings.baselines)]
    ours, evidence = combine_links(question, methods, settings, seed)
    measured, verdict = evaluate_recommendations(question, [ours, *methods], settings, answers.tested)
    answers.links.append(LinkAnswer(question, ours, trust(question, ours, settings, seed, validated_groups(question))))
    answers.rows += measured
    answers.verdicts.append(with_carrier(verdict, evidence.carried))
    answers.evidence.append(evidence)


def _facts(head: FactsHead, rows: Embeddings, split: Split, settings: EvaluateSettings, seed: int, answers: Answers) -> None:
    """All relations of a knowledge graph together; each gets its own answer from the method that was chosen for all."""
    family = FamilyQuestion.of(head.name, split, head.relations, seed, settings.candidates)
    names = baseline_names(settings.baselines, "link")
    questions = {relation: LinkQuestion(split.visible, split.links[relation], seed) for relation in head.relations}
    baselines = {relation: fit_link_baselines(question, names) for relation, question in questions.items()}
    methods = [of_facts(head, rows, family.items), *gathered(family, baselines)]
    ours, evidence = combine_links(family, methods, settings, seed)
    measured, verdict = _measured(family, [ours, *methods], settings, answers)
    trusted = trust(family, ours, settings, seed)
    for relation, question in questions.items():
        own = replace(trusted, validated=validated_groups(question))
        answers.links.append(LinkAnswer(question, OfRelation(ours, family, relation), own))
    answers.rows += measured
    answers.verdicts.append(with_carrier(verdict, evidence.carried))
    answers.evidence.append(evidence)


def _measured(
    question: LinkQuestion, methods: Sequence[LinkMethod], settings: EvaluateSettings, answers: Answers
) -> tuple[list[Row], Verdict]:
    ranked: list[Ranked] = []
    rows, verdict = evaluate_links(question, methods, settings, ranked, answers.tested)
    answers.ranked += ranked
    rows += [*sampled_rows(methods, ranked, settings), *group_rows(ranked, settings)]
    return [replace(row, candidates=_among(row.metric, settings)) for row in rows], verdict


def _among(metric: str, settings: EvaluateSettings) -> str:
    """Among what the truth was ranked: see ``Row``."""
    if metric.endswith(SAME_PARENT):
        return "parent"
    return "sampled" if metric in SAMPLED else settings.candidates


def of_labels(head: LabelHead | SeveralHead, rows: Embeddings, question: LabelQuestion) -> Floats:
    """Probabilities [items, classes] of the gnn, its classes weighed as validation likes it best."""
    return best_on_validation(question, [head.probabilities(rows).numpy()], default=0)


def _labels(
    head: LabelHead | SeveralHead, rows: Embeddings, split: Split, settings: EvaluateSettings, seed: int, answers: Answers
) -> None:
    question = LabelQuestion(split.visible, split.labels[head.name], seed)
    predictions = {GNN: of_labels(head, rows, question)}
    predictions |= fit_label_baselines(question, baseline_names(settings.baselines, "label"))
    ours, evidence = combine_labels(question, predictions, seed)
    every = {OURS: ours, **predictions}
    measured, verdict = evaluate_labels(question, every, settings, answers.tested)
    trusted = label_trust(question, ours, settings)
    answers.labels.append(LabelAnswer(question, ours, trusted))
    answers.rows += [*measured, *unknown_rows(question, ours, trusted, settings), *open_rows(question, every, settings)]
    answers.verdicts.append(with_carrier(verdict, evidence.carried))
    answers.evidence.append(evidence)


def _ratings(
    head: RatingsHead, rows: Embeddings, split: Split, settings: EvaluateSettings, seed: int, answers: Answers
) -> None:
    question = RatingQuestion(split.visible, split.links[head.relation], head.scale, seed)
    methods = [NetworkRatings(head, rows), *fit_rating_baselines(question, settings.baselines)]
    ours, evidence = combine_ratings(question, methods)
    measured, verdict = evaluate_ratings(question, [ours, *methods], settings, answers.tested)
    answers.ratings.append(RatingAnswer(question, ours, Spread.of(question, ours)))
    answers.rows += measured
    answers.verdicts.append(with_carrier(verdict, evidence.carried))
    answers.evidence.append(evidence)
