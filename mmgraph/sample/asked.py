"""All that the tasks ask a loader for."""

from collections.abc import Sequence
from typing import NamedTuple

from mmgraph.sample.questions import AskedLabels, AskedLinks
from mmgraph.sample.triples import AskedTriples


class Asked(NamedTuple):
    """Links of relations, labels of fields, and facts, one a task's head."""

    links: Sequence[AskedLinks] = ()
    labels: Sequence[AskedLabels] = ()
    triples: Sequence[AskedTriples] = ()
