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
    """The mode of the batches, and in ``data.row_wise`` whether ids are stepped by row; raises SettingsError where nothing that ``auto``
    may take fits, or ids cannot be stepped so.
    """
    tables = bool(module.network.inputs.tables())
    if settings.ids.optimizer == "row_adagrad" and tables:
        _by_row(module, data, settings)
        data.row_wise = True
        return "neighbours"
    if settings.batches.mode == "neighbours" and settings.ids.optimizer == "auto" and tables:
        data.row_wise = not _dense_fits(module, data, settings, on_gpu)
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


def _by_row(module: GraphModule, data: GraphData, settings: ModelSettings) -> None:
    """Refuse what has dense gradients; say what is needed."""
    whole = any(head.always for head in module.all_heads) or data.passing or bool(data.asked.triples)
    if settings.batches.mode not in ("auto", "neighbours") or whole:
        wrong = (
            "model.ids.optimizer: row_adagrad needs batches of neighbours, as a pass over the whole graph touches every row"
        )
        given = "a task that needs the whole graph" if whole else f"model.batches.mode: {settings.batches.mode}"
        raise SettingsError(wrong, given=given, todo="set model.batches.mode to neighbours, or model.ids.optimizer to dense")
    check_fanouts(settings)
    _say(module, estimate(module, data, "neighbours", settings, by_row=True))


def _say(module: GraphModule, need: Need) -> None:
    rows = sum(len(table.weight) for table in module.network.inputs.tables().values())
    said = "batches: neighbours; %s ids are stepped row by row, and training adds about %s"
    log.info(said, f"{rows:,}", size_of(need.more))


def _dense_fits(module: GraphModule, data: GraphData, settings: ModelSettings, on_gpu: bool) -> bool:
    """Whether batches of neighbours fit with dense gradients; of small tables it is not asked."""
    room = Room.there(settings.batches, on_gpu)
    most = 8 * sum(4 * table.weight.numel() for table in module.network.inputs.tables().values())
    if most < (room.stated or _SMALL * min(room.host, room.gpu or room.host)):
        return True
    dense = estimate(module, data, "neighbours", settings)
    if room.fits(dense):
        return True
    need = estimate(module, data, "neighbours", settings, by_row=True)
    _say(module, need)
    log.info("with dense gradients it would be %s", room.shown(dense))
    return False


def _fitting(module: GraphModule, data: GraphData, settings: ModelSettings, room: Room, whole: str) -> str:
    first = estimate(module, data, whole, settings)
    if room.fits(first):
        beside = _beside(module, data, settings, room, first)
        log.info("batches: %s; the whole graph needs about %s%s", whole, room.shown(first), beside)
        return whole
    sampled = data.mode == "auto" or (not settings.layers and not data.asked.triples)
    if not sampled:
        raise _refused(room, [first], "model.width or model.batches.size")
    check_fanouts(settings)
    second = estimate(module, data, "neighbours", settings)
    if not room.fits(second):
        needs = [first, second]
        if settings.ids.optimizer == "auto" and module.network.inputs.tables():
            needs.append(estimate(module, data, "neighbours", settings, by_row=True))
        if len(needs) == 2 or not room.fits(needs[2]):
            raise _refused(room, needs, "model.width, model.batches.fanouts or model.batches.size")
        _say(module, needs[2])
        data.row_wise = True
        return "neighbours"
    shown = size_of(room.compared(second)[0])
    log.info("batches: neighbours, which need about %s; the whole graph would need %s", shown, room.shown(first))
    return "neighbours"


def _beside(module: GraphModule, data: GraphData, settings: ModelSettings, room: Room, first: Need) -> str:
    """What neighbours would need, where that is of interest and can be."""
    needed, there = room.compared(first)
    if data.mode != "auto" or needed < _SMALL * there or len(settings.batches.fanouts[: settings.layers]) != settings.layers:
        return ""
    return f"; neighbours would need about {size_of(room.compared(estimate(module, data, 'neighbours', settings))[0])}"


def _refused(room: Room, needs: list[Need], smaller: str) -> SettingsError:
    given = "; ".join(f"{need.mode}: about {room.shown(need)}" for need in needs)
    todo = f"lower {smaller}, or set model.batches.mode to train all the same"
    return SettingsError("training does not fit into memory", given=given, todo=todo)
