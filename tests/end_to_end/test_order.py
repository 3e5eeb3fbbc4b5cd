"""`mmgraph order` and `mmgraph gaps` on the run of a small folder of tables: stories told in texts."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from runs_made import Asked, write_csv

from mmgraph.cli import main
from mmgraph.order import Temporal


def settings_of(made, **changed):
    settings = yaml.safe_load(made.config.read_text())
    made.config.write_text(yaml.safe_dump(settings | changed))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Eight stories of four texts; one of them lacks a link, and one waits before its end. Two are test links throughout."""
    made = Asked(tmp_path_factory.mktemp("order"))
    header = ("id", "kind", "text", "parent", "start_s", "end_s")
    stories = [(f"s{i}", "story", f"story {i}", "", "", "") for i in range(8)]
    parts = [
        (
            f"s{i}-{name}",
            "text",
            f"{name} of {i}",
            f"s{i}",
            9 * j + 40 * (i == 2 and j == 3),
            9 * j + 9 + 40 * (i == 2 and j == 3),
        )
        for i in range(8)
        for j, name in enumerate(("one", "two", "three", "four"))
    ]
    write_csv(made.root / "items.csv", header, [*stories, *parts])
    names = [("one", "two"), ("two", "three"), ("three", "four")]
    links = [
        (
            f"s{i}-{a}",
            "follows",
            f"s{i}-{b}",
            "test" if i in (6, 7) or (i, a) == (0, "two") else "valid" if i == 5 else "train",
        )
        for i in range(8)
        for a, b in names
        if (i, a) != (1, "two")
    ]
    write_csv(made.root / "links.csv", ("source", "relation", "target", "split"), links)
    (made.root / "labels.csv").unlink()  # of other items
    settings_of(
        made,
        tasks=[{"class_path": "Links", "init_args": {"relation": "text/follows/text"}}],
        split={"links": {"method": "given"}},
        graph={"edges": ["contains"]},
        encoders={"text": ["hashed_ngrams"]},
        outputs={"report": False},
    )
    assert made("--model.width", 8)[0] == 0
    return made


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")


def said(capsys, *words):
    capsys.readouterr()
    status = main(list(map(str, words)))
    out, err = capsys.readouterr()
    assert status == 0, err
    return out


def test_one_group_is_put_in_order(run, capsys, tmp_path):
    out = said(capsys, "order", run.run, "s3", "--to", tmp_path / "x.csv")
    assert "s3  (4 in the order of mmgraph)" in out
    assert (
        "of the 3 known links none was in the graph that put its ends in order; the weights were trained with 3 of them" in out
    )
    assert out.splitlines()[-1] == str(tmp_path / "x.csv")
    table = pd.read_csv(tmp_path / "x.csv")
    assert {"mmgraph", "gnn", "nearest:text", "next_in_time"} <= set(table["method"])
    for _, one in table.groupby("method"):
        assert one["position"].tolist() == [1, 2, 3, 4]
        assert sorted(one["id"]) == ["s3-four", "s3-one", "s3-three", "s3-two"]
        true = one.set_index("id")["true_position"].to_dict()
        assert true == {"s3-one": 1, "s3-two": 2, "s3-three": 3, "s3-four": 4}
        assert one["confidence"].notna().tolist() == [True, True, True, False]
    ours = table["method"] == "mmgraph"
    assert table.loc[ours, "probability"].notna().tolist() == [True, True, True, False]
    assert table.loc[~ours, "probability"].isna().all()
    again = tmp_path / "all.parquet"
    said(capsys, "order", run.run, "--to", again)
    every = pd.read_parquet(again)
    assert len(every) == 8 * 4 * table["method"].nunique()
    alone = every[every["parent"] == "s3"].reset_index(drop=True)
    assert alone["id"].tolist() == table["id"].tolist()  # whatever else was asked


def test_the_network_scores_a_link_and_its_reverse_differently(run):
    seen = Temporal.of(run.run).seen()
    every = np.arange(len(seen.answer.question.graph.ids["text"]))
    scores = seen.methods["gnn"].scores(every, "target")
    apart = np.abs(scores - scores.T)[~np.eye(len(every), dtype=bool)]
    assert np.median(apart) > 0.1 * scores.std()


def test_all_groups_with_tau_beside_the_baselines_and_those_never_trained_on(run, capsys):
    before = {path: path.read_bytes() for path in run.run.rglob("*") if path.is_file()}
    out = said(capsys, "order", run.run, "--method", "gnn")
    assert "in the order of gnn" in " ".join(out.split())
    assert "Kendall's tau with the true order (n = 8)" in " ".join(out.split())
    assert "any order (chance)" in out
    held_out = said(capsys, "order", run.run, "--held-out")
    assert "(n = 3)" in held_out
    assert re.findall(r"^│(s\d)", held_out, re.MULTILINE) == ["s5", "s6", "s7"]
    assert "the weights were trained with none of them, 3 chose the epoch, 6 are test links" in held_out
    assert {path: path.read_bytes() for path in run.run.rglob("*") if path.is_file()} == before


def test_gaps_are_found_bridged_and_measured(run, capsys, tmp_path):
    out = said(capsys, "gaps", run.run, "--to", tmp_path / "gaps.json", "--longer", "10", "--below", "0")
    assert "test links found again as bridges (n = 7)" in " ".join(out.split())
    table = pd.read_json(tmp_path / "gaps.json")
    assert table[["parent", "what"]].to_numpy().tolist() == [["s1", "open"], ["s2", "pause"]]
    assert table["gap_s"].tolist()[1] == 40
    assert (table["source"][1], table["target"][1]) == ("s2-three", "s2-four")
    assert (table["source"][0], table["target"][0]) in {("s1-two", "s1-three"), ("s1-four", "s1-one")}
    every = said(capsys, "gaps", run.run, "s4", "--below", "100")
    assert every.count("a piece may be missing") == 3
    assert "found again" not in every
    assert said(capsys, "gaps", run.run, "s4", "--below", "0") == "no gaps\n"


WRONG = {
    "no item": (("order", "RUN", "s3."), "no item of this id has two of kind text or more; given: s3.; did you mean s3"),
    "no item for gaps": (("gaps", "RUN", "x"), "no item of this id has two of kind text or more; given: x; there are 8, such as s0"),
    "no run": (("order",), r"order needs a run folder, and the id of an item at most; given: none; mmgraph order RUN \[VIDEO\]"),
    "no method": (("order", "RUN", "s3", "--method", "gnm"), "the run has no such method; given: gnm; there are: mmgraph, gnn,"),
    "no ending": (("gaps", "RUN", "--to", "x.xml"), "--to must end in .parquet, .csv or .json; given: x.xml"),
    "no relation": (("order", "RUN", "--relation", "a/b/c"),
                    "the run puts nothing in order by this relation; given: a/b/c; there are: text/follows/text"),
    "all trained": (("order", "RUN", "s3", "--held-out"), "all that is asked has links that were trained on; leave out --held-out"),
    "no number": (("gaps", "RUN", "--longer", "long"), "--longer needs a number; given: long"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_one_line(run, capsys, case):
    words, message = WRONG[case]
    capsys.readouterr()
    assert main([{"RUN": str(run.run)}.get(word, word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.match(f"mmgraph: {message}", err), err
    assert err.count("\n") == 1


def test_a_run_without_parents_puts_nothing_in_order(asked, capsys):
    assert asked("--outputs.report", "false")[0] == 0
    capsys.readouterr()
    assert main(["order", str(asked.run)]) == 2
    wrong = (
        "the run predicts no relation that puts the parts of an item in order; given: text/follows/text; it must be temporal"
    )
    assert wrong in capsys.readouterr().err
