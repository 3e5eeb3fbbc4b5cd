"""README and examples run as they are written, on a tiny corpus; docs/formats.md names every file that a run leaves."""

import json
import re
import runpy
import shlex
import sys
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open

from mmgraph.catalogue.importers.tables import Tables
from mmgraph.cli import main
from mmgraph.configuration import checked
from mmgraph.runs import RunFolder

from .blocks import DOCUMENTS, ROOT, blocks, outside_blocks

README = ROOT / "README.md"
LINES = [line for block in blocks(README, "bash") for line in block.text.splitlines() if line.strip()]
ONLY_CHECKED = {  # line of the README -> why its settings are read and checked, and not run
    ".venv/bin/mmgraph fit --config configs/folder.yaml --catalogue.root my/videos --run.dir runs/mine": "needs a person's videos",
    ".venv/bin/mmgraph fit --config configs/tables.yaml --catalogue.root my/tables --run.dir runs/mine": "needs a person's tables",
    ".venv/bin/mmgraph sample data/sample": "takes a minute; the corpus of this test is in its place",
}
NO_OUTCOME = {"run": None, "answers": None, "quarantined": 0}
TOOLS = {".venv/bin/mmgraph", ".venv/bin/python", "make"}
SAYS = {
    "compare_baselines.py": "popularity",
    "encode_one_video.py": "most alike first",
    "neighbours_of_an_item.py": "nearest to",
    "own_encoder.py": "second time: 0 encoded",
    "read_predictions.py": "new links from",
}


def example(path, arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    monkeypatch.syspath_prepend(str(path.parent))
    runpy.run_path(str(path), run_name="__main__")


def make_targets():
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return phony[1].split()


def test_every_line_of_a_shell_block_is_of_a_known_tool():
    assert len(LINES) >= 10
    assert {shlex.split(line)[0] for line in LINES} <= TOOLS
    assert set(ONLY_CHECKED) <= set(LINES)


@pytest.mark.parametrize("line", LINES)
def test_line_of_the_readme(line, inside, monkeypatch, capsys):
    tool, *words = shlex.split(line)
    if tool == "make":  # the suite cannot run itself, and a fit of the whole corpus takes minutes
        assert set(words) <= set(make_targets())
    elif tool.endswith("python"):
        example(ROOT / words[0], words[1:], monkeypatch)
        assert SAYS[Path(words[0]).name] in capsys.readouterr().out
    elif line not in ONLY_CHECKED:
        assert main(words) == 0
        assert capsys.readouterr().out.strip()
    elif words[0] == "fit":
        assert main([*words, "--print_config"]) == 0
        assert words[words.index("--catalogue.root") + 1] in capsys.readouterr().out
    else:
        recipe = (ROOT / "Makefile").read_text()
        assert line.removeprefix(".venv/bin/") in recipe


@pytest.mark.parametrize("number", range(len(blocks(README, "python"))))
def test_python_block_of_the_readme(number, inside, capsys):
    exec(compile(blocks(README, "python")[number].text, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.strip()


def test_yaml_block_of_the_readme():
    import yaml

    (block,) = blocks(README, "yaml")
    settings = checked(yaml.safe_load(block.text))
    assert [task.class_path for task in settings.tasks] == ["Links", "Categories"]


def test_commands_for_a_cluster_are_understood(monkeypatch):
    """Ray itself runs in tests/store/test_cluster.py; here, that each line asks for what there is."""
    asked = []
    monkeypatch.setattr("mmgraph.ingest.encode", lambda settings: asked.append(settings) or [])
    monkeypatch.setattr(
        "mmgraph.pipeline.fit", lambda settings, restart: asked.append(settings) or SimpleNamespace(**NO_OUTCOME)
    )
    monkeypatch.setattr("mmgraph.outputs.summary.show", lambda *_: None)
    config = str(ROOT / "configs" / "video.yaml")
    lines = [line for block in blocks(ROOT / "docs" / "cluster.md", "bash") for line in block.text.splitlines()]
    ours = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("mmgraph ")]
    assert len(ours) == 4
    for words in ours:
        assert main([config if word in ("FILE", "configs/video.yaml") else word for word in words]) == 0
    assert [settings.encoders.engine for settings in asked] == ["ray", "ray", "local", "ray"]
    assert [settings.encoders.cluster.address for settings in asked] == [None, "auto", None, "auto"]


def test_every_block_has_a_test():
    tested = {
        "cluster.md": {"bash"},
        "README.md": {"bash", "python", "yaml"},
        "extending.md": {"python"},
        "formats.md": {"csv"},
    }
    for path in DOCUMENTS:
        assert {block.language for block in blocks(path)} <= tested.get(path.name, set()), path.name


def test_every_example_is_run_by_a_line_of_the_readme():
    run = {Path(words[1]).name for words in map(shlex.split, LINES) if words[0].endswith("python")}
    assert run == {path.name for path in (ROOT / "examples").glob("*.py")} == set(SAYS)


def test_predictions_are_the_ones_that_the_example_reads(inside, monkeypatch, capsys):
    item = pd.read_csv(inside / "runs/video/predictions/links.csv")["source"].iloc[0]
    example(ROOT / "examples" / "read_predictions.py", ["runs/video", item], monkeypatch)
    links = pd.read_csv(inside / "runs/video/predictions/links.csv")
    first = links[(links["source"] == item) & ~links["known"] & (links["rank"] == 1)]["target"].iloc[0]
    assert f"new links from {item}:\n   1  " in (said := capsys.readouterr().out)
    assert first in said.splitlines()[1]


def test_the_example_of_tables_is_read(tmp_path):
    texts = [block.text for block in blocks(ROOT / "docs" / "formats.md", "csv")]
    for name, text in zip(("items", "links", "labels"), texts, strict=True):
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "media").mkdir()
    for name in ("walk.mp4", "song.ogg"):
        (tmp_path / "media" / name).write_bytes(b"")
    catalogue = Tables(root=tmp_path).read()
    assert catalogue.kinds() == {"video": 1, "segment": 1, "music": 1, "text": 1, "user": 1}
    assert catalogue.items.set_index("id").loc["walk/1", "path"] == str(tmp_path / "media" / "walk.mp4")
    assert catalogue.links["split"].tolist() == [None, "train"]
    assert len(catalogue.labels) == 1


def patterns(heading):
    """File names in the first column of the table under a heading of docs/formats.md; ``a.x, .y`` stands for two files."""
    part = outside_blocks(ROOT / "docs" / "formats.md").split(f"## {heading}\n")[1].split("\n## ")[0].split("\n### ")[0]
    found = []
    for cell in re.findall(r"^\| (`[^|]+`) \|", part, re.MULTILINE):
        names = re.findall(r"`([^`]+)`", cell)
        folder, _, stem = names[0].rpartition("/")
        for name in names:
            plain = f"{folder}/{stem.rsplit('.', 1)[0]}{name}" if name.startswith(".") and "/" not in name else name
            plain = plain if "/" in plain or not folder else f"{folder}/{plain}"
            found.append(re.sub(r"<[^>]+>", "*", plain).replace("NNNNNNNNN", "*"))
    return found


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("heading", "folder"), [("A run folder", "runs/video"), ("The feature store", "runs/store")])
def test_formats_names_every_file_and_no_other(inside, heading, folder):
    named, there = patterns(heading), files_in(inside / folder)
    assert len(named) > 5
    assert [file for file in there if not any(fnmatch(file, pattern) for pattern in named)] == []
    asked_for = (  # not by this fit: of ratings or several models, or by `mmgraph cluster`, `names`, `label`, `ask` and `update`
        *(
            "predictions/clusters.",
            "report/clusters.",
            "predictions/names.",
            "predictions/unlabelled.",
            "predictions/ratings.",
        ),
        *("models.json", "asked.csv", "answers.csv", "new_links.csv", "updates.json", "update"),
    )
    of_fit = [pattern for pattern in named if not pattern.startswith(asked_for)]
    assert [pattern for pattern in of_fit if not any(fnmatch(file, pattern) for file in there)] == []


def test_formats_names_the_keys_and_columns_that_are_there(inside):
    run = RunFolder(inside / "runs" / "video")
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")

    def said(file):
        return set(re.findall(r"\w+", re.search(rf"^\| `{re.escape(file)}`.*$", text, re.MULTILINE)[0]))

    for path in (run.metrics, run.verdict, run.evidence, run.confusion):
        (row, *_) = json.loads(path.read_text())
        assert set(row) <= said(path.relative_to(run.path).as_posix()), path.name
    for path in (run.graph_summary, run.versions):
        assert set(json.loads(path.read_text())) <= said(path.name), path.name
    assert set(json.loads(run.log.read_text().splitlines()[0])) <= said("log.jsonl")
    for stem in ("links", "held_out", "labels"):
        columns = {
            name.split(".")[0] for name in pd.read_parquet(run.predictions / f"{stem}.parquet").columns
        }  # score.<piece>
        assert columns <= said(f"predictions/{stem}.parquet"), stem
    for path in (run.curves, run.quarantine):
        assert set(path.read_text().splitlines()[0].split(",")) <= said(path.name), path.name


def test_formats_names_the_tensors_of_the_graph(inside):
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8").split("### The graph file")[1].split("\n## ")[0]
    with safe_open(inside / "runs/video/graph/graph.safetensors", framework="numpy") as file:
        names = list(file.keys())
        ids = json.loads(file.get_tensor("ids:user").tobytes())
    assert len(ids) == 8
    for name in names:
        what, _, rest = name.partition(":")
        assert f"`{what}:<" in text, name
        part = rest.rpartition(":")[2] if what in ("edges", "labels") else ""
        assert not part or f":{part}`" in text, name


def test_embeddings_are_as_formats_says(inside):
    folder = inside / "runs" / "video" / "embeddings"
    vectors = np.load(folder / "user.npy")
    assert vectors.dtype == np.float32
    assert vectors.shape == (len((folder / "user.ids.txt").read_text().splitlines()), 16)


def test_the_place_for_results_is_marked_or_filled():
    text = README.read_text(encoding="utf-8")
    assert "<!-- results -->" in text
