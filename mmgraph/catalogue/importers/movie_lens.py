"""MovieLens: ratings of movies, in the layouts of its releases."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import Catalogue, Importer
from mmgraph.catalogue.lines import Form, read_lines
from mmgraph.catalogue.sheets import Sheet
from mmgraph.catalogue.tables import Table, joined
from mmgraph.catalogue.written import Named, Written, named_items, without
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256
from mmgraph.types import Strings

_RATINGS = {"u.data": "100K", "ratings.dat": "1M", "ratings.csv": "25M"}
_RATING = ("user", "movie", "rating", "time")
_SHEETS = {  # what the columns of the CSV layout are called here
    "ratings.csv": ("userId", "movieId", "rating", "timestamp"),
    "movies.csv": ("movieId", "title", "genres"),
    "tags.csv": ("userId", "movieId", "tag", "timestamp"),
}
_DATED = ("movie", "title", "released", "released on video", "address")
_NO_GENRE = "(no genres listed)"


@dataclass(frozen=True, kw_only=True)
class MovieLens(Importer):
    """The folder of a release of https://grouplens.org/datasets/movielens (Harper & Konstan 2015, The MovieLens Datasets).

    The files tell the layout: ``u.data`` that of 100K, ``ratings.dat`` that of 1M and 10M, ``ratings.csv`` that of 20M, 25M and those for
    education. Items: ``user/<id>``; ``movie/<id>`` with its title as text; ``tag/<words>`` where there are tags. Links:
    user/rated/movie, whose weight is the rating, and movie/tagged/tag, whose weight is a number of users; both have times. Labels:
    ``genre`` of movies, and of users what the release tells (``age``, ``gender``, ``occupation``, as it writes them). Of two ratings of
    one movie by one user the newer stays.

    fold: of 100K alone, ``1`` to ``5``, ``a`` or ``b``: the ratings of ``u<fold>.base`` and ``.test``, as a split that is given.
    """

    root: Path
    fold: Literal["1", "2", "3", "4", "5", "a", "b"] | None = None

    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names the file and line."""
        ratings, movies, users, tags = self._parts()
        links = [*(_rated(one, split) for one, split in ratings), *([_tagged(tags)] if tags else [])]
        named = [Named(one.ids("user", "user"), one.name, one.place) for one, _ in ratings]
        items = [movies.items(movies.ids("movie", "movie"), "movie", movies.columns["title"])]
        if users is None:
            items.append(named_items("user", named))
        else:
            items.append(users.items(users.ids("user", "user"), "user"))
        if tags is not None:
            items.append(named_items("tag", [Named(tags.ids("tag", "tag"), tags.name, tags.place)], text=True))
        return checked(
            items,
            joined("ratings", links),
            joined("labels", [*_genres(movies), *(_of_users(users) if users else [])]),
            root=self.root,
            sources={name: sha256(self.root / name) for name in sorted(self._files())},
            repeated="last",
        )

    def _layout(self) -> str:
        found = [layout for name, layout in _RATINGS.items() if (self.root / name).is_file()]
        if len(found) != 1:
            wrong = "ratings of several layouts" if found else f"no file of ratings ({', '.join(_RATINGS)})"
            todo = "give the folder of one release by catalogue.root"
            raise CatalogueError(f"there are {wrong}" if found else f"there is {wrong}", given=self.root, todo=todo)
        if self.fold is not None and found[0] != "100K":
            raise CatalogueError("catalogue.fold is of the 100K release alone", given=self.fold, todo="leave it out")
        return found[0]

    def _files(self) -> list[str]:
        """Names of the files that are read."""
        folds = [f"u{self.fold}.base", f"u{self.fold}.test"] if self.fold else ["u.data"]
        known = {
            "100K": (*folds, "u.item", "u.genre", "u.user"),
            "1M": ("ratings.dat", "movies.dat", "users.dat", "tags.dat"),
            "25M": tuple(_SHEETS),
        }[self._layout()]
        return [name for name in known if (self.root / name).is_file()]

    def _parts(self) -> tuple[list[tuple[Written, str | None]], Written, Written | None, Written | None]:
        """Ratings with their split, movies, users and tags."""
        layout, files = self._layout(), self._files()
        if layout == "100K":
            item = ("user", "age", "gender", "occupation", "zip")
            users = self._lines("u.user", item, "|") if "u.user" in files else None
            return self._folds(), self._lines("u.item", (*_DATED, *self._flags()), "|"), users, None
        if layout == "1M":
            users = (
                self._lines("users.dat", ("user", "gender", "age", "occupation", "zip"), "::")
                if "users.dat" in files
                else None
            )
            tags = self._lines("tags.dat", ("user", "movie", "tag", "time"), "::") if "tags.dat" in files else None
            movies = self._lines("movies.dat", ("movie", "title", "genres"), "::")
            return [(self._lines("ratings.dat", _RATING, "::"), None)], movies, users, tags
        tags = self._sheet("tags.csv", ("user", "movie", "tag", "time")) if "tags.csv" in files else None
        return (
            [(self._sheet("ratings.csv", _RATING), None)],
            self._sheet("movies.csv", ("movie", "title", "genres")),
            None,
            tags,
        )

    def _folds(self) -> list[tuple[Written, str | None]]:
        if self.fold is None:
            return [(self._lines("u.data", _RATING, "\t"), None)]
        base, test = f"u{self.fold}.base", f"u{self.fold}.test"
        return [(self._lines(base, _RATING, "\t"), "train"), (self._lines(test, _RATING, "\t"), "test")]

    def _flags(self) -> tuple[str, ...]:
        """Names of the columns of u.item that say which genres a movie has."""
        return tuple(self._lines("u.genre", ("genre", "number"), "|").columns["genre"])

    def _lines(self, name: str, fields: Sequence[str], separator: str) -> Written:
        path = self.root / name
        what = name.split(".")[-1] if name.startswith("u.") else name.split(".")[0]
        form = Form(tuple(fields), 0, separator, empty=tuple(fields[1:]), encoding=_encoding(path), what=what)
        return Written.of_lines(read_lines(path, form), fields)

    def _sheet(self, name: str, fields: Sequence[str]) -> Written:
        sheet = Sheet(self.root / name)
        lacking = [one for one in _SHEETS[name] if one not in sheet.names]
        if lacking:
            todo = f"columns: {', '.join(_SHEETS[name])}"
            raise CatalogueError(f"{name} lacks column {lacking[0]!r}", given=", ".join(sheet.names), todo=todo)
        read = Written.of_sheet(sheet, _SHEETS[name])
        return Written(dict(zip(fields, read.columns.values(), strict=True)), read.count, read.name, read.place)


def _encoding(path: Path) -> str:
    """The older releases are Latin-1, the 10M one is UTF-8; ratings are numbers."""
    if path.name in ("ratings.dat", "u.data"):
        return "utf8"
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError:
        return "latin-1"
    except OSError as error:
        raise CatalogueError(f"{path.name} cannot be read", given=error, todo="give the whole folder of the release") from None
    return "utf8"


def _rated(one: Written, split: str | None) -> Table:
    rating, place = one.columns["rating"], one.place
    lacking = np.flatnonzero(rating == None)  # noqa: E711 - element by element
    if len(lacking):
        raise CatalogueError(f"{place(int(lacking[0]))}: there is no rating", todo="fill it in, or take out the line")
    ids = one.ids("user", "user"), one.ids("movie", "movie")
    return one.links(ids[0], "rated", ids[1], weight=rating, time=one.columns["time"], split=split)


def _tagged(tags: Written) -> Table:
    """One link a movie and tag: its weight says how many users gave it, once or more, its time when the first did."""
    time = pd.to_numeric(pd.Series(tags.columns["time"]), errors="coerce").to_numpy(np.float64)
    order = np.argsort(np.where(np.isnan(time), -np.inf, time), kind="stable")  # what is no number comes first, and is refused
    given = pd.MultiIndex.from_arrays([tags.columns[name][order] for name in ("movie", "tag", "user")])
    order = order[~given.duplicated()]
    pair = pd.MultiIndex.from_arrays([tags.ids("movie", "movie")[order], tags.ids("tag", "tag")[order]])
    codes, _ = pd.factorize(pair)
    first = order[np.unique(codes, return_index=True)[1]]
    kept = tags.take(first[pd.notna(tags.columns["tag"][first])])
    count = np.bincount(codes)[pd.notna(tags.columns["tag"][first])]
    return kept.links(kept.ids("movie", "movie"), "tagged", kept.ids("tag", "tag"), weight=count, time=kept.columns["time"])


def _genres(movies: Written) -> list[Table]:
    ids = movies.ids("movie", "movie")
    if "genres" in movies.columns:
        written = movies.columns["genres"]
        return [movies.lists(ids, "genre", without(written, written == _NO_GENRE), "|")]
    found = []
    for name in [one for one in movies.columns if one not in _DATED]:
        flag = movies.columns[name]
        odd = np.flatnonzero((flag != "0") & (flag != "1"))
        if len(odd):
            wrong = f"{movies.place(int(odd[0]))}, column {name!r}: neither 0 nor 1"
            raise CatalogueError(wrong, given=repr(flag[odd[0]]), todo="write 1 where the movie is of the genre")
        found.append(movies.labels(ids, "genre", without(np.full(len(flag), name, object), flag != "1")))
    return found


def _of_users(users: Written) -> list[Table]:
    ids: Strings = users.ids("user", "user")
    return [users.labels(ids, field, users.columns[field]) for field in ("age", "gender", "occupation")]
