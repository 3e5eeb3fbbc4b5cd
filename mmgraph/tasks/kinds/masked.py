"""What do items look like that are hidden: training without labels and without links that are held out."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmgraph.errors import SettingsError
from mmgraph.model.contract import Head
from mmgraph.settings import ComponentLike, ModelSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import Task
from mmgraph.tasks.self_supervised import MaskedHead, Masking, shown_kinds


@dataclass(frozen=True, kw_only=True)
class Masked(Task):
    """Masked features, as in GraphMAE (Hou et al. 2022, arXiv 2205.10803): no labels are needed.

    kinds: whose features are hidden and made up, all with features when none are named. rate: share of the items hidden in a step; gamma:
    of the scaled cosine error; decoder: the layer that makes features up; valid: share of the items that are never made up in training,
    by which the epoch is chosen; weight: of the loss beside other tasks.
    """

    kinds: Sequence[str] = ()
    rate: float = 0.5
    gamma: float = 2.0
    decoder: ComponentLike = "sage"
    valid: float = 0.1
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1 or not 0 <= self.valid < 1:
            given = f"rate {self.rate}, valid {self.valid}"
            raise SettingsError("Masked hides a share of the items", given=given, todo="rate above 0, both below 1")

    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """See Task. Raises SettingsError for a model without message passing: what is hidden is made up from neighbours."""
        if not settings.layers:
            raise SettingsError("the task Masked needs message passing", given="model.layer: none", todo="take a layer")
        kinds = shown_kinds(split.visible, self.kinds, "Masked")
        masking = Masking(self.rate, self.gamma, self.decoder, self.valid)
        return [MaskedHead(split.visible, kinds, masking, settings.width, self.weight)]
