"""Common neighbours."""

from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.union import Union, neighbour_links
from mmgraph.evaluate.contract import LinkBaseline, LinkMethod, LinkQuestion


@dataclass(frozen=True, kw_only=True)
class CommonNeighbours(LinkBaseline):
    """Score = how many neighbours query and candidate share (Liben-Nowell & Kleinberg 2007), over all visible relations."""

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Join all relations to one graph; left out, with a word in the log, where that needs more than 4 GiB."""
        if not fits_in_memory("common_neighbours", Union.bytes_of(question.graph)):
            return []
        return [neighbour_links("common_neighbours", question, np.ones_like)]
