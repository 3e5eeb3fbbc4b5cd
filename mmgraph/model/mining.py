"""Hard negatives: every few epochs all items are embedded, and what the heads take for answers is indexed by faiss."""

from collections.abc import Sequence
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor

from mmgraph.model.contract import Asking
from mmgraph.model.module import GraphModule
from mmgraph.sample.batch import Batch
from mmgraph.sample.negatives import MinedSampler
from mmgraph.sample.questions import AskedLinks
from mmgraph.sample.triples import AskedTriples
from mmgraph.types import Ints

_EXACT = 20_000  # answers; beyond, the nearest cells are searched instead of everything
_PROBES = 16
_BLOCK = 4096  # questions at once


class Index:
    """The answers of a head, to be searched by its questions (``Near``).

    Exact up to 20,000 answers; beyond, the nearest 16 of sqrt(answers) cells are searched (Jégou et al. 2011, Product Quantization for
    Nearest Neighbor Search, section IV), and some are missed, which negatives can afford.
    """

    def __init__(self, asking: Asking) -> None:
        import faiss  # only here: training without mined negatives needs no index

        answers = np.ascontiguousarray(asking.answers, np.float32)
        self._ask = asking.ask
        count, width = answers.shape
        metric = faiss.METRIC_INNER_PRODUCT if asking.metric == "inner" else faiss.METRIC_L2
        cells = f"IVF{int(np.sqrt(count))},Flat" if count > _EXACT else "Flat"
        index: Any = faiss.index_factory(width, cells, metric)
        if count > _EXACT:
            index.nprobe = _PROBES
            index.train(answers)
        index.add(answers)
        self._index = index

    @torch.no_grad()
    def search(self, item: Ints, relation: Ints, most: int) -> Ints:
        """See Near."""
        found = [np.zeros((0, most), np.int64)]
        for start in range(0, len(item), _BLOCK):
            part = slice(start, start + _BLOCK)
            asked = self._ask(torch.from_numpy(item[part]), torch.from_numpy(relation[part]))
            found.append(self._index.search(np.ascontiguousarray(asked.float(), np.float32), most)[1])
        return np.concatenate(found).astype(np.int64)


class Mining(lightning.Callback):
    """Tells samplers the embeddings at the start of every ``every``-th epoch.

    What a run draws depends on the weights of the epoch that was looked at last; these are kept in the checkpoint, so that a resumed run
    computes the same embeddings and draws what an uninterrupted one draws. With a look before every epoch none are kept.
    """

    def __init__(self, links: Sequence[AskedLinks], triples: Sequence[AskedTriples]) -> None:
        pairs = [(one.name, side, s) for one in links for side, s in zip(("target", "source"), one.samplers, strict=True)]
        pairs += [(one.name, "target", one.sampler) for one in triples]
        self._samplers = [(name, side, s) for name, side, s in pairs if isinstance(s, MinedSampler)]
        self._looked: dict[int, dict[str, Tensor]] = {}  # weights by the epochs between two looks

    @property
    def active(self) -> bool:
        """Whether any sampler looks."""
        return bool(self._samplers)

    def refresh(self, module: GraphModule, whole: Batch, epoch: int) -> None:
        """Called before an epoch's batches are drawn, as often as one likes."""
        now = module.state_dict()
        for every in sorted({sampler.every for _, _, sampler in self._samplers}):
            mine = [one for one in self._samplers if one[2].every == every]
            if epoch and epoch % every == 0:
                if every > 1:
                    self._looked[every] = {name: value.detach().cpu().clone() for name, value in now.items()}
                self._look(module, whole, mine)
            elif every in self._looked and mine[0][2].near is None:  # a resumed run
                before = {name: value.detach().clone() for name, value in now.items()}
                module.load_state_dict(self._looked[every])
                self._look(module, whole, mine)
                module.load_state_dict(before)

    @torch.no_grad()
    def _look(self, module: GraphModule, whole: Batch, samplers: Sequence[tuple[str, str, MinedSampler]]) -> None:
        training = [one for one in module.modules() if one.training]
        module.eval()
        rows = {kind: x.float().cpu() for kind, x in module.network(whole.to(module.device)).items()}
        for one in training:
            one.training = True
        heads = {head.name: head for head in module.all_heads}
        for name, side, sampler in samplers:
            asking = heads[name].asking(rows, side)
            sampler.near = None if asking is None else Index(asking)

    def state_dict(self) -> dict[str, Any]:
        """Saved in the checkpoint."""
        return {str(every): weights for every, weights in self._looked.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Read from the checkpoint."""
        self._looked = {int(every): weights for every, weights in state_dict.items()}
