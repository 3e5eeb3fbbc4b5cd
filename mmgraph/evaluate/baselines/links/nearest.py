"""The nearest vector."""

from dataclasses import dataclass

from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.vectors import CosineLinks
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion


@dataclass(frozen=True, kw_only=True)
class Nearest(LinkBaseline):
    """Score = cosine, one method for each modality that both kinds have from the same encoder: ``nearest:image``."""

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Normalise; modalities of different encoders or widths cannot be compared and are passed over."""
        methods: list[LinkMethod] = []
        targets = question.graph.features_of(question.relation.target)
        for modality, source in question.graph.features_of(question.relation.source).items():
            target = targets.get(modality)
            if target is None or source.encoder != target.encoder or source.vectors.shape[1] != target.vectors.shape[1]:
                continue
            name = f"nearest:{modality}"
            if fits_in_memory(name, 4 * (source.vectors.size + target.vectors.size)):
                methods.append(CosineLinks(name, source, target))
        return methods
