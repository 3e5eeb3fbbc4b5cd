"""Full graph or neighbours: decided by what each needs of memory and what there is, and said in the log."""

import logging
from dataclasses import dataclass

from mmgraph.encode.memory import free_memory, free_on_gpu
from mmgraph.errors import ModelError, SettingsError
from mmgraph.model.data import GraphData, check_fanouts
from mmgraph.model.estimate import Need, ceiling, estimate
from mmgraph.model.module import GraphModule
from mmgraph.settings import BatchSettings, ModelSettings

log = logging.getLogger(__name__)
_OF_FREE = 0.8  # of what is free may be needed: an estimate errs, and others take memory as well
_SMALL = 0.1  # of what is there: below, the other mode is not looked at
_GB = 10**9


@dataclass(frozen=True)
class Room:
    """Bytes that there are: of the machine's memory, and of the GPU's where one computes; stated: by ``model.batches.memory_gb``."""

    host: int
    gpu: int | None = None
    stated: int | None = None

    @classmethod
    def there(cls, settings: BatchSettings, on_gpu: bool = False) -> "Room":
        """What is free now."""
        stated = None if settings.memory_gb is None else int(settings.memory_gb * _GB)
        return cls(free_memory(), free_on_gpu() if on_gpu else None, stated)

    def compared(self, need: Need) -> tuple[int, int]:
        """What decides: (needed, there)."""
        if self.stated is not None:
            return (need.total if self.gpu is None else need.gpu), self.stated
        return (need.more, self.host) if self.gpu is None else (need.gpu, self.gpu)

    def fits(self, need: Need) -> bool:
        """Whether it does, with a fifth of what is free to spare; a stated size is taken at its word."""
        needed, there = self.compared(need)
        if self.gpu is not None and need.host > _OF_FREE * self.host:
            return False
        return needed <= (there if self.stated is not None else _OF_FREE * there)

    def shown(self, need: Need) -> str:
        """The numbers of one mode.

        >>> Room(8 * 2**30).shown(Need("full", {}, {}, {"a training step": 3 * 2**29}))
        '1.50 GiB of 8.00 GiB free'
        """
        return f"{size_of(self.compared(need)[0])} of {self.described}"

    @property
    def described(self) -> str:
        """What there is.

        >>> Room(8 * 2**30, stated=2**30).described
        '1.00 GiB by model.batches.memory_gb'
        """
        if self.stated is not None:
            return f"{size_of(self.stated)} by model.batches.memory_gb"
        return f"{size_of(self.host)} free" if self.gpu is None else f"{size_of(self.gpu)} free on the GPU"


def size_of(count: int) -> str:
    """Bytes as a person reads them.

    >>> size_of(3 * 2**29), size_of(5 * 2**20)
    ('1.50 GiB', '5 MiB')
    """
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def choose(module: GraphModule, data: GraphData, settings: ModelSettings, on_gpu: bool = False) -> str:
    """The mode of the batches; raises SettingsError where nothing that ``auto`` may take fits."""
    if settings.batches.mode != "auto":
        log.info("batches: %s, as model.batches.mode says", data.mode)
        return data.mode
    if data.passing:
        log.info("batches: %s, for a head that passes messages of its own", data.mode)
        return data.mode
    room, whole = Room.there(settings.batches, on_gpu), "full" if data.mode == "auto" else data.mode
    most = ceiling(data, whole, settings)
    if room.stated is None and most < _SMALL * min(room.host, room.gpu or room.host):
        log.info("batches: %s; the whole graph needs less than %s of %s", whole, size_of(most), room.described)
        return whole
    try:
        return _fitting(module, data, settings, room, whole)
    except ModelError as error:
        log.warning("batches: %s; %s", whole, error)
        return whole


def _fitting(module: GraphModule, data: GraphData, settings: ModelSettings, room: Room, whole: str) -> str:
    first = estimate(module, data, whole, settings)
    if room.fits(first):
        beside = _beside(module, data, settings, room, first)
        log.info("batches: %s; the whole graph needs about %s%s", whole, room.shown(first), beside)
        return whole
    if data.mode != "auto":
        raise _refused(room, [first], "model.width or model.batches.size")
    check_fanouts(settings)
    second = estimate(module, data, "neighbours", settings)
    if not room.fits(second):
        raise _refused(room, [first, second], "model.width, model.batches.fanouts or model.batches.size")
    shown = size_of(room.compared(second)[0])
    log.info("batches: neighbours, which need about %s; the whole graph would need %s", shown, room.shown(first))
    return "neighbours"


def _beside(module: GraphModule, data: GraphData, settings: ModelSettings, room: Room, first: Need) -> str:
    """What neighbours would need, where that is of interest and can be."""
    needed, there = room.compared(first)
    if data.mode != "auto" or needed < _SMALL * there or len(settings.batches.fanouts) != settings.layers:
        return ""
    return f"; neighbours would need about {size_of(room.compared(estimate(module, data, 'neighbours', settings))[0])}"


def _refused(room: Room, needs: list[Need], smaller: str) -> SettingsError:
    given = "; ".join(f"{need.mode}: about {room.shown(need)}" for need in needs)
    todo = f"lower {smaller}, or set model.batches.mode to train all the same"
    return SettingsError("training does not fit into memory", given=given, todo=todo)
