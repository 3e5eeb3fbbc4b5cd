"""Training that begins with the weights of an earlier one, whose data have grown."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO

import torch

from mmgraph.errors import RunError
from mmgraph.files import write_with
from mmgraph.model.contract import Head
from mmgraph.model.data import GraphData
from mmgraph.model.module import GraphModule


def begin(module: GraphModule, checkpoint: Path) -> None:
    """Take the weights of ``checkpoint``; a parameter that has grown, as by a new class, keeps its own fresh numbers behind the old ones.

    Raises RunError where the file is missing or of another model.
    """
    if not checkpoint.exists():
        raise RunError("the run has no such checkpoint", given=checkpoint, todo="run `mmgraph fit` again")
    before = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    now = module.state_dict()
    for name, fresh in now.items():
        old = before.get(name)
        if old is None or old.ndim != fresh.ndim or any(a > b for a, b in zip(old.shape, fresh.shape, strict=True)):
            todo = "run `mmgraph fit --restart`"
            raise RunError(f"{checkpoint} is of another model", given=name, todo=todo)
        fresh[tuple(slice(size) for size in old.shape)] = old
    module.load_state_dict(now)


def keep_better(
    module: GraphModule, data: GraphData, asked: Collection[int], folder: Path, earlier: Callable[[str], None]
) -> list[str]:
    """For heads at these places: their epoch of before instead of that in ``folder``, where it validates better on the same data.

    ``earlier``: gives the module the weights of before, of the checkpoint of this name. Gives the names of the tasks that kept theirs.
    """
    kept = []
    for number in asked:
        head, file = module.all_heads[number], f"best-{number}.ckpt"
        if head.figure is None:
            continue
        begin(module, folder / file)
        now = _figure(module, data, head)
        earlier(file)
        if not now >= _figure(module, data, head):  # nothing is better than no number
            _save(module, folder / file)
            kept.append(head.name)
    return kept


@torch.no_grad()
def _figure(module: GraphModule, data: GraphData, head: Head) -> float:
    module.eval()
    batch = data.whole.to(module.device)
    found = head.figures(module.network, batch, module.network(batch))
    return next(iter(found.values()))


def _save(module: GraphModule, path: Path) -> None:
    def write(file: IO[bytes]) -> None:
        torch.save({"state_dict": module.state_dict()}, file)

    write_with(path, write)
