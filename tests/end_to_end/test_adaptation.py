"""``mmgraph fit`` on a small folder of tables with an encoder that is adapted, and the lines that say why one cannot be."""

import json

import pytest
import torch
from runs_made import write_csv

from mmgraph.cli import main
from mmgraph.encode import memory

COUNT = 36


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "tables"
    folder.mkdir()
    calm, loud = ["hums softly", "rests a while", "reads a book"], ["yells at us", "fights on", "storms out"]
    who = ["the man", "a girl", "my uncle", "one nurse"]
    texts = [f"{who[i % 4]} {(loud if i % 2 else calm)[i // 4 % 3]} in week {i}" for i in range(COUNT)]
    write_csv(folder / "items.csv", ("id", "kind", "text"), [(f"t{i}", "text", text) for i, text in enumerate(texts)])
    links = [(f"t{i}", "beside", f"t{(i + 2) % COUNT}") for i in range(COUNT)]
    write_csv(folder / "links.csv", ("source", "relation", "target"), links)
    labels = [(f"t{i}", "mood", "loud" if i % 2 else "calm") for i in range(COUNT)]
    write_csv(folder / "labels.csv", ("id", "field", "value"), labels)
    (folder.parent / "fit.yaml").write_text(
        "catalogue: {class_path: Tables, init_args: {root: X}}\n"
        "encoders: {text: [minilm_wheel]}\ngraph: {edges: []}\n"
        "split: {labels: {method: per_class, k: 4, group: none}}\n"
        "model: {width: 16, adaptation: {text: {method: lora, rank: 4, tokens: 16}}}\n"
        "tasks:\n  - {class_path: Links, init_args: {relation: text/beside/text}}\n"
        "  - {class_path: Categories, init_args: {field: mood}}\n"
        "trainer: {max_epochs: 4, accelerator: cpu}\nevaluate: {bootstrap: 20}\noutputs: {examples: 2}\n"
    )
    return folder


def fit(tables, folder, *words):
    config = ("--config", str(tables.parent / "fit.yaml"), "--catalogue.root", str(tables))
    return main(["fit", *config, "--run.dir", str(folder), *words])


def test_a_run_with_lora_says_what_it_trained_and_goes_on_where_it_stopped(tables, tmp_path, capsys):
    assert fit(tables, tmp_path / "run") == 0
    one = json.loads((tmp_path / "run" / "encoders.json").read_text())["text"]["adaptation"]
    assert (one["method"], one["kinds"], one["blocks"], one["rank"]) == ("lora", ["text"], 1, 4)
    assert one["trained"] == 4 * (4 * 768 + 2 * (384 + 1536))
    assert "adaptation: trained" in (tmp_path / "run" / "report" / "index.html").read_text()
    cards = {path.parent.name: json.loads(path.read_text()) for path in (tmp_path / "store").glob("*/card.json")}
    (stored,) = [card for card in cards.values() if "what enters its last 1 blocks" in card["name"]]
    assert stored["width"] == 1 + 16 * 384
    state = torch.load(tmp_path / "run" / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert any("lora_B" in name for name in state)
    before = (tmp_path / "run" / "metrics.json").read_text()
    (tmp_path / "run" / "metrics.json").unlink()
    assert fit(tables, tmp_path / "run") == 0
    assert (tmp_path / "run" / "metrics.json").read_text() == before
    capsys.readouterr()


def test_what_does_not_fit_is_refused_before_anything_is_encoded(tables, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(memory, "KEPT_AT_MOST", 0)
    assert fit(tables, tmp_path / "run", "--model.adaptation.memory_gb", "0.001") == 2
    said = capsys.readouterr().err
    assert "model.adaptation.text: lora on the last block does not fit" in said
    assert "within model.adaptation.memory_gb and 1.0 MB are there" in said
    assert not list((tmp_path / "store").glob("*/card.json"))


def test_an_encoder_without_blocks_is_refused_and_an_adapter_does_without(tables, tmp_path, capsys):
    words = ("--encoders.text", "[hashed_ngrams]")
    assert fit(tables, tmp_path / "run", *words) == 2
    line = "model.adaptation.text: hashed_ngrams cannot be tuned: it has no blocks that could be trained; given: lora"
    assert line in " ".join(capsys.readouterr().err.split())
    adapter = ("--model.adaptation.text.method", "adapter", "--model.adaptation.text.rank", "8")
    assert fit(tables, tmp_path / "other", *words, *adapter) == 0
    one = json.loads((tmp_path / "other" / "encoders.json").read_text())["text"]["adaptation"]
    assert one["method"] == "adapter"
    capsys.readouterr()
