"""Categories from few labels: what is handed out, and the gnn alone, beside every baseline on the same split, over several splits.

python benchmarks/categories.py digits|exercises|sample [--seeds 6] [--only NAME] [--knock-outs] [--held-back] [--data ../shared/data]
    [--weights ../shared/weights] [--out benchmarks/results] [--work FOLDER] [--section.key=VALUE ...]

What was measured is kept in the folder ``--work`` after every fit, and not measured again.

digits: 5 labels a digit of three speakers; another speaker chooses; the two test speakers are never in training, nor chosen by. Six
splits ask each speaker twice, twelve in four pairs. Vectors are standardised within a speaker, without labels, for every method alike
(graph.standardise), or left as they are encoded; digits are about as frequent as each other, which the network is told (information).
With --held-back a labelled speaker is asked, and not trained on, instead of the test speakers: to decide on settings.
exercises: category, level, force and mechanic together, 10 labels a class. sample: the sample corpus, 3 labels a class. In each of them
validation takes one of the same three networks (model.candidates: SAGE, SGC, APPNP). Nothing is chosen on the test items: a run takes
network, epoch, settings of baselines and what it hands out from validation.
"""

import argparse
import csv
import datetime
import itertools
import json
import platform
import re
import time
from pathlib import Path

import numpy as np

from mmgraph import pipeline
from mmgraph.configuration import load
from mmgraph.outputs.knock_outs import METHODS, knocked, read_knock_outs
from mmgraph.outputs.seeds import over
from mmgraph.runs import read_json

HERE = Path(__file__).resolve().parents[1]
SHOWN = ("accuracy", "macro_f1", "ece")
LAYER = 11  # of YAMNet's 26, see benchmarks/results/layers.md
CIRCLES = ((0, 1, 2, 3, 4, 5), (0, 2, 5, 3, 1, 4))  # of six speakers: no two are neighbours, and asked together, in both
WEIGHT_FREE = ("--encoders.image=[image_statistics]", "--encoders.audio=[sound_statistics]", "--encoders.text=[hashed_ngrams]")


def speakers_of(rotation, speakers):
    """(three that are labelled, one that chooses, two that are asked).

    >>> speakers_of(1, "abcdef")
    (['b', 'c', 'd'], ['e'], ['f', 'a'])
    """
    circle = CIRCLES[rotation // len(speakers) % len(CIRCLES)]
    turned = [speakers[circle[(rotation + i) % len(speakers)]] for i in range(len(speakers))]
    return turned[:3], turned[3:4], turned[4:]


def digit_tables(data, folder, rotation, k=5, held_back=False):
    """Tables of the recordings with their digits: k of the labelled speakers for each digit, all of the others. held_back: one of the
    labelled speakers is asked, and the two test speakers are not.
    """
    paths = sorted(data.joinpath("digits").glob("*.wav"))
    speakers = sorted({path.stem.split("_")[1] for path in paths})
    shown, chooses, asked = speakers_of(rotation, speakers)
    if held_back:
        asked = [shown.pop(rotation % 3)]
    rng = np.random.default_rng(rotation)
    labels = []
    for digit in "0123456789":
        mine = [path for path in paths if path.stem.startswith(digit)]
        of = {one: [path for path in mine if path.stem.split("_")[1] == one] for one in speakers}
        known = [path for one in shown for path in of[one]]
        turns = [of[one][i] for i in rng.permutation(len(of[shown[0]])) for one in shown if i < len(of[one])]
        assert len(known) >= k, "too few recordings"
        for part, some in (
            ("train", turns[:k]),
            ("valid", [p for one in chooses for p in of[one]]),
            ("test", [p for one in asked for p in of[one]]),
        ):
            labels += [(path.name, "digit", digit, part) for path in some]
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(path.name, "recording", str(path), path.stem.split("_")[1]) for path in paths]
    rows += [(one, "speaker", "", "") for one in speakers]
    write(folder / "items.csv", ("id", "kind", "path", "parent"), rows)
    write(folder / "labels.csv", ("id", "field", "value", "split"), labels)
    return folder


def write(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


CANDIDATES = "candidates: [{layer: sage}, {layer: sgc, depth: 3}, {layer: appnp, depth: 10, dropout: 0.5}]"
CONFIG = {
    "digits": """
catalogue: {class_path: Tables, init_args: {root: ROOT}}
graph: {edges: [{class_path: Similar, init_args: {k: 10}}], standardise: parent}
split: {labels: {method: given}}
tasks: [{class_path: Categories, init_args: {field: digit, methods: [information]}}]
model: {CANDIDATES}
""",
    "exercises": """
catalogue: {class_path: Tables, init_args: {root: ROOT}}
graph: {edges: []}
split: {labels: {method: per_class, k: 10, group: none}}
tasks:
  - {class_path: Categories, init_args: {field: category}}
  - {class_path: Categories, init_args: {field: level}}
  - {class_path: Categories, init_args: {field: force}}
  - {class_path: Categories, init_args: {field: mechanic}}
model: {CANDIDATES}
""",
    "sample": """
catalogue: {class_path: Folder, init_args: {root: ROOT}}
media: {segments: {method: shots, min_s: 2.0, max_s: 10.0}}
split: {labels: {method: per_class, k: 3, group: parent}}
tasks: [{class_path: Categories, init_args: {field: category, kind: segment}}]
model: {dropout: 0.5, learning_rate: 0.002, patience: 50, CANDIDATES}
""",
}


def encoders(task, weights):
    """Name -> arguments that choose the encoders of a task."""
    if task == "digits":
        chosen = {
            f"YAMNet, layer {LAYER}": yamnet(weights, layer=LAYER),
            "sound statistics": WEIGHT_FREE,
            "YAMNet": yamnet(weights),
        }
        plain = {f"{name}, as encoded": (*some, "--graph.standardise=none") for name, some in chosen.items()}
        return {**chosen, **plain}
    text = "--encoders.text=[minilm_wheel, hashed_ngrams]"
    return {"weight-free images and sound, MiniLM texts where installed": (*WEIGHT_FREE[:2], text)}


def yamnet(weights, **arguments):
    """Arguments of the command line: sounds by YAMNet, everything else without weights."""
    arguments = {"model": str(weights / "yamnet"), "front_end": "yamnet", **arguments}
    return (*WEIGHT_FREE, f"--encoders.audio={json.dumps([{'class_path': 'log_mel_model', 'init_args': arguments}])}")


def root_of(task, given, seed):
    """The data of a task; of digits the tables of this split, of the sample corpus the folder, made where it is not there."""
    if task == "digits":
        return digit_tables(given.data.resolve(), given.work / f"digits-{seed}", seed, held_back=given.held_back)
    if task == "exercises":
        return given.data / "exercises"
    folder = given.work / "sample"
    if not folder.exists():
        from mmgraph.corpus import make

        make(folder, 7)
    return folder


def fitted(task, name, arguments, seed, given, more=()):
    """Rows of the test split, the verdicts, seconds, and the run folder of one fit."""
    config = given.work / f"{task}.yaml"
    config.write_text(CONFIG[task].replace("CANDIDATES", CANDIDATES).replace("ROOT", str(root_of(task, given, seed))))
    run = given.work / "runs" / f"{task}-{re.sub('[^a-z]+', '-', name.lower())}-{seed}"
    arguments = [
        *arguments, f"--run.dir={run}", f"--run.seed={seed}", f"--encoders.store={given.work / 'store'}", "--outputs.report=false",
        "--trainer.accelerator=cpu", *more, *given.settings,
    ]  # fmt: skip
    start = time.perf_counter()
    answers = pipeline.fit(load(config, arguments), restart=True).answers
    return answers, time.perf_counter() - start, run


def measured(task, name, arguments, seed, given):
    """One split: what every method reached on its test items, what validation chose, seconds, and the run folder."""
    more = ("--evaluate.knock_outs=true",) if given.knock_outs and not seed else ("--evaluate.bootstrap=0",)
    answers, took, run = fitted(task, name, arguments, seed, given, more)
    rows = [row for row in answers.rows if row.split == "test" and not row.group and row.metric in SHOWN]
    mine = {(r.target, r.method): round(r.value, 3) for r in rows if r.metric == "accuracy"}
    print(name, seed, f"{took:.0f} s", mine, flush=True)
    return {
        "rows": [
            {"seed": seed, "target": r.target, "method": r.method, "metric": r.metric, "value": r.value, "n": r.n}
            for r in rows
        ],
        "chosen": [{"target": one.target, "chosen": one.chosen} for one in answers.evidence],
        "model": taken(run),
        "seconds": took,
        "knock_outs": knock_out_lines(run) if given.knock_outs and not seed else [],
    }


def taken(run):
    """The networks that validation took, the main one first; nothing where one alone was given (--model.candidates=[])."""
    models = read_json(run / "models.json") if (run / "models.json").exists() else []
    answer = sorted((one for one in models if one["heads"]), key=lambda one: not one["chosen"])
    if len(answer) == 1:
        return answer[0]["name"]
    return ", ".join(f"{one['name']} for {' and '.join(one['heads'])}" for one in answer)


def table(found, level=0.95):
    """Markdown: for every target a table of methods, means over splits with Student's t interval, and the difference to mmgraph and gnn."""
    rows, lines = found["rows"], []
    for target in dict.fromkeys(row["target"] for row in rows):
        mine = [row for row in rows if row["target"] == target]
        cells = {
            (method, metric): {r["seed"]: r["value"] for r in mine if (r["method"], r["metric"]) == (method, metric)}
            for method, metric in dict.fromkeys((row["method"], row["metric"]) for row in mine)
        }
        methods = sorted(
            dict.fromkeys(row["method"] for row in mine),
            key=lambda method: (method != "mmgraph", method != "gnn", -np.mean(list(cells[method, "accuracy"].values()))),
        )
        lines += [
            f"### {target}",
            "",
            "| method | accuracy | macro-F1 | calibration error | accuracy: gnn minus it | mmgraph minus it | macro-F1: mmgraph minus it |",
        ]
        lines += ["|---|---|---|---|---|---|---|"]
        for method in methods:
            shown = [told(cells.get((method, metric), {}), level) for metric in SHOWN]
            asked = (("gnn", "accuracy"), ("mmgraph", "accuracy"), ("mmgraph", "macro_f1"))
            against = [lead(cells, ours, method, metric, level) for ours, metric in asked]
            lines.append(f"| {method} | {' | '.join([*shown, *against])} |")
        lines.append("")
    return lines


def told(values, level):
    if not values:
        return "–"
    mean, _, low, high = over(list(values.values()), level)
    return f"{mean:.3f}" if low is None else f"{mean:.3f} ({low:.3f} to {high:.3f})"


def lead(cells, ours, method, metric, level):
    one, two = cells.get((ours, metric), {}), cells.get((method, metric), {})
    both = sorted(one.keys() & two.keys())
    if ours == method or not both:
        return "–"
    mean, _, low, high = over([one[seed] - two[seed] for seed in both], level)
    return f"{mean:+.3f}" if low is None else f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def knock_out_lines(run):
    """Markdown of one run's knock-out table."""
    lines = [
        "### What adds what",
        "",
        "The first split, one fit each; in brackets what the part had added, paired on the same test items.",
        "",
    ]
    for one in knocked(read_knock_outs(run / "knock_outs.json")):
        lines += [f"#### {one.target}, {one.metric} (n = {one.n})", "", f"| fit | {' | '.join(METHODS)} |", "|---|---|---|"]
        lines.append(f"| with everything | {' | '.join('–' if v is None else f'{v:.3f}' for v in one.whole)} |")
        for line in one.lines:
            cells = [
                "–" if e is None else f"{e.without:.3f} ({e.difference:+.3f}: {e.low:+.3f} to {e.high:+.3f})"
                for e in line.effects
            ]
            lines.append(f"| {line.told} | {' | '.join(cells)} |")
        lines.append("")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=list(CONFIG))
    parser.add_argument("--data", type=Path, default=HERE.parent / "shared" / "data")
    parser.add_argument("--weights", type=Path, default=HERE.parent / "shared" / "weights")
    parser.add_argument("--out", type=Path, default=HERE / "benchmarks" / "results")
    parser.add_argument("--work", type=Path, default=Path("runs") / "categories")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--only", nargs="*", help="choices of encoders by name; all when not given")
    parser.add_argument("--held-back", action="store_true", help="digits: ask a labelled speaker instead of the test speakers")
    parser.add_argument("--knock-outs", action="store_true", help="the table of knock-outs as well, of the first split")
    given, given.settings = parser.parse_known_args()
    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.work / f"{given.task}.json"
    result = json.loads(kept.read_text()) if kept.exists() else {}
    for seed, (name, arguments) in itertools.product(range(given.seeds), encoders(given.task, given.weights).items()):
        done = result.setdefault(name, {})
        if (given.only and name not in given.only) or str(seed) in done:
            continue
        done[str(seed)] = measured(given.task, name, arguments, seed, given)
        kept.write_text(json.dumps(result))
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"categories_{given.task}.md"
    path.write_text("\n".join(page(given.task, result)), encoding="utf-8")
    print(path)


def page(task, result):
    """The results as Markdown."""
    doc = __doc__.split("\n\n")[-1].replace("\n", " ")
    command = f"python benchmarks/categories.py {task} --seeds {max(map(len, result.values()))}"
    lines = [
        f"# Categories from few labels: {task}",
        "",
        f"`{command}`, {datetime.date.today()}, python {platform.python_version()}. {doc.strip()}",
    ]
    lines += [
        "",
        "Means over splits with 95 % intervals (Student's t over splits, paired for differences; splits share items, so these are rough).",
        "",
    ]
    for name, splits in result.items():
        if not splits:
            continue
        found = {"rows": [row for one in splits.values() for row in one["rows"]]}
        seconds = np.mean([one["seconds"] for one in splits.values()])
        chosen = {}
        for choice in (choice for one in splits.values() for choice in one["chosen"]):
            chosen.setdefault(choice["target"], []).append(choice["chosen"])
        lines += [f"## {name}", "", f"{len(splits)} splits, {seconds:.0f} s a fit with evaluation.", ""]
        if any(one["model"] for one in splits.values()):
            lines.append(f"- Validation took of the networks: {'; '.join(one['model'] for one in splits.values())}.")
        lines += [f"- Validation chose for {target}: {', '.join(some)}." for target, some in chosen.items()]
        lines.append("")
        lines += table(found)
        lines += [line for one in splits.values() for line in one["knock_outs"]]
    return lines


if __name__ == "__main__":
    main()
