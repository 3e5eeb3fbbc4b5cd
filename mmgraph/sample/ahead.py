"""The next batch is made while the present one is learned from."""

import functools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from torch.utils.data import IterableDataset, get_worker_info

from mmgraph.sample.batch import Batch
from mmgraph.sample.neighbours import NeighbourBatches


@functools.cache
def _maker(_process: int) -> ThreadPoolExecutor:
    """One thread for all epochs and trainings of a process: DGL draws other numbers in every thread, whatever its seed."""
    return ThreadPoolExecutor(1, "batches")


@dataclass
class Ahead(IterableDataset[Batch]):
    """The batches of ``source``, made by a thread of their own, one ahead; worker processes are ahead by themselves."""

    source: NeighbourBatches

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Batch]:
        if get_worker_info() is not None or not len(self):
            yield from self.source
            return
        thread = _maker(os.getpid())
        coming = thread.submit(self.source.batch, 0)
        try:
            for number in range(1, len(self)):
                batch = coming.result()
                coming = thread.submit(self.source.batch, number)
                yield batch
            yield coming.result()
        finally:
            wait([coming])  # the source is not changed under its hands
