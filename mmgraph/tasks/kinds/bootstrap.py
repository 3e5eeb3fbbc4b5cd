"""What does another view of the graph say of an item: training without labels, links that are held out, or negatives."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmgraph.errors import SettingsError
from mmgraph.model.contract import Head
from mmgraph.settings import ModelSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import Task
from mmgraph.tasks.self_supervised import BootstrapHead, Views, shown_kinds


@dataclass(frozen=True, kw_only=True)
class Bootstrap(Task):
    """Bootstrapped latents, as in BGRL (Thakoor et al. 2022, arXiv 2102.06514): no labels are needed.

    kinds: of which the views are compared, all with features when none are named. mask: share of the components of features that a view
    hides; drop: share of the links that it leaves out; decay: of the slow network's mean; weight: of the loss beside other tasks.
    The last epoch is taken: set ``trainer.max_epochs``.
    """

    kinds: Sequence[str] = ()
    mask: float = 0.3
    drop: float = 0.3
    decay: float = 0.99
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not all(0 <= one < 1 for one in (self.mask, self.drop, self.decay)):
            given = f"mask {self.mask}, drop {self.drop}, decay {self.decay}"
            raise SettingsError("Bootstrap takes shares", given=given, todo="0 or more, and below 1")

    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """See Task."""
        kinds = shown_kinds(split.visible, self.kinds, "Bootstrap")
        return [BootstrapHead(split.visible, kinds, Views(self.mask, self.drop, self.decay), settings.width, self.weight)]
