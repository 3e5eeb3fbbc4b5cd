"""Resource allocation."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.union import Reals, Union, neighbour_links
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion


@dataclass(frozen=True, kw_only=True)
class ResourceAllocation(LinkBaseline):
    """Score = sum over shared neighbours of 1 / degree (Zhou, Lü & Zhang 2009), over all visible relations."""

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Join all relations to one graph; left out, with a word in the log, where that needs more than 4 GiB."""
        if not fits_in_memory("resource_allocation", Union.bytes_of(question.graph)):
            return []
        return [neighbour_links("resource_allocation", question, _weight)]


def _weight(degrees: Reals) -> Reals:
    return 1.0 / np.maximum(degrees, 1.0)
