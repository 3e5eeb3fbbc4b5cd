"""The same fit from several seeds: how much of a number is chance of training and of the split."""

import logging
from collections.abc import Sequence

import msgspec

from mmgraph import pipeline
from mmgraph.errors import RunError, SettingsError
from mmgraph.ingest import store_folder
from mmgraph.outputs.reading import read_run
from mmgraph.outputs.seeds import Summary, summary, write_summary
from mmgraph.runs import RunFolder, finished_run, with_chosen
from mmgraph.settings import Settings, plain

_log = logging.getLogger(__name__)


def fit_seeds(settings: Settings, seeds: Sequence[int], same_split: bool = False, restart: bool = False) -> Summary:
    """Run ``fit`` for every seed in a folder of its own, ``run.dir/seed-7`` and so on, and write ``run.dir/seeds.json``.

    Each is an ordinary run: one that was killed goes on, one that is finished is left as it is, and media are encoded once for
    all. The split varies with the seed unless ``same_split`` or ``split.seed`` is given. Raises RunError where ``run.dir`` is
    itself a run, and whatever ``fit`` raises.
    """
    folder = settings.run.dir
    if RunFolder(folder).settings.exists():
        todo = "choose another run.dir for several seeds"
        raise RunError("run.dir holds a single run already", given=folder, todo=todo)
    each = [_of_seed(settings, seed, same_split) for seed in seeds]
    for one in each:
        if restart or not _is_finished(one):
            _log.info("seed %d of %s", one.run.seed, ", ".join(map(str, seeds)))
            pipeline.fit(one, restart)
    runs = [RunFolder(one.run.dir) for one in each]
    varies = not same_split and settings.split.seed is None
    found = summary([read_run(run) for run in runs], seeds, [run.path.name for run in runs], settings.evaluate.level, varies)
    write_summary(found, folder)
    return found


def parsed_seeds(text: str, first: int) -> tuple[int, ...]:
    """``5``: as many seeds from ``first`` on; ``3,5,8``: these. Raises SettingsError.

    >>> parsed_seeds("3", 7), parsed_seeds("1,2,4", 7)
    ((7, 8, 9), (1, 2, 4))
    """
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts) or (len(parts) == 1 and int(text) < 1):
        raise SettingsError("--seeds needs how many seeds, or seeds with commas between", given=text, todo="--seeds 5")
    seeds = tuple(int(part) for part in parts) if len(parts) > 1 else tuple(range(first, first + int(text)))
    if len(set(seeds)) < len(seeds):
        raise SettingsError("--seeds names a seed twice", given=text)
    return seeds


def _of_seed(settings: Settings, seed: int, same_split: bool) -> Settings:
    replace = msgspec.structs.replace
    run = replace(settings.run, dir=settings.run.dir / f"seed-{seed}", seed=seed)
    split = settings.split
    if same_split and split.seed is None:
        split = replace(split, seed=settings.run.seed)
    encoders = replace(settings.encoders, store=store_folder(settings))
    return replace(settings, run=run, split=split, encoders=encoders)


def _is_finished(settings: Settings) -> bool:
    try:
        run, before = finished_run(settings.run.dir)
    except RunError:
        return False
    return plain(before) == plain(with_chosen(run, settings)) and (run.report.exists() or not settings.outputs.report)
