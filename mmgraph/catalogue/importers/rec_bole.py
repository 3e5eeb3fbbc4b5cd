"""RecBole's atomic files: tab-separated columns whose types stand in the first line."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import Catalogue, GivenFeatures, Importer
from mmgraph.catalogue.kept import Kept
from mmgraph.catalogue.lines import Form, read_lines
from mmgraph.catalogue.names import plain_names
from mmgraph.catalogue.sheets import header_of
from mmgraph.catalogue.tables import Table, joined
from mmgraph.catalogue.written import Named, Written, named_items, prefixed, split_words, without
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256
from mmgraph.types import Floats, Ints, Strings

_log = logging.getLogger(__name__)
_TYPES = ("token", "token_seq", "float", "float_seq")
_PARTS = ("train", "valid", "test")
_NUMBERS = "numbers"


@dataclass(frozen=True, kw_only=True)
class RecBole(Importer):
    """RecBole's atomic files: ``<name>.inter`` (or ``<name>.train.inter``, ``.valid.inter`` and ``.test.inter``, which are then the given
    split), and ``.user``, ``.item``, ``.link``, ``.kg`` and ``.net`` where they are there.

    See https://recbole.io/docs/user_guide/data/atomic_files.html. Items are ``user/<id>``, ``item/<id>`` and ``entity/<id>``; an entity
    that .link says is an item is that item. Links: user/interacts/item with the fields ``rating`` as weight and ``time`` as time, the
    newest of repeated ones; those of .kg by their names; user/knows/user of .net. Of users and items the fields ``texts`` are their
    text, other tokens are labels, each float_seq is a modality, and what is float together is the modality ``numbers``, each of mean 0
    and variance 1. user, item: names of the columns of ids; name: may be left out where ``root`` holds one data set; separator: of
    tokens and floats in a sequence; cache: where vectors are kept as .npy.
    """

    root: Path
    name: str | None = None
    user: str = "user_id"
    item: str = "item_id"
    rating: str = "rating"
    time: str = "timestamp"
    texts: Sequence[str] = ("title", "movie_title", "name", "description")
    separator: str = " "
    cache: Path | None = None

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names the file and line."""
        stem = self._stem()
        inter = [(_Atomic.read(path), split) for path, split in self._interactions(stem)]
        more = {
            end: _Atomic.read(path)
            for end in ("user", "item", "link", "kg", "net")
            if (path := self._path(stem, end)).is_file()
        }
        named = {
            "user": [one.named(self.user, "user") for one, _ in inter],
            "item": [one.named(self.item, "item") for one, _ in inter],
        }
        if "net" in more:
            named["user"] += [more["net"].named(column, "user") for column in ("source_id", "target_id")]
        items, known = list[Table](), dict[str, Strings]()
        for kind, column in (("user", self.user), ("item", self.item)):
            declared = self._declared(more.get(kind), kind, column)
            rest = named_items(kind, named[kind], declared.frame["id"].to_numpy() if declared else None)
            items += [declared, rest] if declared else [rest]
            known[kind] = np.concatenate([one.frame["id"].to_numpy() for one in items if len(one.frame)])
        links = [self._links(one, split) for one, split in inter]
        if "net" in more:
            net = more["net"]
            links.append(net.written.links(net.ids("source_id", "user"), "knows", net.ids("target_id", "user")))
        if "kg" in more:
            entities, facts = self._knowledge(more["kg"], more.get("link"), known["item"])
            items, links = [*items, entities], [*links, facts]
        kept = Kept.beside(self.root, self.cache)
        return checked(
            [one for one in items if len(one.frame)],
            joined("interactions", links),
            joined("labels", [one for kind, column in self._kinds(more) for one in self._labels(more[kind], kind, column)]),
            root=self.root,
            features=tuple(
                one for kind, column in self._kinds(more) for one in self._features(more[kind], kind, column, kept)
            ),
            sources={one.path.name: sha256(one.path) for one in [*(one for one, _ in inter), *more.values()]},
            repeated="last",
        )

    def _stem(self) -> str:
        if self.name is not None:
            return self.name
        parts = tuple(f".{part}" for part in _PARTS)
        found = {path.stem for path in self.root.glob("*.inter")}
        stems = sorted({stem.rpartition(".")[0] if stem.endswith(parts) else stem for stem in found})
        if len(stems) != 1:
            wrong = "there are several data sets" if stems else "there is no file .inter"
            raise CatalogueError(wrong, given=", ".join(stems) or self.root, todo="name one by catalogue.name")
        return stems[0]

    def _path(self, stem: str, end: str) -> Path:
        return self.root / f"{stem}.{end}"

    def _interactions(self, stem: str) -> list[tuple[Path, str | None]]:
        parts = [(path, part) for part in _PARTS if (path := self._path(stem, f"{part}.inter")).is_file()]
        whole = self._path(stem, "inter")
        if not parts and not whole.is_file():
            raise CatalogueError(f"there is no {whole.name}", given=self.root, todo="mend catalogue.name or catalogue.root")
        return [*parts] if parts else [(whole, None)]

    def _kinds(self, more: Mapping[str, "_Atomic"]) -> list[tuple[str, str]]:
        return [(kind, column) for kind, column in (("user", self.user), ("item", self.item)) if kind in more]

    def _declared(self, one: "_Atomic | None", kind: str, column: str) -> Table | None:
        if one is None:
            return None
        ids = one.ids(column, kind)
        texts = [one.written.columns[name] for name in one.types if name in self.texts and name != column]
        joint = [" ".join(word for word in words if word) or None for words in zip(*texts, strict=True)] if texts else None
        return one.written.items(ids, kind, np.array(joint, dtype=object) if joint else None)

    def _links(self, one: "_Atomic", split: str | None) -> Table:
        given = {"weight": self.rating, "time": self.time}
        columns = {key: one.written.columns[name] for key, name in given.items() if name in one.types}
        left = [name for name in one.types if name not in (self.user, self.item, *given.values())]
        if left:
            _log.info("%s: columns are left out: %s", one.path.name, ", ".join(left))
        ends = one.ids(self.user, "user"), one.ids(self.item, "item")
        return one.written.links(ends[0], "interacts", ends[1], split=split, **columns)

    def _knowledge(self, kg: "_Atomic", link: "_Atomic | None", items: Strings) -> tuple[Table, Table]:
        """Entities that are no items, and the facts."""
        ends = [kg.ids(column, "entity") for column in ("head_id", "tail_id")]
        if link is not None:
            of_items, entities = link.ids(self.item, "item"), link.ids("entity_id", "entity")
            there = pd.Index(of_items).isin(items)
            same = pd.Series(of_items[there], index=entities[there]).groupby(level=0, sort=False).first()
            ends = [pd.Series(end).map(same).fillna(pd.Series(end)).to_numpy(dtype=object) for end in ends]
        others = [Named(without(end, pd.Index(end).isin(items)), kg.path.name, kg.written.place) for end in ends]
        code, relations = pd.factorize(kg.column("relation_id"))
        plain = plain_names(relations.tolist(), "relations")
        names = np.array([*(plain[one] for one in relations), None], dtype=object)[code]
        return named_items("entity", others), kg.written.links(ends[0], names, ends[1])

    def _labels(self, one: "_Atomic", kind: str, column: str) -> Iterator[Table]:
        ids = one.ids(column, kind)
        for name in [name for name in one.types if name not in (column, *self.texts)]:
            if one.types[name] == "token":
                yield one.written.labels(ids, name, one.written.columns[name])
            elif one.types[name] == "token_seq":
                yield one.written.lists(ids, name, one.written.columns[name], self.separator)

    def _features(self, one: "_Atomic", kind: str, column: str, kept: Kept) -> Iterator[GivenFeatures]:
        ids, digest = one.ids(column, kind), sha256(one.path)
        single = [name for name, type_ in one.types.items() if type_ == "float"]
        if single:
            rows = np.flatnonzero(np.all([pd.notna(one.written.columns[name]) for name in single], axis=0))
            numbers = partial(one.numbers, single, rows)
            if len(rows):
                yield kept.given(kind, _NUMBERS, ids[rows].tolist(), f"{digest} {_NUMBERS}", numbers)
        for name in [name for name, type_ in one.types.items() if type_ == "float_seq"]:
            rows = np.flatnonzero(pd.notna(one.written.columns[name]))
            vectors = partial(one.sequences, name, rows, self.separator)
            if len(rows):
                yield kept.given(kind, name, ids[rows].tolist(), f"{digest} {name}", vectors)


@dataclass(frozen=True)
class _Atomic:
    """One file; types: name of a column -> one of _TYPES."""

    path: Path
    written: Written
    types: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> "_Atomic":
        types = dict[str, str]()
        for word in header_of(path, "\t"):
            name, _, type_ = word.partition(":")
            if not name or type_ not in _TYPES or name in types:
                wrong = f"{path.name}, line 1: a column needs a name of its own and a type"
                raise CatalogueError(wrong, given=repr(word), todo=f"write name:type, with one of {', '.join(_TYPES)}")
            types[name] = type_
        form = Form(tuple(types), 0, "\t", header=True, empty=tuple(types), what="rows")
        return cls(path, Written.of_lines(read_lines(path, form), tuple(types)), types)

    def column(self, name: str) -> Strings:
        if name not in self.types:
            given = ", ".join(self.types)
            todo = "name the columns of ids by catalogue.user and catalogue.item"
            raise CatalogueError(f"{self.path.name} lacks column {name!r}", given=given, todo=todo)
        return self.written.columns[name]

    def ids(self, column: str, kind: str) -> Strings:
        return prefixed(self.column(column), kind)

    def named(self, column: str, kind: str) -> Named:
        return Named(self.ids(column, kind), self.path.name, self.written.place)

    def numbers(self, names: Sequence[str], rows: Ints) -> Iterator[Floats]:
        """Of each column its distance from the mean, in standard deviations: float32 [rows, names], at once."""
        found = np.stack([self._floats(self.written.columns[name][rows], rows, name) for name in names], axis=1)
        spread = found.std(axis=0)
        yield ((found - found.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).astype(np.float32)

    def sequences(self, name: str, rows: Ints, separator: str) -> Iterator[Floats]:
        words, length = split_words(self.written.columns[name][rows], separator)
        odd = np.flatnonzero(length != length[:1].sum())
        if len(odd):
            wrong = f"{self.written.place(int(rows[odd[0]]))}, column {name!r}: {length[odd[0]]} numbers"
            raise CatalogueError(wrong, given=f"the first row has {length[0]}", todo="give all the same length")
        flat = self._floats(words, np.repeat(rows, length), name)
        yield flat.reshape(len(rows), -1).astype(np.float32)

    def _floats(self, words: Strings, rows: Ints, name: str) -> np.ndarray:
        found = pd.to_numeric(pd.Series(words, dtype=object), errors="coerce").to_numpy(np.float64)
        odd = np.flatnonzero(~np.isfinite(found))
        if len(odd):
            wrong = f"{self.written.place(int(rows[odd[0]]))}, column {name!r}: not a finite number"
            raise CatalogueError(wrong, given=repr(words[odd[0]]), todo="write a number, or leave the whole field empty")
        return found
