"""Groups of items whose fingerprints are nearly the same: candidates, fingerprints compared, vectors compared."""

import abc

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mmgraph.encode.fingerprints import picture, sound
from mmgraph.graph.candidates import by_bits, by_cosine, stars
from mmgraph.settings import NearDuplicateSettings
from mmgraph.types import Bools, Floats, Ints

_SAMPLE = 20_000  # pairs of unrelated items, from which it is learnt how alike such are
_BLOCK = 65_536


class Look(abc.ABC):
    """Fingerprints and vectors (of length one) of some items; ``use``: which carry evidence. All positions are among those.

    most: the largest distance of a copy.
    """

    modality: str

    def __init__(self, prints: Floats, vectors: Floats, use: Bools, most: float, settings: NearDuplicateSettings) -> None:
        self.use, self.most, self._above = use, most, settings.cosine
        self.prints, self.vectors = prints[use], vectors[use]

    @abc.abstractmethod
    def candidates(self, among: Ints) -> Ints:
        """Pairs of places in ``among`` that are worth a comparison: int64 [pairs, 2]."""

    @abc.abstractmethod
    def distance(self, pairs: Ints) -> Floats:
        """By fingerprints: float32 [pairs], 0 the same."""

    def cosine(self, pairs: Ints) -> Floats:
        """By vectors: float32 [pairs]."""
        return np.einsum("nd,nd->n", self.vectors[pairs[:, 0]], self.vectors[pairs[:, 1]]).astype(np.float32)

    def groups(self) -> Ints:
        """int64 [items]: the first of each one's group, its own place where it has no copy."""
        count = len(self.prints)
        pairs = self._near(self.candidates(np.arange(count)))
        least = self._least(_connected(count, pairs))
        pairs = pairs[self.cosine(pairs) >= least]
        group, copied = stars(count, pairs), np.unique(pairs)
        while True:  # of many copies the search finds some pairs only; the firsts of their groups find each other
            firsts = copied[group[copied] == copied]
            pairs = self._near(firsts[self.candidates(firsts)])
            joined = self._joined(group, stars(count, pairs[self.cosine(pairs) >= least]), least)
            if (joined == group).all():
                return group
            group = joined

    def _joined(self, group: Ints, onto: Ints, least: float) -> Ints:
        """A group whose first has found another first goes over to it, if all of its members are near that one as well."""
        moved = np.flatnonzero(onto[group] != group)
        pairs = np.stack([onto[group[moved]], moved], axis=1)
        near = (self._distances(pairs) <= self.most) & (self.cosine(pairs) >= least)
        refused = np.isin(group[moved], group[moved][~near])
        group = group.copy()
        group[moved[~refused]] = pairs[~refused, 0]
        return group

    def _near(self, pairs: Ints) -> Ints:
        return pairs[self._distances(pairs) <= self.most]

    def _distances(self, pairs: Ints) -> Floats:
        parts = [self.distance(pairs[start : start + _BLOCK]) for start in range(0, len(pairs), _BLOCK)]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def _least(self, group: Ints) -> float:
        """The cosine below which the asked share of the pairs from different ``group`` stays."""
        if not len(group):
            return -1.0
        rng = np.random.default_rng(0)  # a look at the data, not a choice: the same whatever the run's seed
        pairs = rng.integers(0, len(group), (_SAMPLE, 2))
        pairs = pairs[group[pairs[:, 0]] != group[pairs[:, 1]]]
        return float(np.quantile(self.cosine(pairs), self._above)) if len(pairs) else -1.0


def _connected(count: int, pairs: Ints) -> Ints:
    """One number a component: what is in one may be related by any chain, and is no example of unrelated pairs."""
    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(links, directed=False)[1].astype(np.int64) if count else np.zeros(0, np.int64)


class Pictures(Look):
    """By ``fingerprints.picture``; candidates are the nearest by perceptual hash."""

    modality = "image"

    def __init__(self, prints: Floats, vectors: Floats, settings: NearDuplicateSettings) -> None:
        super().__init__(prints, vectors, picture.evidence(prints), settings.picture, settings)
        self._bits = picture.bits(self.prints)

    def candidates(self, among: Ints) -> Ints:
        """See Look."""
        return by_bits(self._bits[among], picture.MOST_BITS)

    def distance(self, pairs: Ints) -> Floats:
        """See Look."""
        return picture.distance(self.prints[pairs[:, 0]], self.prints[pairs[:, 1]], self.most)


class Sounds(Look):
    """By ``fingerprints.sound``; candidates are the nearest by vector, as bits of a sound say little without their shift."""

    modality = "audio"

    def __init__(self, prints: Floats, vectors: Floats, settings: NearDuplicateSettings) -> None:
        super().__init__(prints, vectors, sound.evidence(prints), settings.sound, settings)

    def candidates(self, among: Ints) -> Ints:
        """See Look."""
        return by_cosine(self.vectors[among])

    def distance(self, pairs: Ints) -> Floats:
        """See Look."""
        return sound.distance(self.prints[pairs[:, 0]], self.prints[pairs[:, 1]])
