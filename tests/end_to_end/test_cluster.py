"""`mmgraph cluster` on the run of a small folder of tables."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from runs_made import Asked, half_written

from mmgraph.catalogue.importers.folder import Folder
from mmgraph.cli import main
from mmgraph.clusters import texts_of
from mmgraph.settings import MediaSettings


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = Asked(tmp_path_factory.mktemp("cluster"))
    assert made("--encoders.text", "[hashed_ngrams]", "--evaluate.baselines", "[majority]", "--outputs.examples", 1)[0] == 0
    return made.run


def called(capsys, *words):
    capsys.readouterr()
    status = main(["cluster", *map(str, words)])
    return (status, *capsys.readouterr())


def test_tables_page_and_report_are_written_and_say_the_same(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    status, out, err = called(capsys, run, "--clusters", 3, "--seeds", 2)
    assert status == 0, err
    assert "3 clusters of 36 items of kind text by kmeans; their number was given" in out
    assert out.splitlines()[-3:] == [
        str(run / path) for path in ("predictions/clusters.parquet", "predictions/clusters.csv", "report/clusters.html")
    ]
    table = pd.read_parquet(run / "predictions" / "clusters.parquet")
    pd.testing.assert_frame_equal(table, pd.read_csv(run / "predictions" / "clusters.csv"), check_dtype=False, rtol=1e-5)
    assert table["id"].tolist() == [f"t{i}" for i in range(36)]
    assert set(table["cluster"]) == {1, 2, 3}
    said = json.loads((run / "predictions" / "clusters.json").read_text())
    assert [one["size"] for one in said["clusters"]] == table["cluster"].value_counts().sort_index().tolist()
    for one in said["clusters"]:
        rows = table[table["cluster"] == one["cluster"]].sort_values("central_rank")
        assert rows["id"].tolist()[:6] == one["central"]
        assert rows["cosine"].is_monotonic_decreasing
        assert set(rows["name"]) == {one["name"]}
        assert {word["word"] for word in one["words"]} <= {"sea", "wood", "town", "number"}
    assert {(m["method"], m["metric"]) for m in said["measured"]} == {
        (method, metric)
        for method in ("kmeans", "kmeans on features", "shuffled", "majority")
        for metric in ("nmi", "ari", "accuracy")
    }
    assert all(m["field"] == "topic" and m["n"] == 18 for m in said["measured"])
    page = (run / "report" / "clusters.html").read_text()
    assert page.count("<circle") == 36
    assert all(one["name"] in page for one in said["clusters"])
    assert 'href="clusters.html"' in (run / "report" / "index.html").read_text()
    assert not half_written(run)
    again = {path: path.read_bytes() for path in (run / "predictions").glob("clusters.*")}
    assert called(capsys, run, "--clusters", 3, "--seeds", 2)[0] == 0
    assert {path: path.read_bytes() for path in (run / "predictions").glob("clusters.*")} == again


def test_another_kind_and_method(run, capsys):
    status, out, err = called(capsys, run, "--kind", "user", "--method", "hdbscan", "--seeds", "1")
    assert status == 0, err
    assert "0 clusters of 5 items of kind user by hdbscan, 5 items in none" in out
    table = pd.read_csv(run / "predictions" / "clusters.csv")
    assert table["cluster"].isna().all()
    assert len(table) == 5


@pytest.mark.parametrize("task", ["masked", "bootstrap"])
def test_a_run_that_asks_nothing_is_fitted_and_clustered(tmp_path, capsys, task):
    made = Asked(tmp_path, capsys)
    settings = yaml.safe_load(made.config.read_text()) | {"tasks": [task], "outputs": {"report": False}}
    made.config.write_text(yaml.safe_dump(settings))
    status, _, err = made("--encoders.text", "[hashed_ngrams]")
    assert status == 0, err
    assert json.loads((made.run / "metrics.json").read_text()) == []
    status, _, err = called(capsys, made.run, "--seeds", "2")
    assert status == 0, err
    said = json.loads((made.run / "predictions" / "clusters.json").read_text())
    assert {m["n"] for m in said["measured"]} == {34}  # no label was seen by anything
    assert len(said["tried"]) > 1
    assert not (made.run / "report").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "cluster needs one run folder; given: none"),
        (("RUN", "--kind", "usr"), "the run has no such kind, or one item of it; given: usr; there are: text, user"),
        (("RUN", "--clusters", "many"), "--clusters needs a number; given: many"),
        (("RUN", "--clusters", "0"), "there cannot be so many clusters; given: 0; give 1 to 36"),
        (("RUN", "--seeds", "0"), "--seeds needs at least one; given: 0"),
        (("RUN", "--method", "kmean"), "no clustering of this name; given: kmean; did you mean kmeans?"),
        (("RUN", "--method", "louvain", "--clusters", "3"), "louvain finds the number of clusters itself; given: 3"),
    ],
)
def test_what_cannot_be_asked_is_one_line(run, capsys, words, said):
    status, _, err = called(capsys, *(run if word == "RUN" else word for word in words))
    assert status == 2
    assert said in err
    assert err.count("\n") == 1


def test_texts_are_those_of_the_table_and_of_files(tmp_path):
    (tmp_path / "walk.txt").write_text("A walk by the sea")
    (tmp_path / "broken.txt").write_bytes(b"\x00\x01\x02\xff" * 40)
    (tmp_path / "items.csv").write_text("id,kind,text,path\nnote,text,A note,\nann,user,,\n")
    catalogue = Folder(root=tmp_path).read()
    ids = {"text": ["note", "walk.txt", "broken.txt"], "user": ["ann"]}
    texts = texts_of(catalogue, MediaSettings(), SimpleNamespace(ids=ids))
    assert texts == {"text": ["A note", "A walk by the sea", None], "user": [None]}


def named(capsys, tmp_path, run, text):
    (tmp_path / "names.yaml").write_text(text)
    capsys.readouterr()
    status = main(["names", str(run), str(tmp_path / "names.yaml")])
    return (status, *capsys.readouterr())


def test_names_alone_find_their_items_and_are_measured(run, capsys, tmp_path):
    text = "field: topic\nkind: text\nnames: {x: sea, y: [wood, a wood], z: town}\n"
    status, out, err = named(capsys, tmp_path, run, text)
    assert status == 0, err
    table = pd.read_csv(run / "predictions" / "names.csv")
    assert table["id"].tolist() == [f"t{i}" for i in range(36)]
    truth = ["xyz"[i % 3] for i in range(36)]
    assert (table["value_alone"] == truth).mean() > 0.9
    assert table["probability"].between(1 / 3 - 1e-6, 1).all()
    assert "n = 18" in out  # labels that no training saw
    assert "commonest class" in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "names: {x: sea, y: '  '}",
            "the encoder hashed_ngrams cannot read a category name; given: y: ' '",
        ),  # a line has single blanks
        ("names: {x: sea, y: sea}", "two category names are one to the encoder hashed_ngrams; given: x, y"),
        ("names: {x: sea}", "classes to tell apart are needed; given: 1 names"),
        ("nams: {x: sea}", "names.yaml names no categories; given: Object contains unknown field `nams`"),
        (
            "{modality: image, kind: text, names: {x: sea, y: wood}}",
            "no item has this modality; given: image; there are: text",
        ),
    ],
)
def test_names_that_cannot_be_used_are_one_line(run, capsys, tmp_path, text, said):
    status, _, err = named(capsys, tmp_path, run, text + "\nkind: text" if not text.startswith("{") else text)
    assert status == 2
    assert said in err
    assert err.count("\n") == 1
