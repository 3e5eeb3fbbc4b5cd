"""The feature store: vectors by content key, one folder for each encoder card."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmgraph.encode.contract import EncoderCard
from mmgraph.errors import StoreError
from mmgraph.runs import write_json
from mmgraph.store import shards
from mmgraph.store.shards import Shard
from mmgraph.types import Bools, Floats, Ints

PRESENT, ABSENT, MISSING = 1, 0, -1
_TRIES = 200  # of reading while others write: a try takes about a millisecond


class Store:
    """Vectors under ``folder/<card key>/``; safe to write from several processes and to kill at any moment.

    ``add`` commits a batch whole or not at all. Reading needs no lock: shards are never changed, only replaced.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._shards: dict[str, dict[str, Shard]] = {}

    def missing(self, card: EncoderCard, keys: Sequence[str]) -> list[str]:
        """The keys that are neither stored nor known to be absent, each once, in their order."""
        state = self.state(card, keys)
        return list(dict.fromkeys(key for key, known in zip(keys, state, strict=True) if known == MISSING))

    def state(self, card: EncoderCard, keys: Sequence[str]) -> Ints:
        """PRESENT, ABSENT (the clip has no such modality) or MISSING for each key."""
        known = self._refresh(card)
        place = _find(known, keys)
        rows = np.concatenate([shard.rows for shard in known]) if known else np.zeros(0, np.int64)
        state = np.full(len(keys), MISSING, np.int64)
        state[place >= 0] = np.where(rows[place[place >= 0]] >= 0, PRESENT, ABSENT)
        return state

    def add(self, card: EncoderCard, keys: Sequence[str], vectors: Floats, absent: Sequence[str] = ()) -> None:
        """Commit ``vectors`` float32 [len(keys), card.width]; keys that are there already are left as they are.

        absent: keys that have no such modality (a video without sound), so that nobody decodes them again. Raises StoreError
        for a wrong shape, a key given twice, or numbers that are not finite.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        _check(card, keys, vectors)
        _check_once([*keys, *absent])
        self._write(card, keys, vectors, absent)

    def settle(self, card: EncoderCard) -> None:
        """Finish what a killed writer of this card left half done, so that its end is that of one that was not killed."""
        folder = self.folder / card.key()
        if folder.exists() and shards.unsettled(folder, self._refresh(card)):
            with shards.locked(folder):
                self._merge(card)

    def read(self, card: EncoderCard, keys: Sequence[str]) -> tuple[Floats, Bools]:
        """float32 [len(keys), card.width] and which are there; rows of those that are not are zero."""
        for _ in range(_TRIES):  # another process may merge shards between listing and opening
            try:
                return self._gather(card, keys)
            except FileNotFoundError:
                self._shards.pop(card.key(), None)
        return self._gather(card, keys)

    def _gather(self, card: EncoderCard, keys: Sequence[str]) -> tuple[Floats, Bools]:
        known = self._refresh(card)
        place = _find(known, keys)
        vectors, present = np.zeros((len(keys), card.width), np.float32), np.zeros(len(keys), np.bool_)
        first = 0
        for shard in known:
            here = np.flatnonzero((place >= first) & (place < first + len(shard.rows)))
            rows = shard.rows[place[here] - first]
            first += len(shard.rows)
            here, rows = here[rows >= 0], rows[rows >= 0]
            if len(here):
                vectors[here] = shard.vectors(card.width)[rows]
                present[here] = True
        return vectors, present

    def _write(self, card: EncoderCard, keys: Sequence[str], vectors: Floats, absent: Sequence[str]) -> None:
        if not keys and not absent:
            return
        folder = self.folder / card.key()
        with shards.locked(folder):
            if not (folder / "card.json").exists():
                write_json(folder / "card.json", asdict(card))
            self._merge(card)
            fresh = self._fresh(card, [*keys, *absent])
            if len(fresh):
                here = fresh[fresh < len(keys)]
                without = [absent[i - len(keys)] for i in fresh[fresh >= len(keys)].tolist()]
                shards.append(folder, [keys[i] for i in here.tolist()], vectors[here], absent=without)
                self._merge(card)

    def _merge(self, card: EncoderCard) -> None:
        """Under the lock: end a merge that was cut off, and do those that are due."""
        folder = self.folder / card.key()
        shards.remove_merged(self._refresh(card))
        while some := shards.full_level(self._refresh(card)):
            shards.merge(folder, some, card.width)

    def _fresh(self, card: EncoderCard, keys: Sequence[str]) -> Ints:
        """Positions of keys that are not there; as good as always all, which is found without reading every index again."""
        hashes = shards.hashes_of(keys)
        if not any(shard.may_hold(hashes) for shard in self._refresh(card)):
            return np.arange(len(keys))
        return np.flatnonzero(self.state(card, keys) == MISSING)

    def _refresh(self, card: EncoderCard) -> list[Shard]:
        """The shards that are there now; only the indexes of new ones are read."""
        key = card.key()
        folder, before = self.folder / key, self._shards.get(key, {})
        for _ in range(_TRIES):  # as in read
            try:
                now = {name: before.get(name) or shards.open_shard(folder, name) for name in shards.names(folder)}
                break
            except FileNotFoundError:
                continue
        else:
            raise StoreError(f"{folder} changes faster than it can be read", todo="let other runs on this store end")
        self._shards[key] = now
        return list(now.values())


def _find(known: Sequence[Shard], keys: Sequence[str]) -> Ints:
    """Where each key lies in the joined indexes, or -1."""
    if not known or not keys:
        return np.full(len(keys), -1, np.int64)
    joined = pa.chunked_array([shard.keys for shard in known], pa.string())
    place = pc.index_in(pa.array(keys, pa.string()), value_set=joined)
    return np.asarray(pc.fill_null(place, -1), np.int64)


def _check(card: EncoderCard, keys: Sequence[str], vectors: Floats) -> None:
    if vectors.shape != (len(keys), card.width):
        raise StoreError(
            f"vectors of {card.name} do not fit: {len(keys)} keys of width {card.width}",
            given=vectors.shape,
            todo="mend the encoder",
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise StoreError(
            f"the vector of {keys[bad[0]]} by {card.name} is not finite",
            given=f"{len(bad)} such rows",
            todo="look at this clip",
        )


def _check_once(keys: Sequence[str]) -> None:
    if len(set(keys)) != len(keys):
        twice = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise StoreError("a key is given twice in one batch", given=twice, todo="give each content once")
