"""Missing facts answered by paths (configs/paths.yaml) beside embeddings and simple methods, also about items that training never saw.

python benchmarks/paths.py [--root ../shared/data/graphs] [--data umls,kinship] [--parts published,unseen] [--seeds 1] [--draws 3]
    [--runs FOLDER] [--quick] [--keep] [--out benchmarks/results/paths]

- *published*: ``mmgraph fit`` of the published split, from whose ranks of the test triples the table is made; beside it the embeddings of
  configs/knowledge.yaml (with the width and epochs of benchmarks/knowledge.py). --runs FOLDER keeps the runs, or takes what is there.
- *unseen*: the items are divided by chance into two halves. Facts between the halves are left out. The network is trained on facts of
  the one half alone and asked about the other half, where it is told 70 % of the facts and ranks the last 20 %. Beside it what was
  trained on the told facts of that other half itself: the same network, and embeddings, which can only be learnt there.

All are measured by filtered ranking of heads and tails, among all entities (of the half), with realistic ranks.
"""

import argparse
import json
import os
import platform
import tempfile
import warnings
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np
import pandas as pd
from facts import CONFIG, Problem, problem, trained
from knowledge import METRICS, OURS, rows_of

from mmgraph.configuration import load
from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.evaluate.evaluate import fit_link_baselines
from mmgraph.evaluate.family import FamilyQuestion, gathered
from mmgraph.evaluate.prepared import of_facts
from mmgraph.evaluate.ranking import ranks
from mmgraph.graph.contract import Edges, Graph
from mmgraph.pipeline import fit
from mmgraph.split.contract import LinkSplit, Split

PATHS = Path(__file__).parent.parent / "configs" / "paths.yaml"
SIMPLE = ("ease", "popularity")
HEAD = """# Missing facts by paths

`python benchmarks/paths.py`, {date}, {where}. configs/paths.yaml as it is; embeddings: configs/knowledge.yaml with the width and epochs of
benchmarks/knowledge.py. Epochs are chosen on validation facts. Filtered ranking of heads and tails among all entities (of the half),
realistic ranks; intervals are bootstraps over facts. Train s: wall time of one thread on a machine that others used as well.
The figure by which an epoch is chosen is lower (UMLS: .68), because what the test facts answer counts as wrong there: training does not
know them. With the filter of the table, validation MRR of these paths is .947.
"""


def measured(family, methods):
    """{name: {"ranks", "units"}} of link methods on the test facts of a family."""
    units = family.units(family.split.test)
    return {
        name: {"ranks": ranks(one, family, family.split.test, "target").rank, "units": units} for name, one in methods.items()
    }


def simple(family, split):
    """EASE and popularity, which see the train facts alone."""
    questions = {relation: LinkQuestion(split.visible, split.links[relation], 0) for relation in family.relations}
    fitted = {relation: fit_link_baselines(one, SIMPLE) for relation, one in questions.items()}
    return {method.name: method for method in gathered(family, fitted)}


def learnt(one):
    """(a trained head, its link method for the family of its own split, and what is said of the training)."""
    result, seconds = trained(one)
    fitted = result.heads[0]
    valid = [value for _, what, value in result.curves if what == "valid/score"]
    said = {"seconds": seconds, "epochs": len(valid), "valid mrr while training": max(valid)}
    family = FamilyQuestion.of(fitted.head.name, one.split, fitted.head.relations, 0)
    method = of_facts(fitted.head, fitted.embeddings, family.items)
    return fitted.head, family, method, said


def published(given, name, seed):
    """Of the published split of one data set, as ``mmgraph fit`` measures it."""
    fast = ["--trainer.max_epochs=1"] if given.quick else []
    told = [f"--catalogue.root={Path(given.root) / name}", f"--run.seed={seed}", *fast]
    rows, found = {"mmgraph": "paths and simple methods combined", "gnn": "paths"} | {one: one for one in SIMPLE}, {}
    for method, one in ran(given.runs / f"{name}-paths-{seed}", PATHS, told).items():
        if method in rows:
            found[rows[method]] = one
    vectors = [*OURS[name], *told]
    return found | {"embeddings": ran(given.runs / f"{name}-embeddings-{seed}", CONFIG, vectors)["gnn"]}


def ran(folder, config, told):
    """{method: {"ranks", "units"}} of the test facts in a run; one that is there already is not made again."""
    if not (folder / "ranks.parquet").is_file():
        fit(load(config, [*told, f"--run.dir={folder}"]))
    table = pd.read_parquet(folder / "ranks.parquet")
    facts = table.groupby(["source", "relation", "target"], sort=True).ngroup().to_numpy()
    found = {}
    for method in table["method"].unique():
        own = (table["method"] == method).to_numpy()
        found[str(method)] = {"ranks": table["rank"].to_numpy()[own], "units": facts[own]}
    curves = pd.read_csv(folder / "curves.csv")
    found["gnn"]["epochs"] = int(curves["epoch"].max()) + 1
    return found


def half(one, items, seed):
    """The split of a problem, between ``items`` alone: 70 % of a relation's facts told, 10 % validation, 20 % test."""
    rng, visible = np.random.default_rng(seed), one.split.visible
    kind = next(iter(visible.ids))
    place = np.full(visible.count(kind), -1)
    place[items] = np.arange(len(items))
    links = {}
    for relation, every in one.split.links.items():
        source, target = place[every.edges.source], place[every.edges.target]
        inside = (source >= 0) & (target >= 0)
        edges = Edges(relation, source[inside], target[inside])
        order = rng.permutation(len(edges))
        cuts = [round(0.7 * len(edges)), round(0.8 * len(edges))]
        links[relation] = LinkSplit(edges, *(np.sort(part).astype(np.int64) for part in np.split(order, cuts)))
    edges = {relation: part.edges.take(part.train) for relation, part in links.items()}
    split = Split(links, {}, Graph({kind: visible.ids[kind][items]}, edges))
    return Problem(one.settings, split, one.tasks)


def unseen(given, name, seed):
    """Of one division of the items."""
    fast = ["--trainer.max_epochs=1"] if given.quick else []
    whole = problem(given.root, name, [f"--run.seed={seed}", *fast], PATHS)
    (kind,) = whole.split.visible.ids
    order = np.random.default_rng(seed).permutation(whole.split.visible.count(kind))
    first, second = (half(whole, np.sort(items), seed) for items in np.array_split(order, 2))
    head, _, _, said = learnt(first)
    (again,) = second.tasks[0].heads(second.split, second.settings.model)
    again.load_state_dict(head.state_dict())
    own, family, paths, said_own = learnt(second)
    assert own.relations == again.relations
    methods = {
        "paths, trained on the other items": of_facts(again.eval(), {}, family.items),
        "paths, trained on these items": paths,
    }
    vectors = Problem(problem(given.root, name, [*OURS[name], *fast], CONFIG).settings, second.split, [])
    vectors.tasks = problem(given.root, name, [], CONFIG).tasks
    _, _, embeddings, said_vectors = learnt(vectors)
    found = measured(family, {**methods, "embeddings, trained on these items": embeddings, **simple(family, second.split)})
    for row, what in zip(list(found), (said, said_own, said_vectors), strict=False):
        found[row] |= what
    for row in found.values():
        row["units"] = row["units"] + seed * 1_000_000  # the facts of another division are others
    return found


def table(title, rows):
    """Markdown."""
    lines = [
        f"## {title}",
        "",
        "| method | MRR | hits@1 | hits@3 | hits@10 | epochs | train s |",
        "|---|---|---|---|---|---|---|",
    ]
    for method, row in rows.items():
        figures = [f"{row[metric]['value']:.3f}".lstrip("0") for metric in METRICS]
        figures[0] += f" ({row['mrr']['low']:.3f} to {row['mrr']['high']:.3f})".replace("0.", ".")
        said = [f"{np.mean(row[key]):.0f}" if key in row else "" for key in ("epochs", "seconds")]
        lines.append(f"| {method} | " + " | ".join(figures + said) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="../shared/data/graphs")
    parser.add_argument("--data", default="umls,kinship")
    parser.add_argument("--parts", default="published,unseen")
    parser.add_argument("--seeds", type=int, default=1, help="of the published split")
    parser.add_argument("--draws", type=int, default=3, help="divisions of the items")
    parser.add_argument("--runs", type=Path, help="of the published splits; a temporary folder when not given")
    parser.add_argument(
        "--keep", action="store_true", help="tables of an earlier call in the file of results that are not made anew"
    )
    parser.add_argument("--quick", action="store_true", help="one epoch: to see that all of it runs")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "paths")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        given.runs = given.runs or Path(folder)
        measure(given)
    print(given.out.with_suffix(".md").read_text())


def measure(given):
    """All parts of all data sets."""
    path = given.out.with_suffix(".json")
    every = json.loads(path.read_text())["data"] if given.keep and path.is_file() else {}
    made = {"published": (published, given.seeds), "unseen": (unseen, given.draws)}
    for name in given.data.split(","):
        for part in given.parts.split(","):
            function, repeats = made[part]
            by_seed = {}
            for seed in range(7, 7 + repeats):
                for method, found in function(given, name, seed).items():
                    by_seed.setdefault(method, []).append(found)
                every[f"{name}, {part}"] = rows_of(by_seed)
                write(given, every)  # what is done is kept, whatever comes


def write(given, every):
    """The figures as JSON, and tables of them."""
    where = f"cpu, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    date = datetime.now(tz=UTC).date().isoformat()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    written = {"date": date, "where": where, "data": every}
    given.out.with_suffix(".json").write_text(json.dumps(written, indent=1, default=str) + "\n")
    tables = [table(title, rows) for title, rows in every.items()]
    given.out.with_suffix(".md").write_text(HEAD.format(date=date, where=where) + "\n" + "\n\n".join(tables) + "\n")


if __name__ == "__main__":
    main()
