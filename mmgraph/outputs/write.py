"""Everything that a finished run hands out, each file written whole or not at all."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mmgraph.catalogue.contract import Catalogue
from mmgraph.evaluate.answers import Answers, LinkAnswer
from mmgraph.evaluate.effects import Effect
from mmgraph.evaluate.reliability import as_record
from mmgraph.evaluate.unknown import as_record as label_record
from mmgraph.graph.contract import Graph
from mmgraph.model.train import Trained
from mmgraph.outputs.embeddings import write_embeddings
from mmgraph.outputs.knock_outs import write_knock_outs
from mmgraph.outputs.labels import LabelPrediction, write_labels
from mmgraph.outputs.predictions import LinkPrediction, write_links
from mmgraph.outputs.ranks import write_ranks
from mmgraph.outputs.ratings import write_ratings
from mmgraph.outputs.report import write_report
from mmgraph.runs import RunFolder, write_csv, write_json
from mmgraph.settings import Settings


def write_training(run: RunFolder, graph: Graph, trained: Trained) -> None:
    """Curves and embeddings."""
    write_csv(run.curves, ("epoch", "name", "value"), trained.curves)
    vectors = {kind: rows.numpy() for kind, rows in trained.embeddings.items()}
    write_embeddings(run.embeddings, graph.ids, vectors)


def write_answers(run: RunFolder, answers: Answers, catalogue: Catalogue, settings: Settings) -> None:
    """Predictions, metrics, verdict, evidence, and the report, which reads them back from the run folder."""
    write_links([predicted(one) for one in answers.links], run.predictions, settings.outputs)
    labels = [LabelPrediction(one.question, one.probabilities, unknown=one.trust.unknown) for one in answers.labels]
    write_labels(labels, run.predictions, settings.outputs)
    write_ratings(answers.ratings, run.predictions, settings.outputs)
    write_ranks(answers.ranked, run.ranks)
    told = [_calibration(one) for one in answers.links], [label_record(one.question, one.trust) for one in answers.labels]
    write_json(run.calibration, [*told[0], *told[1]])
    write_json(run.metrics, [asdict(row) for row in answers.rows])
    write_json(run.verdict, [asdict(one) for one in answers.verdicts])
    write_json(run.evidence, [asdict(one) for one in answers.evidence])
    if settings.outputs.report:
        write_report(run, catalogue, settings.media, settings.outputs)


def record_knock_outs(run: RunFolder, effects: Sequence[Effect], catalogue: Catalogue, settings: Settings) -> None:
    """``knock_outs.json``, and the report anew, which then has them."""
    write_knock_outs(effects, run.knock_outs)
    if settings.outputs.report:
        write_report(run, catalogue, settings.media, settings.outputs)


def predicted(answer: LinkAnswer) -> LinkPrediction:
    """What is written about a relation."""
    trust, unlike = answer.trust, answer.trust.unlike(answer.question)
    return LinkPrediction(
        answer.question,
        answer.method,
        trust.calibration.probability,
        lambda sources, probability: trust.abstains(unlike[sources], probability),
    )


def _calibration(answer: LinkAnswer) -> dict[str, Any]:
    return {"relation": str(answer.question.relation), **as_record(answer.trust)}
