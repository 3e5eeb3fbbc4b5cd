"""The method that a finished run handed out, made again without measuring or choosing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmgraph.errors import RunError
from mmgraph.evaluate.answers import LinkAnswer
from mmgraph.evaluate.contract import OURS, LinkMethod, LinkQuestion
from mmgraph.evaluate.evaluate import baseline_names, fit_link_baselines, fit_recommend_baselines
from mmgraph.evaluate.evidence import COMBINATION, EvidenceReport, Piece, used_of_validation
from mmgraph.evaluate.family import FamilyQuestion, OfRelation, gathered
from mmgraph.evaluate.fusion import FEATURES, Combined, Context
from mmgraph.evaluate.gnn import GNN
from mmgraph.evaluate.prepared import of_fact, of_facts, of_links
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.evaluate.reliability import Trust
from mmgraph.model.contract import Embeddings
from mmgraph.model.train import Trained
from mmgraph.settings import EvaluateSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import FactsHead, RelationHead
from mmgraph.tasks.recommend import RecommendHead
from mmgraph.types import Relation


@dataclass(frozen=True)
class Everyone:
    """All methods of a finished run for one relation, by name: first what ``answer`` hands out, then the gnn, then the baselines."""

    answer: LinkAnswer
    methods: Mapping[str, LinkMethod]


def answer_again(
    trained: Trained, split: Split, settings: EvaluateSettings, seed: int, reports: Sequence[EvidenceReport], trusted: Trust,
    relation: Relation,
) -> LinkAnswer:  # fmt: skip
    """What the run answers about one relation, by the choice in ``reports``; baselines are fitted only where it needs them."""
    for one in trained.heads:
        question = LinkQuestion(split.visible, split.links[relation], seed)
        if isinstance(one.head, RelationHead) and one.head.relation == relation:
            question = question_of(one.head, split, seed)
            method = _of_links(one.head, one.embeddings, question, reports, settings)
            return LinkAnswer(question, method, trusted)
        if isinstance(one.head, FactsHead) and relation in one.head.relations:
            method = _of_facts(one.head, one.embeddings, split, relation, reports, settings, seed)
            return LinkAnswer(question, method, trusted)
    raise RunError("the run has no model of this relation", given=relation, todo="run `mmgraph fit` again")


def everyone_again(
    trained: Trained, split: Split, settings: EvaluateSettings, seed: int, reports: Sequence[EvidenceReport], trusted: Trust,
    relation: Relation,
) -> Everyone:  # fmt: skip
    """Every method of one relation, on what ``split`` shows; the chosen one is made of the others."""
    asking = (one.head for one in trained.heads if isinstance(one.head, RelationHead) and one.head.relation == relation)
    own = next(asking, None)
    question = LinkQuestion(split.visible, split.links[relation], seed) if own is None else question_of(own, split, seed)
    baselines = baselines_of(question, settings)
    network = _network(trained, relation)
    methods = {one.name: one for one in (network, *baselines)}
    if any(report.target == question.name for report in reports):
        answer = LinkAnswer(question, chosen_again(question, list(methods.values()), _report(question, reports)), trusted)
    else:  # a relation of Facts: what was chosen was chosen for all of them together
        answer = answer_again(trained, split, settings, seed, reports, trusted, relation)
    return Everyone(answer, {OURS: answer.method, **methods})


def _network(trained: Trained, relation: Relation) -> LinkMethod:
    for one in trained.heads:
        if isinstance(one.head, RelationHead) and one.head.relation == relation:
            return of_links(one.head, one.embeddings)
        if isinstance(one.head, FactsHead) and relation in one.head.relations:
            return of_fact(one.head, one.embeddings, relation)
    raise RunError("the run has no model of this relation", given=relation, todo="run `mmgraph fit` again")


def question_of(head: RelationHead, split: Split, seed: int) -> LinkQuestion:
    """What was asked of the head's relation, as it was when the run was fitted."""
    if isinstance(head, RecommendHead):
        return RecommendQuestion(split.visible, split.links[head.relation], seed, at=head.at)
    return LinkQuestion(split.visible, split.links[head.relation], seed)


def baselines_of(question: LinkQuestion, settings: EvaluateSettings) -> list[LinkMethod]:
    """The baselines that stand beside a question, fitted."""
    if isinstance(question, RecommendQuestion):
        return fit_recommend_baselines(question, settings.baselines)
    return fit_link_baselines(question, baseline_names(settings.baselines, "link"))


def report_of(record: Mapping[str, Any]) -> EvidenceReport:
    """One entry of evidence.json."""
    pieces = tuple(
        Piece(one["name"], one["value"], one["weights"], one.get("without"), tuple(one["added"]) if one.get("added") else None)
        for one in record["pieces"]
    )
    return EvidenceReport(record["target"], record["metric"], record["chosen"], record["n"], pieces, record.get("combination"))


def _of_links(
    head: RelationHead, rows: Embeddings, question: LinkQuestion, reports: Sequence[EvidenceReport], settings: EvaluateSettings
) -> LinkMethod:
    report, network = _report(question, reports), of_links(head, rows)
    if report.chosen == GNN:
        return network
    return chosen_again(question, [network, *baselines_of(question, settings)], report)


def _of_facts(
    head: FactsHead,
    rows: Embeddings,
    split: Split,
    relation: Relation,
    reports: Sequence[EvidenceReport],
    settings: EvaluateSettings,
    seed: int,
) -> LinkMethod:
    family = FamilyQuestion.of(head.name, split, head.relations, seed)
    report = _report(family, reports)
    if report.chosen == GNN:
        return of_fact(head, rows, relation)
    names = baseline_names(settings.baselines, "link")
    each = {one: fit_link_baselines(LinkQuestion(split.visible, split.links[one], seed), names) for one in head.relations}
    methods = [of_facts(head, rows, family.items), *gathered(family, each)]
    return OfRelation(chosen_again(family, methods, report), family, relation)


def _report(question: LinkQuestion, reports: Sequence[EvidenceReport]) -> EvidenceReport:
    for one in reports:
        if one.target == question.name:
            return one
    raise RunError("evidence.json does not say what was chosen", given=question.name, todo="run `mmgraph fit` again")


def chosen_again(question: LinkQuestion, methods: Sequence[LinkMethod], report: EvidenceReport) -> LinkMethod:
    """The method that ``report`` names, or the combination with its weights; the same numbers as when it was chosen."""
    by_name = {method.name: method for method in methods}
    weights: dict[str, Mapping[str, float]] = {report.chosen: {}}
    if report.chosen == COMBINATION:
        weights = {piece.name: piece.weights for piece in report.pieces if any(piece.weights.values())}
    if missing := [name for name in weights if name not in by_name]:
        raise RunError("a method that the run chose is not there any more", given=missing[0], todo="run `mmgraph fit` again")
    if report.chosen != COMBINATION:
        return by_name[report.chosen]
    edges = used_of_validation(question, question.seed)
    context = Context.of(question, [by_name[name] for name in weights], dict.fromkeys(question.directions, edges))
    each = {
        d: np.array([one[f"{feature}/{d}"] for one in weights.values() for feature in ("gap", "order")])
        for d in question.directions
    }
    assert all(len(one) == FEATURES * len(weights) for one in each.values())
    return Combined(context, each)
