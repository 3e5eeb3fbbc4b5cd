"""Four relations of exercises, asked jointly, beside every baseline; what each modality and message passing are worth.

python benchmarks/exercises.py [--root ../shared/data/exercises] [--seed 7] [--quick] [--store FOLDER] [--runs FOLDER]
    [--out benchmarks/results/exercises]

Photos and texts are encoded once into the store; all fits share graph, split and vectors, and differ in what is listed in ABLATIONS:
nodes and links always stay, so a photo or text whose vector is taken away is known by its links, and by a learned vector by id, as
kinds without features are (``model.id_embedding: auto``). The epoch, the combination and all else is chosen on validation. PROBES are
trained too but looked at on validation alone: they are there to find out why, not to be reported as results.
"""

import argparse
import json
import os
import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np

from mmgraph import registry
from mmgraph.configuration import load
from mmgraph.evaluate.answers import answer
from mmgraph.evaluate.contract import OURS
from mmgraph.graph.contract import Features
from mmgraph.ingest import features, read
from mmgraph.model.train import train
from mmgraph.outputs.compare import compare
from mmgraph.outputs.reading import read_run
from mmgraph.outputs.scoreboard import NETWORK
from mmgraph.outputs.write import write_answers
from mmgraph.pipeline import assemble, built, divide
from mmgraph.runs import open_run

HERE = Path(__file__).resolve().parent
RELATIONS = ("exercise/works/muscle", "exercise/uses/equipment", "exercise/described_by/text", "image/follows/image")
METRICS = ("mrr", "hits@1", "hits@10")
SETTINGS = {
    "encoders.image": "[image_statistics]",
    "encoders.text": "[minilm_wheel]",
    "encoders.when_unavailable": "error",
    "trainer.max_epochs": "150",
    "trainer.accelerator": "cpu",
    "model.patience": "30",
    "evaluate.bootstrap": "500",
    "outputs.report": "false",
}
QUICK = {"trainer.max_epochs": "2", "evaluate.bootstrap": "20", "evaluate.baselines": "[popularity, adamic_adar]"}


@dataclass(frozen=True)
class Change:
    """What one fit does otherwise: modalities whose vectors are taken away or replaced by noise, settings, arguments of all tasks."""

    without: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    task: str = ""
    only: tuple[str, ...] = RELATIONS


FULL = "all"
ABLATIONS = {
    FULL: Change(),
    "no images": Change(without=("image",)),
    "images random": Change(noise=("image",)),
    "no texts": Change(without=("text",)),
    "texts random": Change(noise=("text",)),
    "no messages": Change(settings=("--model.layer=none",)),
}
PROBES = {
    FULL: Change(),
    "ids for every kind": Change(settings=("--model.id_embedding=all",)),
    "supervise .1": Change(settings=("--split.links.supervise=0.1",)),
    "supervise .7": Change(settings=("--split.links.supervise=0.7",)),
    "cosine": Change(task="scorer: cosine"),
    "dot without heads": Change(task="scorer: {class_path: dot, init_args: {heads: false}}"),
    "jumping last": Change(settings=("--model.jumping=last",)),
    "dropout 0": Change(settings=("--model.dropout=0", "--model.modality_dropout=0")),
    "width 512": Change(settings=("--model.width=512",)),
    "600 epochs": Change(settings=("--trainer.max_epochs=600", "--model.patience=100")),
    **{f"{name.split('/')[1]} alone": Change(only=(name,)) for name in RELATIONS},
}


def settings_of(given, folder, change):
    """configs/tables.yaml with the four relations, and what the change asks."""
    tasks = ", ".join(
        f"{{class_path: Links, init_args: {{relation: {relation}{', ' + change.task if change.task else ''}}}}}"
        for relation in change.only
    )
    said = {
        "catalogue.root": str(given.root.resolve()),
        "run.dir": str(folder),
        "run.seed": str(given.seed),
        "encoders.store": str(given.store.resolve()),
        "tasks": f"[{tasks}]",
        **SETTINGS,
        **(QUICK if given.quick else {}),
    }
    return load(
        HERE.parent / "configs" / "tables.yaml", [*(f"--{key}={value}" for key, value in said.items()), *change.settings]
    )


class Shared:
    """Catalogue and graph, read and encoded once."""

    def __init__(self, given, folder):
        settings = settings_of(given, folder / "shared", Change())
        self.catalogue, content = read(settings)
        collected = features(settings, self.catalogue, content)
        self.graph = assemble(settings, self.catalogue, collected, content)
        self.given, self.folder = given, folder

    def fit(self, name, change, judged):
        """What pipeline.fit does from here on; ``judged``: with baselines and on test, into a run folder."""
        run = self.folder / name.replace(" ", "_")
        settings = settings_of(self.given, run, change)
        tasks = [registry.create("task", task) for task in settings.tasks]
        split = divide(settings, self.graph, tasks)
        split = replace(
            split, visible=replace(split.visible, features=changed(split.visible.features, change, self.given.seed))
        )
        opened = open_run(settings)
        module, data = built(settings, split, tasks, {})
        trained = train(module, data, settings.trainer, opened.checkpoints, settings.model)
        if judged:
            write_answers(opened, answer(trained, split, settings.evaluate, self.given.seed), self.catalogue, settings)
        return opened, split, trained


def changed(features, change, seed):
    """The features without some modalities, or with noise of the same width and the same gaps in their place."""
    kept = {key: one for key, one in features.items() if key[1] not in change.without}
    random = np.random.default_rng(seed)
    for key, one in kept.items():
        if key[1] in change.noise:
            noise = random.standard_normal(one.vectors.shape, np.float32) * one.present[:, None]
            kept[key] = Features(noise, one.present, "noise")
    return kept


def validated(trained):
    """Relation -> the best MRR on validation while training, of the network alone."""
    best = {}
    for _, name, value in trained.curves:
        for relation in RELATIONS:
            if name in (f"{relation}/mrr", f"valid/{relation}/mrr"):
                best[relation] = max(best.get(relation, 0.0), value)
    return best


def figures(run):
    """The test rows of a run: relation -> method -> metric -> its row."""
    found = {}
    for row in read_run(run).rows:
        if row.split == "test" and not row.group and row.metric in METRICS:
            found.setdefault(row.target, {}).setdefault(row.method, {})[row.metric] = asdict(row)
    return found


def differences(first, other):
    """{method: {relation: paired difference of MRR}} of two runs."""
    found = {}
    for method in (OURS, NETWORK):
        lines = compare([first.path, other.path], method)
        found[method] = {line.target: asdict(line.differences[1]) for line in lines if line.metric == "mrr"}
    return found


def measured(shared, told):
    """Every ablation and probe, written into ``told``; yields after each."""
    first = None
    for name, change in ABLATIONS.items():
        run, split, trained = shared.fit(name, change, judged=True)
        one = {"test": figures(run), "valid": validated(trained), "evidence": read_run(run).evidence}
        if first is None:
            first = run
            told["links"] = {str(r): [len(s.train), len(s.valid), len(s.test)] for r, s in split.links.items()}
        else:
            one["difference"] = differences(first, run)
        told["ablations"][name] = one
        yield
    if shared.given.probes:
        for name, change in PROBES.items():
            told["probes"][name] = validated(shared.fit(f"probe {name}", change, judged=False)[2])
            yield


def number(value):
    """Three digits, without the zero before the point."""
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def cell(row):
    return f"{number(row['value'])} ({number(row['low'])} to {number(row['high'])})"


def methods_table(relation, methods):
    """Markdown: MRR, hits@1 and hits@10 of every method, best baseline first."""
    ours = [name for name in (OURS, NETWORK) if name in methods]
    rest = sorted((name for name in methods if name not in ours), key=lambda name: -methods[name]["mrr"]["value"])
    lines = [f"### {relation}", "", "| method | MRR | hits@1 | hits@10 |", "|---|---|---|---|"]
    for name in [*ours, *rest]:
        one = methods[name]
        lines.append(f"| {name} | {cell(one['mrr'])} | {cell(one['hits@1'])} | {cell(one['hits@10'])} |")
    return lines


def ablation_table(ablations, method):
    """Markdown: MRR of one method in every fit, with the paired difference to the first."""
    lines = [f"### {method}", "", "| fit | " + " | ".join(RELATIONS) + " |", "|---|" + "---|" * len(RELATIONS)]
    for name, one in ablations.items():
        cells = []
        for relation in RELATIONS:
            told = number(one["test"][relation][method]["mrr"]["value"])
            if "difference" in one:
                d = one["difference"][method][relation]
                told += f", {d['value']:+.3f} ({d['low']:+.3f} to {d['high']:+.3f}){'' if d['paired'] else ' unpaired'}"
            cells.append(told)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def probe_table(probes):
    """Markdown: MRR on validation of the network alone."""
    lines = ["| training | " + " | ".join(RELATIONS) + " |", "|---|" + "---|" * len(RELATIONS)]
    for name, found in probes.items():
        cells = [number(found[relation]) if relation in found else "" for relation in RELATIONS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def page(told):
    """The tables, then the text that a person wrote under them, which is kept."""
    lines = [
        "# Missing links of exercises",
        "",
        f"`python benchmarks/exercises.py --seed {told['seed']}`, {told['date']}. Four relations of `exercises/`, asked by one fit,",
        "configs/tables.yaml with image statistics and MiniLM, at most 150 epochs. Filtered ranking of both ends among all items",
        "of their kind; 95 % intervals by bootstrap over test links. `mmgraph`: what validation chose; `gnn`: the network alone.",
        "",
        "Links to train, choose and test: "
        + "; ".join(f"{name} {', '.join(map(str, counts))}" for name, counts in told["links"].items())
        + ".",
        "",
        "## All methods",
        "",
    ]
    for relation in RELATIONS:
        lines += [*methods_table(relation, told["ablations"][FULL]["test"][relation]), ""]
    lines += ["## What is taken away", "", "Test MRR, and the paired difference to the whole fit.", ""]
    for method in (OURS, NETWORK):
        lines += [*ablation_table(told["ablations"], method), ""]
    if told["probes"]:
        lines += ["## Probes", "", "The best validation MRR of the network alone while training; nothing here was tested.", ""]
        lines += [*probe_table(told["probes"]), ""]
    return "\n".join(lines)


def write(out, told):
    """Figures and tables; what stands under NOTES in the page stays."""
    markdown = out.with_suffix(".md")
    notes = markdown.read_text().partition(NOTES)[2] if markdown.exists() else "\n"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n")
    markdown.write_text(page(told) + NOTES + notes)


NOTES = "## What this says\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=HERE.parents[1] / "shared" / "data" / "exercises")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--quick", action="store_true", help="two epochs, few baselines, no probes: to see that all of it runs"
    )
    parser.add_argument("--probes", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--store", type=Path, help="features of an earlier call")
    parser.add_argument("--runs", type=Path, help="where the run folders stay; thrown away when not given")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "exercises")
    given = parser.parse_args()
    given.probes = given.probes and not given.quick
    with tempfile.TemporaryDirectory() as name:
        given.store = given.store or Path(name) / "store"
        date = datetime.now(tz=UTC).date().isoformat()
        told = {"date": date, "seed": given.seed, "links": {}, "ablations": {}, "probes": {}}
        for _ in measured(Shared(given, given.runs or Path(name)), told):
            write(given.out, told)  # what is done is kept, whatever comes
    print(given.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
