"""Contrast between an embedding and one layer of it, both with noise: a regulariser that spreads items out."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mmgraph.errors import SettingsError
from mmgraph.settings import ContrastSettings, ModelSettings


class Embedded(dict[str, Tensor]):
    """Embeddings by kind, and in ``view`` what one of the layers gave of the same items."""

    def __init__(self, rows: Mapping[str, Tensor], view: Mapping[str, Tensor]) -> None:
        super().__init__(rows)
        self.view = view


def noised(rows: Float[Tensor, "n width"], length: float) -> Float[Tensor, "n width"]:
    """Vectors with another of this length added, whose direction is drawn evenly among those with the signs of their own components
    (Yu et al. 2023, arXiv 2209.02544, section 3).
    """
    return rows + rows.sign() * F.normalize(torch.rand_like(rows), dim=1) * length


def contrast(rows: Embedded, asked: Mapping[str, Int[Tensor, "items"]], settings: ContrastSettings) -> Float[Tensor, ""]:
    """``weight`` times the sum over kinds of how little the two views of an item agree. asked: which items, in any order, repeated or not.

    XSimGCL (Yu et al. 2023, arXiv 2209.02544, section 3): both views come of the pass that answers the tasks, the embedding and the
    vector of ``layer``, so that no more is computed than without.
    """
    if not asked:
        return next(iter(rows.values())).new_zeros(())
    parts = [_apart(rows[kind], rows.view[kind], items, settings) for kind, items in asked.items()]
    return settings.weight * torch.stack(parts).sum()


def joined(asked: Sequence[Mapping[str, Tensor]]) -> dict[str, Int[Tensor, "items"]]:
    """What several heads ask, by kind."""
    kinds = dict.fromkeys(kind for one in asked for kind in one)
    return {kind: torch.cat([one[kind] for one in asked if kind in one]) for kind in kinds}


def _apart(one: Tensor, other: Tensor, items: Tensor, settings: ContrastSettings) -> Tensor:
    """-log of the share that an item's own cosine has among those with all items asked, in a softmax; mean over items, each once."""
    if not len(items):
        return one.new_zeros(())
    if len(items) > settings.sample:
        items = items[torch.randperm(len(items), device=items.device)[: settings.sample]]
    items = items.sort().values
    first = torch.cat([items[:1] == items[:1], items[1:] != items[:-1]])  # shapes do not depend on what is in them
    a, b = F.normalize(one[items], dim=1) / settings.temperature, F.normalize(other[items], dim=1)
    total = (a @ b.T).masked_fill(~first, -torch.inf).logsumexp(1)
    return ((total - (a * b).sum(1)) * first).sum() / first.sum()


def checked(settings: ModelSettings) -> ContrastSettings | None:
    """None where nothing is contrasted; raises SettingsError where there is no such layer."""
    if not settings.contrast.weight:
        return None
    if settings.contrast.layer > settings.layers:
        todo = "give a layer from 1 to model.depth, or set model.contrast.weight to 0"
        given = f"layer {settings.contrast.layer} of {settings.layers}"
        raise SettingsError("model.contrast compares the embeddings with a layer that is not there", given=given, todo=todo)
    return settings.contrast
