"""What a finished run says of the items of a kind, made again without measuring or choosing anything."""

from dataclasses import dataclass

from mmgraph.errors import RunError
from mmgraph.evaluate.answers import LabelAnswer, of_labels
from mmgraph.evaluate.contract import LabelQuestion
from mmgraph.evaluate.evaluate import baseline_names, fit_label_baselines
from mmgraph.evaluate.evidence import EvidenceReport, handed_out
from mmgraph.evaluate.gnn import GNN
from mmgraph.evaluate.unknown import LabelTrust
from mmgraph.model.train import Trained
from mmgraph.settings import EvaluateSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.heads import LabelHead
from mmgraph.tasks.several import SeveralHead
from mmgraph.types import Floats


@dataclass(frozen=True)
class Labelled:
    """``answer``: what the run says of every item of a kind; ``vectors``: float32 [items, wide], what its network reads the class from, in
    the epoch that validated best for this field.
    """

    answer: LabelAnswer
    vectors: Floats


def labels_again(
    trained: Trained, split: Split, settings: EvaluateSettings, seed: int, report: EvidenceReport, trusted: LabelTrust
) -> Labelled:
    """By the choice in ``report``; baselines are fitted only where it needs them. The same numbers as when it was chosen."""
    for one in trained.heads:
        head = one.head
        if not isinstance(head, LabelHead | SeveralHead) or head.name != report.target:
            continue
        question = LabelQuestion(split.visible, split.labels[head.name], seed)
        predictions = {GNN: of_labels(head, one.embeddings, question)}
        if report.chosen != GNN:
            predictions |= fit_label_baselines(question, baseline_names(settings.baselines, "label"))
        made = handed_out(question, predictions, report.chosen)
        return Labelled(LabelAnswer(question, made, trusted), head.vectors(one.embeddings).detach().float().numpy())
    raise RunError("the run has no model of this field", given=report.target, todo="run `mmgraph fit` again")
