"""What is exported: the tables of a catalogue, a graph or a run, perhaps with predicted links and embeddings."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from mmgraph.catalogue.contract import Catalogue, items_frame, labels_frame, links_frame
from mmgraph.errors import RunError
from mmgraph.graph.contract import Edges, Graph
from mmgraph.graph.heterograph import load
from mmgraph.outputs.embeddings import read_embeddings
from mmgraph.outputs.reading import read_table
from mmgraph.runs import RunFolder
from mmgraph.types import Floats, Relation, Strings

_SPLITS = np.array(["train", "valid", "test", None], dtype=object)  # -1 is the last


@dataclass(frozen=True)
class Contents:
    """items, links, labels: as in a ``Catalogue``. predicted: rows of predictions/links, some at a time; None where not asked for.
    embeddings: kind -> its ids, and their vectors float32 [ids, width].
    """

    items: pd.DataFrame
    links: pd.DataFrame
    labels: pd.DataFrame
    predicted: Callable[[], Iterator[pa.RecordBatch]] | None = None
    embeddings: Mapping[str, tuple[list[str], Floats]] = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """In order of first appearance."""
        return self.items["kind"].unique().tolist()


def of_catalogue(catalogue: Catalogue) -> Contents:
    """All that the tables of a catalogue hold."""
    return Contents(catalogue.items, catalogue.links, catalogue.labels)


def of_graph(graph: Graph) -> Contents:
    """Ids, kinds, parents, links and labels of a graph; it holds no paths, texts and times of items."""
    parts = [pd.DataFrame({"id": ids, "kind": kind, "parent": _parents(graph, kind)}) for kind, ids in graph.ids.items()]
    items = pd.concat([items_frame([]), *parts], ignore_index=True) if parts else items_frame([])
    links = [_links(graph, edges) for edges in graph.edges.values() if len(edges)]
    labels = []
    for one in graph.labels.values():
        rows, classes = np.nonzero(one.has(np.arange(len(one.values))))
        split = _SPLITS[one.split[rows]] if one.split is not None else None
        values = np.array([*one.classes, None], dtype=object)[classes]
        labels.append(pd.DataFrame({"id": graph.ids[one.kind][rows], "field": one.field, "value": values, "split": split}))
    return Contents(
        _objects(items, ("id", "kind", "path", "text", "parent")),
        _objects(pd.concat(links, ignore_index=True) if links else links_frame([]), ("split",)),
        _objects(pd.concat(labels, ignore_index=True) if labels else labels_frame([]), ("split",)),
    )


def of_run(path: Path, *, predictions: bool = False, embeddings: bool = False) -> Contents:
    """The graph of a run with the splits that it used; raises RunError where what is asked for is not there."""
    run = RunFolder(path)
    if not run.graph.is_dir():
        raise RunError("there is no graph of a run", given=path, todo="give the run folder of a `mmgraph fit`")
    graph = load(run.graph)
    contents = of_graph(graph)
    contents = replace(contents, links=_as_split(contents, run), labels=_as_labelled(contents, run))
    if predictions:
        contents = replace(contents, predicted=_predicted(run.predictions))
    if embeddings:
        found = {
            kind: read_embeddings(run.embeddings, kind) for kind in graph.ids if (run.embeddings / f"{kind}.npy").exists()
        }
        if not found:
            raise RunError("the run has no embeddings", given=run.embeddings, todo="let `mmgraph fit` end, or leave them out")
        contents = replace(contents, embeddings=found)
    return contents


def _objects(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """None where nothing is given, as in a catalogue."""
    return frame.assign(**{name: frame[name].astype(object).where(frame[name].notna(), None) for name in columns})


def _parents(graph: Graph, kind: str) -> Strings:
    found = np.full(graph.count(kind), None, dtype=object)
    if kind not in graph.parent or kind not in graph.parent_kind:
        return found
    for other in np.unique(graph.parent_kind[kind].astype(str)):
        rows = (graph.parent_kind[kind] == other) & (graph.parent[kind] >= 0)
        if other:
            found[rows] = graph.ids[other][graph.parent[kind][rows]]
    return found


def _links(graph: Graph, edges: Edges) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "source": graph.ids[edges.relation.source][edges.source],
        "relation": edges.relation.name,
        "target": graph.ids[edges.relation.target][edges.target],
        "time": np.nan if edges.time is None else edges.time,
        "weight": 1.0 if edges.weight is None else edges.weight.astype(np.float64),
        "split": None if edges.split is None else _SPLITS[edges.split],
    }
    return pd.DataFrame(columns)


def _as_split(contents: Contents, run: RunFolder) -> pd.DataFrame:
    """Links with the split that the run gave them; of relations that it held nothing out of, as the tables said."""
    held = read_table(run.predictions, "held_out", {})
    links = contents.links
    if held is None or not len(held):
        return links
    frame = held.to_pandas()
    relations = {name: Relation.parse(name) for name in frame["relation"].unique()}
    kind = pd.Series(contents.items["kind"].to_numpy(), index=contents.items["id"].to_numpy())
    whole = kind.reindex(links["source"]).to_numpy() + "/" + links["relation"] + "/" + kind.reindex(links["target"]).to_numpy()
    key = ["source", "relation", "target"]
    split = frame.set_index(key)["split"]
    found = split.reindex(pd.MultiIndex.from_frame(links.assign(relation=whole)[key])).to_numpy(dtype=object)
    known = whole.isin(list(relations)).to_numpy()
    chosen = np.where(known, np.where(pd.isna(found), "train", found), links["split"])
    return _objects(links.assign(split=chosen), ("split",))


def _as_labelled(contents: Contents, run: RunFolder) -> pd.DataFrame:
    said = read_table(run.predictions, "labels", {"split": ["train", "valid", "test"]}, ("id", "field", "split"))
    labels = contents.labels
    if said is None or not len(said):
        return labels
    split = said.to_pandas().drop_duplicates(["id", "field"]).set_index(["id", "field"])["split"]
    found = split.reindex(pd.MultiIndex.from_frame(labels[["id", "field"]])).to_numpy(dtype=object)
    return _objects(labels.assign(split=np.where(pd.isna(found), labels["split"], found)), ("split",))


def _predicted(folder: Path) -> Callable[[], Iterator[pa.RecordBatch]]:
    parquet, comma = folder / "links.parquet", folder / "links.csv"
    if parquet.exists():
        return lambda: pyarrow.parquet.ParquetFile(parquet).iter_batches()
    if comma.exists():
        types: Any = dict.fromkeys(("source", "relation", "target"), pa.string())
        options = pyarrow.csv.ConvertOptions(column_types=types)
        return lambda: iter(pyarrow.csv.open_csv(comma, convert_options=options))
    raise RunError("the run has no predicted links", given=folder, todo="let `mmgraph fit` end, or leave out --predictions")


def unknown_links(contents: Contents) -> Iterator[pa.Table]:
    """Predicted links that are not known ones: source, target, relation (its name, after ``predicted_``), score, probability, rank."""
    for batch in contents.predicted() if contents.predicted is not None else ():
        table = pa.Table.from_batches([batch])
        table = table.filter(pa.compute.invert(table["known"]))
        names = pa.compute.list_element(pa.compute.split_pattern(table["relation"], pattern="/"), 1)
        named = pa.compute.binary_join_element_wise(pa.scalar("predicted"), names, "_")
        columns = [table["source"], table["target"], named, *(table[name] for name in ("score", "probability", "rank"))]
        yield pa.table(columns, names=["source", "target", "relation", "score", "probability", "rank"])
