"""Does it help to train the text encoder with the graph? Categories of exercises with MiniLM, frozen and adapted.

``python benchmarks/adaptation.py [--epochs 20] [--tokens 32] [--root ../shared/data/exercises]`` prints a table: the gnn's own
accuracy on validation and test with its bootstrap interval, its best epoch, what was trained, and the seconds of the whole run.
All methods read the first ``tokens`` tokens of a text; ``whole texts`` is the frozen encoder on 256, for comparison.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import pandas as pd

from mmgraph.outputs.scoreboard import NETWORK
from mmgraph.pipeline import fit
from mmgraph.settings import Settings, convert
from mmgraph_encoders.minilm_wheel import _folder

METHODS = {"whole texts": {}, "frozen": {}, "adapter": {}, "lora": {"blocks": 1, "rank": 8}, "last_blocks": {"blocks": 1}}


def without_photos(root: Path, folder: Path) -> Path:
    """The same tables with texts, muscles and equipment only; paths stay those of ``root``."""
    items, links = pd.read_csv(root / "items.csv"), pd.read_csv(root / "links.csv")
    items = items[items["kind"] != "image"].assign(
        path=lambda one: one["path"].map(lambda p: str(root / p), na_action="ignore")
    )
    known = set(items["id"])
    items.to_csv(folder / "items.csv", index=False)
    links[links["source"].isin(known) & links["target"].isin(known)].to_csv(folder / "links.csv", index=False)
    pd.read_csv(root / "labels.csv").to_csv(folder / "labels.csv", index=False)
    return folder


def settings(folder: Path, root: Path, method: str, words: argparse.Namespace) -> Settings:
    adapt = {"method": "frozen" if method == "whole texts" else method, **METHODS[method]}
    length = 256 if method == "whole texts" else words.tokens
    minilm = {"model": str(_folder()), "max_tokens": length, "pooling": "mean", "normalise": True, "prefix": ""}
    raw = {
        "run": {"dir": str(folder / method), "seed": words.seed},
        "catalogue": {"class_path": "Tables", "init_args": {"root": str(root)}},
        "encoders": {
            "text": [{"class_path": "sentence_transformer", "init_args": minilm}],
            "when_unavailable": "error",
            "store": str(words.store or folder / "store"),
        },
        "graph": {"edges": []},
        "split": {"labels": {"method": "per_class", "k": 10, "group": "none"}},
        "model": {"adaptation": {"text": adapt}},
        "tasks": [{"class_path": "Categories", "init_args": {"field": "category"}}],
        "trainer": {"max_epochs": words.epochs, "accelerator": "auto"},
        "evaluate": {"baselines": ["logistic_regression"]},
        "outputs": {"report": False},
    }
    return convert(raw, Settings)


def row(folder: Path, method: str, seconds: float) -> str:
    """One line of the table, from the run folder."""
    rows = json.loads((folder / method / "metrics.json").read_text())
    found = {(one["split"], one["method"]): one for one in rows if one["metric"] == "accuracy"}
    curves = pd.read_csv(folder / method / "curves.csv")
    valid = curves[curves["name"].str.endswith(".category/accuracy")]
    best = int(valid.loc[valid["value"].idxmax(), "epoch"])
    said = json.loads((folder / method / "encoders.json").read_text())["text"].get("adaptation", {})
    cells = [
        f"{one['value']:.3f} ({one['low']:.3f}, {one['high']:.3f})"
        for one in (found["valid", NETWORK], found["test", NETWORK])
    ]
    return f"| {method} | {said.get('trained', 0):,} | {' | '.join(cells)} | {best} | {seconds:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data" / "exercises")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--store", type=Path, help="features of an earlier call, so that nothing is encoded again")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    words = parser.parse_args()
    print(
        "| method | trained numbers | valid accuracy | test accuracy | best epoch | seconds |\n|---|---|---|---|---|---|",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = folder / "tables"
        tables.mkdir()
        without_photos(words.root, tables)
        for method in words.methods:
            begun = time.perf_counter()
            fit(settings(folder, tables, method, words))
            print(row(folder, method, time.perf_counter() - begun), flush=True)


if __name__ == "__main__":
    main()
