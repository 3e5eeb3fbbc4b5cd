"""What is exported is read back as it was, by our importers and by other programs; and what is said of bad wishes."""

import csv
import tempfile
from pathlib import Path

import networkx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from graph_made import FOLLOWS, made
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, LINK_COLUMNS
from mmgraph.catalogue.importers.graphml import GraphML
from mmgraph.catalogue.importers.neo4j import Neo4j
from mmgraph.catalogue.importers.tables import Tables
from mmgraph.catalogue.tables import made_table
from mmgraph.cli import main
from mmgraph.errors import RunError, SettingsError
from mmgraph.graph.heterograph import save
from mmgraph.outputs.embeddings import write_embeddings
from mmgraph.outputs.export.contents import of_catalogue, of_graph, of_run
from mmgraph.outputs.export.write import FORMATS, export
from mmgraph.outputs.labels import LABELS
from mmgraph.outputs.predictions import HELD_OUT, LINKS

IMPORTERS = {"parquet": Tables, "graphml": GraphML, "neo4j": Neo4j}
NAMES = st.text("abcXYZ019_.-é", min_size=1, max_size=4)
WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Co", "Cn"), exclude_characters="\u2028\u2029"), min_size=1, max_size=6
)
IDS = WORDS.filter(str.strip)
TEXTS = st.text("ab ,;\"\n\r\t<&>'\u00e9\U0001f600", min_size=1, max_size=8)
NUMBERS = st.floats(-1e6, 1e6)
SPLITS = st.sampled_from([None, "train", "valid", "test"])


@st.composite
def catalogues(draw):
    """Small ones, with everything that tables may hold but files."""
    ids = draw(st.lists(IDS, min_size=1, max_size=6, unique=True))
    kinds = draw(st.lists(NAMES.filter(lambda name: name != "segment"), min_size=1, max_size=3, unique_by=str.lower))
    count = len(ids)
    one = st.integers(0, count - 1)
    times = [
        sorted(draw(st.tuples(st.floats(0, 100), st.floats(0, 100)))) if draw(st.booleans()) else [None, None] for _ in ids
    ]
    items = {
        "id": ids,
        "kind": [draw(st.sampled_from(kinds)) for _ in ids],
        "text": [draw(st.none() | TEXTS) for _ in ids],
        "parent": [ids[draw(st.integers(0, i - 1))] if i and draw(st.booleans()) else None for i in range(count)],
        "start_s": [start for start, _ in times],
        "end_s": [end for _, end in times],
    }
    pairs = draw(st.lists(st.tuples(one, NAMES, one), max_size=6, unique=True))
    links = {
        "source": [ids[a] for a, _, _ in pairs],
        "relation": [name for _, name, _ in pairs],
        "target": [ids[b] for _, _, b in pairs],
        "time": [draw(st.none() | NUMBERS) for _ in pairs],
        "weight": [draw(NUMBERS) for _ in pairs],
        "split": [draw(SPLITS) for _ in pairs],
    }
    several = draw(st.booleans())
    values = WORDS.map(str.strip).filter(lambda value: value and ";" not in value)
    found = draw(st.lists(st.tuples(one, NAMES, values), max_size=6, unique_by=None if several else lambda row: row[:2]))
    found = list(dict.fromkeys(found))
    labels = {
        "id": [ids[a] for a, _, _ in found],
        "field": [name for _, name, _ in found],
        "value": [value for _, _, value in found],
        "split": [draw(SPLITS) for _ in found],
    }
    return checked(
        [_table(ITEM_COLUMNS, items)], _table(LINK_COLUMNS, links), _table(LABEL_COLUMNS, labels), root=Path("/nowhere")
    )


def _table(columns, given):
    count = len(next(iter(given.values())))
    arrays = {name: np.array([*values, None], dtype=object)[:-1] for name, values in given.items()}
    return made_table("made", columns, arrays, count)


def same(one, other):
    """Equal but for the order of rows; None and NaN are the same."""
    for name, key in (("items", ["id"]), ("links", ["source", "relation", "target"]), ("labels", ["id", "field", "value"])):
        first, second = (getattr(part, name).sort_values(key).reset_index(drop=True) for part in (one, other))
        pd.testing.assert_frame_equal(
            first.astype(object).where(first.notna(), None), second.astype(object).where(second.notna(), None)
        )


@pytest.mark.parametrize("to", FORMATS)
@given(catalogue=catalogues())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_what_is_exported_is_read_back(to, catalogue):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "out"
        before = catalogue.items.copy()
        export(of_catalogue(catalogue), to, root)
        same(IMPORTERS[to](root=root).read(), catalogue)
        pd.testing.assert_frame_equal(catalogue.items, before)
        assert not list(root.rglob("*.part"))


def test_every_importer_is_tried():
    assert set(IMPORTERS) == set(FORMATS)


@pytest.fixture
def run(tmp_path):
    """A finished run, as far as it is exported: a graph, splits, predicted links, embeddings."""
    graph, split = made(videos=4)
    folder = tmp_path / "run"
    save(graph, folder / "graph")
    held = split.links[FOLLOWS]
    rows = [(f"s{held.edges.source[i]}", str(FOLLOWS), f"s{held.edges.target[i]}", name)
            for name in ("valid", "test") for i in getattr(held, name)]  # fmt: skip
    table(folder, "held_out", HELD_OUT, rows)
    table(folder, "links", LINKS, [
        ("s0", str(FOLLOWS), "s7", 2.5, 0.75, 1, False, False), ("s0", str(FOLLOWS), "s1", 1.5, 0.5, 1, True, False),
        ("s3", str(FOLLOWS), "s9", 0.5, 0.25, 1, False, True),
    ])  # fmt: skip
    labelled = split.labels["segment.category"]
    of = {int(i): name for name in ("train", "valid", "test") for i in getattr(labelled, name)}
    table(folder, "labels", LABELS, [(f"s{i}", "category", "x", 0.5, False, of.get(i, "unused")) for i in range(20)])
    vectors = {"segment": np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)}
    write_embeddings(folder / "embeddings", graph.ids, vectors)
    return folder, graph, split, vectors["segment"]


def table(folder, name, schema, rows):
    columns = list(zip(*rows, strict=True))
    (folder / "predictions").mkdir(exist_ok=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    pyarrow.parquet.write_table(pa.table(arrays, schema=schema), folder / "predictions" / f"{name}.parquet")


def test_a_run_has_the_splits_that_it_used(run):
    folder, graph, split, _ = run
    contents = of_run(folder)
    assert contents.kinds == ["segment", "video"]
    edges, held = graph.edges[FOLLOWS], split.links[FOLLOWS]
    found = contents.links[contents.links["relation"] == "follows"].set_index("source")["split"].to_dict()
    for name in ("train", "valid", "test"):
        assert {source for source, one in found.items() if one == name} == {
            f"s{held.edges.source[i]}" for i in getattr(held, name)
        }
    assert len(found) == len(edges)
    assert contents.links.loc[contents.links["relation"] == "contains", "split"].isna().all()
    labels = contents.labels.set_index("id")["split"].to_dict()
    shown = split.labels["segment.category"]
    assert {f"s{i}" for i in shown.train} == {name for name, one in labels.items() if one == "train"}


def test_parents_and_labels_of_a_graph():
    graph, _ = made(videos=2)
    contents = of_graph(graph)
    assert contents.items["parent"].isna().all()  # of what kind the parents are, this graph does not say
    kinds = {"segment": np.full(10, "video", dtype=object)}
    contents = of_graph(type(graph)(**{**vars(graph), "parent_kind": kinds}))
    assert contents.items.set_index("id")["parent"].to_dict() == {
        **{f"s{i}": f"v{i // 5}" for i in range(10)}, "v0": None, "v1": None,
    }  # fmt: skip
    values = graph.labels["segment", "category"].values
    assert contents.labels["value"].tolist() == ["xyz"[i] for i in values]


def test_an_empty_graph():
    contents = of_graph(type(made(1)[0])({}, {}))
    assert [len(frame) for frame in (contents.items, contents.links, contents.labels)] == [0, 0, 0]


def test_parquet_with_predictions_and_embeddings(run, tmp_path, capsys):
    folder, graph, _, vectors = run
    words = ["export", folder, "--to", "parquet", "--out", tmp_path / "out", "--predictions", "--embeddings"]
    assert main([str(word) for word in words]) == 0
    names = ["items.parquet", "links.parquet", "labels.parquet", "predicted.parquet", "embeddings/segment.parquet"]
    assert capsys.readouterr().out.split() == [str(tmp_path / "out" / name) for name in names]
    assert pyarrow.parquet.read_table(tmp_path / "out" / "predicted.parquet").equals(
        pyarrow.parquet.read_table(folder / "predictions" / "links.parquet")
    )
    read = pyarrow.parquet.read_table(tmp_path / "out" / "embeddings" / "segment.parquet").to_pandas()
    assert read["id"].tolist() == graph.ids["segment"].tolist()
    np.testing.assert_array_equal(np.stack(read["vector"]), vectors)


def test_networkx_reads_the_graphml(run, tmp_path):
    folder, graph, _, _ = run
    (path,) = export(of_run(folder, predictions=True), "graphml", tmp_path / "out")
    read = networkx.read_graphml(path, force_multigraph=True)
    assert set(read.nodes) == {*graph.ids["segment"], *graph.ids["video"]}
    assert read.nodes["s3"]["kind"] == "segment"
    assert read.nodes["s3"]["label:category"] == "xyz"[graph.labels["segment", "category"].values[3]]
    edges = [(a, data["relation"], b) for a, b, data in read.edges(data=True)]
    assert len(edges) == sum(len(one) for one in graph.edges.values()) + 2
    predicted = {(a, b): data for a, b, data in read.edges(data=True) if data["relation"] == "predicted_follows"}
    assert {pair: (one["score"], one["probability"], one["rank"]) for pair, one in predicted.items()} == {
        ("s0", "s7"): (2.5, 0.75, 1), ("s3", "s9"): (0.5, 0.25, 1),
    }  # fmt: skip


def rows_of(path):
    return list(csv.reader(path.read_text().splitlines()))


def test_neo4j_with_predictions_and_embeddings(run, tmp_path):
    folder, graph, _, vectors = run
    export(of_run(folder, predictions=True, embeddings=True), "neo4j", tmp_path / "out")
    nodes = rows_of(tmp_path / "out" / "nodes.segment.csv")
    assert nodes[0] == ["id:ID", ":LABEL", "label.category:string", "split.category:string", "embedding:float[]"]
    assert nodes[1][:2] == ["s0", "segment"]
    predicted = rows_of(tmp_path / "out" / "predicted.csv")
    assert predicted == [
        [":START_ID", ":END_ID", ":TYPE", "score:double", "probability:double", "rank:int"],
        ["s0", "s7", "predicted_follows", "2.5", "0.75", "1"],
        ["s3", "s9", "predicted_follows", "0.5", "0.25", "1"],
    ]
    raw = (tmp_path / "out" / "links.csv").read_text().splitlines()
    assert raw[0] == '":START_ID",":END_ID",":TYPE","weight:double","time:double","split:string"'
    assert raw[-1].endswith(",1,,")  # what is not given is not there at all, rather than an empty text
    nodes = tmp_path / "out" / "nodes.segment.csv"
    nodes.write_text(nodes.read_text().replace('"segment"', '"piece"'))  # a segment needs times, which a run's graph has not
    catalogue = Neo4j(root=tmp_path / "out", cache=tmp_path / "cache").read()
    assert set(catalogue.links["relation"]) == {"follows", "contains", "predicted_follows"}
    (found,) = catalogue.features
    assert (found.kind, found.modality, list(found.ids)) == ("piece", "embedding", graph.ids["segment"].tolist())
    np.testing.assert_array_equal(np.load(found.path), vectors)


@pytest.mark.parametrize("to", FORMATS)
def test_no_predicted_links(run, tmp_path, to):
    folder = run[0]
    pyarrow.parquet.write_table(LINKS.empty_table(), folder / "predictions" / "links.parquet")
    export(of_run(folder, predictions=True), to, tmp_path / "out")
    if to == "neo4j":
        assert (tmp_path / "out" / "predicted.csv").read_text().startswith('":START_ID",":END_ID"')


def test_letters_that_xml_cannot_hold(tmp_path, caplog):
    items = made_table("made", ITEM_COLUMNS, {"id": np.array(["a"], object), "kind": "text", "text": "one\x0btwo"}, 1)
    export(of_catalogue(checked([items], None, None, root=tmp_path)), "graphml", tmp_path / "out")
    assert GraphML(root=tmp_path / "out").read().items["text"].tolist() == ["one\ufffdtwo"]
    assert "1 texts hold letters that XML cannot" in caplog.text


def test_values_that_neo4j_cannot_tell_apart(tmp_path):
    items = made_table("made", ITEM_COLUMNS, {"id": np.array(["a"], object), "kind": "text"}, 1)
    values = np.array(["x;y", "z"], object)
    labels = made_table("made", LABEL_COLUMNS, {"id": "a", "field": "mood", "value": values}, 2)
    with pytest.raises(
        RunError, match=r"items have several values of 'mood', one of which holds ';'.*; given: x;y; export to"
    ):
        export(of_catalogue(checked([items], None, labels, root=tmp_path)), "neo4j", tmp_path / "out")


def test_what_is_said_of_bad_wishes(run, tmp_path):
    folder = run[0]
    with pytest.raises(SettingsError, match=r"no such format to export to; given: gexf; one of parquet, graphml, neo4j"):
        export(of_run(folder), "gexf", tmp_path / "out")
    with pytest.raises(RunError, match=r"the folder to export to is not empty; .*choose another one by --out"):
        export(of_run(folder), "parquet", folder)
    with pytest.raises(RunError, match=r"there is no graph of a run; .*give the run folder"):
        of_run(tmp_path)
    with pytest.raises(SettingsError, match=r"GraphML has no lists of numbers; given: --embeddings; export to parquet"):
        export(of_run(folder, embeddings=True), "graphml", tmp_path / "out")
    (folder / "predictions" / "links.parquet").unlink()
    with pytest.raises(RunError, match=r"the run has no predicted links; "):
        of_run(folder, predictions=True)
    for path in (folder / "embeddings").iterdir():
        path.unlink()
    with pytest.raises(RunError, match=r"the run has no embeddings; "):
        of_run(folder, embeddings=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "export needs one run folder; given: none; mmgraph export RUN"),
        (("run",), "export needs --to; mmgraph export RUN --to parquet|graphml|neo4j"),
        (("run", "--to", "parquet"), "export needs --out"),
        (("run", "--to", "parquet", "--out", "x", "--all"), "no such argument; given: --all"),
    ],
)
def test_what_the_command_says(words, message, capsys):
    assert main(["export", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("to", FORMATS)
def test_a_full_disk_leaves_nothing(run, tmp_path, to, full_disk):
    contents = of_run(run[0])
    with pytest.raises(RunError, match="cannot write"):
        export(contents, to, tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
