"""Adamic–Adar."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.union import Reals, Union, neighbour_links
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion


@dataclass(frozen=True, kw_only=True)
class AdamicAdar(LinkBaseline):
    """Score = sum over shared neighbours of 1 / log(degree) (Adamic & Adar 2003), over all visible relations."""

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Join all relations to one graph; left out, with a word in the log, where that needs more than 4 GiB."""
        if not fits_in_memory("adamic_adar", Union.bytes_of(question.graph)):
            return []
        return [neighbour_links("adamic_adar", question, _weight)]


def _weight(degrees: Reals) -> Reals:
    """A neighbour of one item alone is shared by nobody; its weight is of no matter, and finite."""
    return 1.0 / np.log(np.maximum(degrees, 2.0))
