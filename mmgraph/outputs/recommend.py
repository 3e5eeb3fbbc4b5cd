"""What a finished run recommends to users, and which items it takes for alike, streamed to a file."""

import bisect
import difflib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from mmgraph.errors import RunError, SettingsError
from mmgraph.evaluate.contract import LinkMethod, LinkQuestion
from mmgraph.evaluate.ranking import Known
from mmgraph.evaluate.recommend.lists import blocks_of
from mmgraph.graph.contract import Graph
from mmgraph.outputs.streamed import Format, streamed
from mmgraph.progress import Bar
from mmgraph.types import Floats, Ints

RECOMMENDED: dict[str, Any] = {"user": pa.string(), "rank": pa.int32(), "item": pa.string(), "score": pa.float32()}
SIMILAR: dict[str, Any] = {"item": pa.string(), "rank": pa.int32(), "similar": pa.string(), "cosine": pa.float32()}
NEAREST = 3  # liked items that explain a recommendation
_COMPARED = 5000  # ids that are compared with one that is not there
_CELLS = 4_000_000  # scores held at once: 16 MB, and a few times as much of all pieces of a combination


@dataclass(frozen=True)
class Wanted:
    """users: ids, all where there are none; top_k: items of each; exclude_known: leave out what the user is linked with already; explain:
    say what speaks for each; format: of the file ``to``.

    Raises SettingsError where a number or the format cannot be.
    """

    users: tuple[str, ...] = ()
    top_k: int = 20
    exclude_known: bool = False
    explain: bool = False
    format: Format = "parquet"
    to: Path | None = None

    def __post_init__(self) -> None:
        if self.format not in get_args(Format):
            raise SettingsError("no such --format", given=self.format, todo=f"known: {', '.join(get_args(Format))}")
        if self.top_k < 1:
            raise SettingsError("--top-k must be 1 at least", given=self.top_k)
        if self.to is not None and self.to.suffix != f".{self.format}":
            raise SettingsError("--to must end as its format", given=self.to, todo=f"name it {self.to.stem}.{self.format}")


def write_recommendations(
    question: LinkQuestion, method: LinkMethod, near: Floats | None, wanted: Wanted, folder: Path
) -> tuple[Path, int, int]:
    """Stream the lists to ``wanted.to``, or ``recommendations`` in ``folder``; gives the path, and how many users and rows there are.

    near: vectors of length 1 of all items, float32 [items, width], by which an explanation names the nearest of the user's own items.
    With ``wanted.explain`` rows also have ``evidence.<piece>``, what each piece of a combination adds to the score, and ``liked_1`` to
    ``liked_3``. Raises SettingsError for a user that is not there, RunError for a full disk.
    """
    users = positions(question.graph, question.relation.source, wanted.users, "user")
    path = wanted.to or folder / f"recommendations.{wanted.format}"
    columns = pa.schema(RECOMMENDED | (_explaining(method) if wanted.explain else {}))
    rows = 0
    with streamed(path.parent, path.stem, columns, (wanted.format,)) as write, Bar("recommend", len(users)) as bar:
        for asked, items, scores in _blocks(question, method, users, wanted):
            table = _table(question, asked, items, scores)
            if wanted.explain:
                table |= _explained(question, method, near, asked, items)
            write(pa.table(table, schema=columns))
            rows += len(table["user"])
            bar.advance(len(asked))
    return path, len(users), rows


def _blocks(question: LinkQuestion, method: LinkMethod, users: Ints, wanted: Wanted) -> Iterator[tuple[Ints, Ints, Floats]]:
    known = np.arange(len(question.split.edges)) if wanted.exclude_known else np.zeros(0, np.int64)
    cells = _CELLS // max(2 * len(method.pieces), 1) if wanted.explain else _CELLS
    return blocks_of(method, question, users, known, wanted.top_k, cells=cells)


def _table(question: LinkQuestion, users: Ints, items: Ints, scores: Floats) -> dict[str, Any]:
    row, place = np.nonzero(items >= 0)
    ids, relation = question.graph.ids, question.relation
    return {
        "user": pa.array(ids[relation.source][users[row]], pa.string()),
        "rank": pa.array((place + 1).astype(np.int32)),
        "item": pa.array(ids[relation.target][items[row, place]], pa.string()),
        "score": pa.array(scores[row, place]),
    }


def _explaining(method: LinkMethod) -> dict[str, Any]:
    return {f"evidence.{piece}": pa.float32() for piece in method.pieces} | {
        f"liked_{place}": pa.string() for place in range(1, NEAREST + 1)
    }


def _explained(question: LinkQuestion, method: LinkMethod, near: Floats | None, users: Ints, items: Ints) -> dict[str, Any]:
    """The columns of ``_explaining``; a user with fewer items than NEAREST has nulls."""
    row, place = np.nonzero(items >= 0)
    item = items[row, place]
    told = {f"evidence.{part.piece}": pa.array(part.share[row, item]) for part in method.parts(users, "target")}
    liked = _nearest_liked(question, near, users[row], item)
    names = np.array([*question.graph.ids[question.relation.target], None], dtype=object)  # -1 is nobody
    return told | {f"liked_{n + 1}": pa.array(names[liked[:, n]], pa.string()) for n in range(NEAREST)}


def _nearest_liked(question: LinkQuestion, near: Floats | None, users: Ints, items: Ints) -> Ints:
    """int64 [pairs, NEAREST]: of the items that each user is seen with those nearest to the item, -1 where there are no more."""
    out = np.full((len(users), NEAREST), -1, np.int64)
    pair, liked = Known.of(question.visible, question.count("source"), "target").pairs(users)
    apart = liked != items[pair]
    pair, liked = pair[apart], liked[apart]
    if near is None or not len(pair):
        return out
    cosine = np.einsum("nw,nw->n", near[liked], near[items[pair]])
    order = np.lexsort((liked, -cosine, pair))
    pair, liked = pair[order], liked[order]
    place = np.arange(len(pair)) - np.searchsorted(pair, np.arange(len(users)))[pair]
    kept = place < NEAREST
    out[pair[kept], place[kept]] = liked[kept]
    return out


def write_similar(
    graph: Graph, vectors: dict[str, Floats], items: Sequence[str], kind: str | None, top_k: int, path: Path, form: Format
) -> tuple[Path, int]:
    """Of every item the ``top_k`` most alike of its own kind, or of ``kind``, by the cosine of the run's embeddings; all items of ``kind``
    where none is named. Gives the path and the number of rows.

    Raises SettingsError for an item or kind that is not there, RunError where kinds have no embeddings.
    """
    own = _kind_of(graph, items[0]) if items else kind
    if own is None:
        raise SettingsError("similar needs an item or a kind", todo="give --item ID, or --kind K for all of a kind")
    other = kind or own
    for one in (own, other):
        if one not in vectors:
            raise SettingsError("no such kind", given=one, todo=f"there are: {', '.join(vectors)}")
    asked, count = positions(graph, own, tuple(items), "item"), 0
    with streamed(path.parent, path.stem, pa.schema(SIMILAR), (form,)) as write, Bar("similar", len(asked)) as bar:
        for start in range(0, len(asked), size := max(1, _CELLS // max(graph.count(other), 1))):
            part = asked[start : start + size]
            cosine = vectors[own][part] @ vectors[other].T
            if own == other:
                cosine[np.arange(len(part)), part] = -np.inf
            found, value = _best(cosine, top_k)
            row, place = np.nonzero(np.isfinite(value))
            write(
                pa.table(
                    {
                        "item": pa.array(graph.ids[own][part[row]], pa.string()),
                        "rank": pa.array((place + 1).astype(np.int32)),
                        "similar": pa.array(graph.ids[other][found[row, place]], pa.string()),
                        "cosine": pa.array(value[row, place]),
                    }
                )
            )
            count += len(row)
            bar.advance(len(part))
    return path, count


def _best(cosine: Floats, top_k: int) -> tuple[Ints, Floats]:
    """(columns, values) of the largest of each row, equal ones in the order of the table."""
    order = np.argsort(-cosine, axis=1, kind="stable")[:, :top_k]
    return order, np.take_along_axis(cosine, order, axis=1)


def _kind_of(graph: Graph, name: str) -> str:
    for kind, ids in graph.ids.items():
        if (ids == name).any():
            return kind
    every = [str(one) for ids in graph.ids.values() for one in ids]
    raise SettingsError("no item has this id", given=name, todo=_did_you_mean(name, every))


def positions(graph: Graph, kind: str, ids: tuple[str, ...], what: str) -> Ints:
    """Positions of the items of a kind with these ids, each once, in the order given; all where none is.

    Raises SettingsError that names an id that is not there, and those that are spelt most like it.
    """
    if not ids:
        return np.arange(graph.count(kind), dtype=np.int64)
    place = {str(name): number for number, name in enumerate(graph.ids[kind])}
    for name in ids:
        if name not in place:
            raise SettingsError(f"no {what} of kind {kind} has this id", given=name, todo=_did_you_mean(name, list(place)))
    return np.array([place[name] for name in dict.fromkeys(ids)], np.int64)


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    """The nearest ids; of many only those are compared that are as long, give or take one, and end or begin alike, and those beside which
    the name would stand in order.
    """
    if len(known) > _COMPARED:
        alike = (one for one in known if abs(len(one) - len(name)) <= 1 and (one[:-1] == name[:-1] or one[-2:] == name[-2:]))
        ordered = sorted(known)
        at = bisect.bisect(ordered, name)
        known = list(dict.fromkeys((*ordered[max(at - 50, 0) : at + 50], *itertools.islice(alike, _COMPARED))))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else "ids are in embeddings/<kind>.ids.txt"


def unit_vectors(trained: dict[str, Floats], kind: str) -> Floats:
    """Of all items of a kind, float32 [items, width], of length 1; raises RunError where it has none."""
    if kind not in trained:
        raise RunError("the run has no embeddings of this kind", given=kind, todo=f"there are: {', '.join(trained)}")
    rows = np.asarray(trained[kind], np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)
