"""What ``mmgraph recommend`` and ``mmgraph similar`` do with a finished run."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmgraph.errors import RunError, SettingsError
from mmgraph.evaluate.contract import LinkMethod, LinkQuestion
from mmgraph.newcomer import served
from mmgraph.outputs.recommend import Wanted, positions, unit_vectors, write_recommendations, write_similar
from mmgraph.outputs.streamed import Format
from mmgraph.rerun import answer_of, reopen
from mmgraph.types import Relation

RECOMMEND = (
    "mmgraph recommend RUN [--user ID ... | --liked ID ...] [--top-k N] [--kind K] [--exclude-known] [--explain]"
    " [--relation SOURCE/NAME/TARGET] [--format parquet|csv|json] [--to FILE]"
)
SIMILAR = "mmgraph similar RUN [--item ID ...] [--kind K] [--top-k N] [--format parquet|csv|json] [--to FILE]"


def recommend(path: Path, given: Mapping[str, list[str]], top_k: int) -> list[str]:
    """Write what the run recommends; gives the lines to be said, the path last. Raises SettingsError and RunError, in one line."""
    to, form = destination(given)
    if "--user" in given and "--liked" in given:
        raise SettingsError(
            "--liked is for somebody who is no user of the run", given="--user as well", todo="give one of the two"
        )
    flags = {name: f"--{name.replace('_', '-')}" in given for name in ("exclude_known", "explain")}
    wanted = Wanted(tuple(given.get("--user", ())), top_k, format=form, to=to, **flags)
    opened = reopen(path)
    relation = _asked(opened.split.links, given)
    answer, said = answer_of(opened, relation), list[str]()
    if liked := tuple(given.get("--liked", ())):
        places = positions(opened.split.visible, relation.target, liked, "item")
        answer, silent = served(opened, answer, places)
        own = to or path / "predictions" / f"recommendations_liked.{form}"  # the file of the run's own users stays as it is
        wanted = replace(wanted, users=(str(answer.question.graph.ids[relation.source][-1]),), to=own)
        said += [f"{', '.join(silent)} cannot say anything of somebody new, and is left out"] if silent else []
    question, method = answer.question, answer.method if liked else up_to_now(answer.question, answer.method)
    near = unit_vectors({kind: rows.numpy() for kind, rows in opened.trained.embeddings.items()}, relation.target)
    file, users, rows = write_recommendations(question, method, near, wanted, path / "predictions")
    said.insert(0, f"{rows:,} {relation.target} for {users:,} {relation.source}, by {', '.join(method.pieces)}")
    asked = positions(question.graph, relation.source, wanted.users, "user")
    if without := int((~np.isin(asked, question.visible.source)).sum()):
        said.append(
            f"{without:,} of these {relation.source} have no {relation} that could be seen: what they get says nothing of them"
        )
    return [*said, str(file)]


def up_to_now(question: LinkQuestion, method: LinkMethod) -> LinkMethod:
    """The method, told of what was held out: who reads a user's links in order goes on from the newest of all that are known."""
    split = question.split
    return method.knowing(split.edges.take(np.concatenate((split.valid, split.test))))


def similar(path: Path, given: Mapping[str, list[str]], top_k: int) -> list[str]:
    """Write the items that are most alike; otherwise as ``recommend``."""
    to, form = destination(given)
    if top_k < 1:
        raise SettingsError("--top-k must be 1 at least", given=top_k)
    opened = reopen(path)
    rows = {kind: one.numpy() for kind, one in opened.trained.embeddings.items()}
    vectors = {kind: unit_vectors(rows, kind) for kind in rows}
    kind = given.get("--kind", [None])[0]
    items = given.get("--item", [])
    to = to or path / "predictions" / f"similar.{form}"
    file, count = write_similar(opened.split.visible, vectors, items, kind, top_k, to, form)
    return [f"{count:,} pairs by the cosine of embeddings", str(file)]


def destination(given: Mapping[str, list[str]]) -> tuple[Path | None, Format]:
    """The file that is asked for, and its format."""
    to = Path(given["--to"][0]) if "--to" in given else None
    form: Any = given.get("--format", [to.suffix[1:] if to and to.suffix else "parquet"])[0]
    Wanted(format=form, to=to)
    return to, form


def _asked(links: Mapping[Relation, Any], given: Mapping[str, list[str]]) -> Relation:
    """The relation that is meant: named, or the only one, or the only one to items of a kind."""
    name, kind = given.get("--relation", [None])[0], given.get("--kind", [None])[0]
    found = [one for one in links if name in (None, str(one)) and kind in (None, one.target)]
    if len(found) == 1:
        return found[0]
    wanted = " ".join(word for word in (name, kind) if word) or None
    wrong = "the run recommends along several relations" if found else "the run recommends nothing of the kind"
    raise RunError(wrong, given=wanted, todo=f"give --relation or --kind; there are: {', '.join(map(str, links)) or 'none'}")
