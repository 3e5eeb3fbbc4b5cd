"""report/clusters.html: clusters with their names and most central media, and a map of the embedding that answers a pointer."""

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image

from mmgraph.catalogue.contract import Catalogue
from mmgraph.evaluate.clusters import Cluster, Outcome
from mmgraph.files import write_text
from mmgraph.media.decode import decode
from mmgraph.outputs import embedding_map
from mmgraph.outputs.clusters import METRICS, said
from mmgraph.outputs.embedding_map import Map
from mmgraph.outputs.examples import evenly
from mmgraph.outputs.previews import Decode, Previews
from mmgraph.outputs.report import environment
from mmgraph.runs import RunFolder
from mmgraph.settings import MediaSettings
from mmgraph.types import Strings

COLOURS = 12  # of clusters on the map; more of them take the same ones again
PICTURES = 240  # items of the map that have a small picture or an excerpt; the others have id and cluster
SMALL_PX = 84
SHOWN = 24  # clusters whose central media are shown
_EXCERPT = 120


@dataclass(frozen=True)
class Point:
    """One item on the map: where, its id, the number of its cluster from 1 (0 none), and what is shown where it is pointed at."""

    x: float
    y: float
    id: str
    cluster: int
    colour: str
    text: str = ""
    picture: str = ""


@dataclass(frozen=True)
class Sign:
    """The number of a cluster, at the middle of its items on the map."""

    x: float
    y: float
    number: int


def write_cluster_page(
    run: RunFolder, one: Outcome, drawn: Map, ids: Strings, catalogue: Catalogue, media: MediaSettings, decode: Decode = decode
) -> Path:
    """Decode what is shown, write the page and give its path. Raises RunError where the disk is full."""
    shown = one.clusters[:SHOWN]
    central = [str(ids[i]) for c in shown for i in c.central]
    previews = Previews(catalogue, media, decode).of(central)
    pictured = [str(ids[i]) for i in evenly(drawn.rows.tolist(), PICTURES)]
    small = Previews(catalogue, media, decode).of(pictured)
    script = resources.files("mmgraph.outputs").joinpath("templates", "map.js").read_text(encoding="utf-8")
    page = environment().get_template("clusters.html.j2")
    text = page.render(
        name=run.path.resolve().name,
        one=one,
        said=said(one),
        shown=[(c, [str(ids[i]) for i in c.central]) for c in shown],
        previews=previews,
        points=list(_points(one, drawn, ids, {key: _told(p.picture, p.text) for key, p in small.items()})),
        signs=list(_signs(one.clusters, one, drawn)),
        map=embedding_map,
        metrics=METRICS,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    write_text(run.cluster_page, text)
    return Path(run.cluster_page)


def _points(one: Outcome, drawn: Map, ids: Strings, told: Mapping[str, tuple[str, str]]) -> Iterator[Point]:
    for row, x, y in zip(drawn.rows, drawn.x, drawn.y, strict=True):
        key, cluster = str(ids[row]), int(one.found.of[row])
        picture, text = told.get(key, ("", ""))
        colour = f"k{cluster % COLOURS}" if cluster >= 0 else "none"
        yield Point(*embedding_map.at(x, y), key, cluster + 1, colour, text, picture)


def _signs(clusters: Sequence[Cluster], one: Outcome, drawn: Map) -> Iterator[Sign]:
    of = one.found.of[drawn.rows]
    for cluster in clusters:
        inside = of == cluster.number
        if inside.any():
            yield Sign(*embedding_map.at(np.median(drawn.x[inside]), np.median(drawn.y[inside])), cluster.number + 1)


def _told(picture: str | None, text: str | None) -> tuple[str, str]:
    """A picture small enough that hundreds fit into a page, and the beginning of a text."""
    words = text or ""
    return _shrunk(picture) if picture else "", words if len(words) <= _EXCERPT else words[:_EXCERPT].rsplit(" ", 1)[0] + " …"


def _shrunk(picture: str) -> str:
    image = Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2])))
    image.thumbnail((SMALL_PX, SMALL_PX))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
