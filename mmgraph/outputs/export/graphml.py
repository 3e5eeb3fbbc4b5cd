"""GraphML: one file that networkx, Gephi and the importer GraphML read."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pandas as pd

from mmgraph.errors import SettingsError
from mmgraph.files import whole
from mmgraph.outputs.export.contents import Contents, unknown_links

_log = logging.getLogger(__name__)
_NODE = {"kind": "string", "path": "string", "text": "string", "parent": "string", "start_s": "double", "end_s": "double"}
_EDGE = {"relation": "string", "weight": "double", "time": "double", "split": "string"}
_PREDICTED = {"score": "double", "probability": "double", "rank": "int"}
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 has no way to write
_LOST = "\ufffd"
LABEL, SPLIT = "label:", "split:"


def write_graphml(contents: Contents, folder: Path) -> list[Path]:
    """``graph.graphml``; a predicted link is an edge ``predicted_<name>``. A letter that XML cannot hold becomes U+FFFD.

    Raises SettingsError for embeddings, which GraphML has no type for.
    """
    if contents.embeddings:
        raise SettingsError("GraphML has no lists of numbers", given="--embeddings", todo="export to parquet or neo4j")
    path = folder / "graph.graphml"
    fields = contents.labels["field"].unique().tolist()
    split = set(contents.labels.loc[contents.labels["split"].notna(), "field"])
    node = {**_NODE, **{LABEL + one: "string" for one in fields}, **{SPLIT + one: "string" for one in fields if one in split}}
    edge = _EDGE | (_PREDICTED if contents.predicted is not None else {})
    lost = contents.items["text"].dropna().str.contains(_NO_XML).sum() if len(contents.items) else 0
    if lost:
        _log.warning("%d texts hold letters that XML cannot: they become U+FFFD", lost)
    keys = {
        **{("node", name): f"n{i}" for i, name in enumerate(node)},
        **{("edge", name): f"e{i}" for i, name in enumerate(edge)},
    }
    with whole(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n')
        for (target, name), key in keys.items():
            kind = (node if target == "node" else edge)[name]
            file.write(f'<key id="{key}" for="{target}" attr.name={_quoted(name)} attr.type="{kind}"/>\n')
        file.write('<graph edgedefault="directed">\n')
        file.writelines(_nodes(contents, keys, split))
        file.writelines(_edges(contents.links, list(_EDGE), keys))
        for table in unknown_links(contents):
            file.writelines(_edges(table.to_pandas(), ["relation", *_PREDICTED], keys))
        file.write("</graph>\n</graphml>\n")
    return [path]


Keys = Mapping[tuple[str, str], str]


def _nodes(contents: Contents, keys: Keys, split: set[str]) -> Iterator[str]:
    said: dict[str, list[str]] = {}
    for name, field, value, part in contents.labels[["id", "field", "value", "split"]].itertuples(index=False):
        found = said.setdefault(name, [])
        found.append(_data(keys["node", LABEL + field], value))
        if field in split:
            found.append(_data(keys["node", SPLIT + field], part or ""))
    columns = [contents.items[name] for name in _NODE]
    of = [keys["node", name] for name in _NODE]
    for name, *values in zip(contents.items["id"], *columns, strict=True):
        yield f"<node id={_quoted(name)}>{_row(of, values)}{''.join(said.get(name, ()))}</node>\n"


def _edges(frame: pd.DataFrame, names: Sequence[str], keys: Keys) -> Iterator[str]:
    of = [keys["edge", name] for name in names]
    for source, target, *values in zip(frame["source"], frame["target"], *(frame[name] for name in names), strict=True):
        yield f"<edge source={_quoted(source)} target={_quoted(target)}>{_row(of, values)}</edge>\n"


def _row(keys: Sequence[str], values: Sequence[object]) -> str:
    return "".join(_data(key, value) for key, value in zip(keys, values, strict=True) if value is not None and value == value)


def _data(key: str, value: object) -> str:
    text = escape(_NO_XML.sub(_LOST, str(value)), {"\r": "&#13;"})
    return f'<data key="{key}">{text}</data>'


def _quoted(text: str) -> str:
    return quoteattr(_NO_XML.sub(_LOST, text))
