"""Missing facts of CoDEx-S, UMLS and Kinship: mmgraph with one configuration beside PyKEEN's ComplEx and RotatE, on the same test triples.

python benchmarks/knowledge.py [--root ../shared/data/graphs] [--data codex-s,umls,kinship] [--seeds 1] [--device cpu]
    [--only mmgraph|pykeen] [--peers umls,kinship] [--models ComplEx,RotatE]
    [--ways published,study,stopped] [--quick] [--settings sweep.json] [--keep] [--out benchmarks/results/knowledge]

mmgraph is trained with configs/knowledge.yaml, of which only width and epochs differ between the data sets (OURS below). PyKEEN
(extra ``bench``) is trained with settings of its own, each of them:

- *published*: the file of its ``experiments`` folder for the model, as it is: ComplEx with trouillon2016_complex_fb15k.json, RotatE with
  sun2019_rotate_fb15k237.json. It has none for these three data sets.
- *study*: what its benchmarking study (Ali et al. 2022, arXiv 2006.13365) found best by validation for the model on Kinships, to the last
  digit (STUDY below), also for the other data sets; as many epochs as the study trained in the end.
- *stopped*: the same, and its own stopper watches MRR on the validation triples and takes the best epoch.

All are measured by filtered ranking of heads and tails with realistic ranks. Every training is a process of its own, so that its peak
memory is its own. The scores of PyKEEN's models are also ranked by mmgraph, to see that both mean the same.
"""

import argparse
import copy
import json
import logging
import multiprocessing
import os
import platform
import queue
import time
import warnings
from datetime import UTC, datetime
from importlib import resources
from multiprocessing.pool import ThreadPool
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np

SETS = ("codex-s", "umls", "kinship")
OURS = {
    "codex-s": ["--model.width=2048", "--trainer.max_epochs=60"],
    "umls": ["--model.width=512", "--trainer.max_epochs=100"],
    "kinship": ["--model.width=512", "--trainer.max_epochs=100"],
}
QUICK = ["--model.width=32", "--trainer.max_epochs=2"]
FILES = {"ComplEx": "complex/trouillon2016_complex_fb15k.json", "RotatE": "rotate/sun2019_rotate_fb15k237.json"}
HEAD = """# Missing facts beside PyKEEN

`python benchmarks/knowledge.py`; each row says on which machine and when (times are those of a shared device or shared cores).
Filtered ranking of heads and tails among all entities, realistic ranks, all on the same test triples; intervals are bootstraps over
test triples. mmgraph: configs/knowledge.yaml, chosen by benchmarks/knowledge_sweep.py on the validation triples; only width and epochs
differ between the data sets. PyKEEN 1.11.1, *published*: its own experiment file for the model (it has none for these data sets);
*study*: what its benchmarking study (Ali et al. 2022) found best by validation for the model on Kinships, as many epochs as there;
*stopped*: the same with PyKEEN's early stopping by MRR on validation; *default rate*: rows of an earlier call, Adam at the library's .001,
LCWA, cross-entropy, width 256, inverse triples, stopped on validation. That is no fair figure for ComplEx, whose vectors start at N(0, 1)
and hardly move at that rate: on UMLS, width 64, 25 epochs, test MRR is .059 with and .059 without PyKEEN's regulariser, and .294 at the
study's rate of .022. The study itself trained its settings on Kinships (8,544 / 1,068 / 1,074 triples) to a test MRR of .690 (ComplEx)
and .706 (RotatE), first replicate, github.com/pykeen/benchmarking. Published value of ComplEx on CoDEx-S: .465 (Safavi and Koutra
2020). Peak MB is of the process, device MB of the GPU.
"""
STUDY = {
    "ComplEx": {
        "model": "ComplEx",
        "model_kwargs": {"embedding_dim": 256, "regularizer": None},
        "loss": "CrossEntropy",
        "training_loop": "LCWA",
        "optimizer": "Adam",
        "optimizer_kwargs": {"lr": 0.022302102484576144},
        "training_kwargs": {"num_epochs": 200, "batch_size": 128, "label_smoothing": 0.026875993128439003},
    },
    "RotatE": {
        "model": "RotatE",
        "model_kwargs": {"embedding_dim": 256},
        "loss": "MarginRanking",
        "loss_kwargs": {"margin": 7.437975474685172},
        "training_loop": "sLCWA",
        "negative_sampler": "basic",
        "negative_sampler_kwargs": {"num_negs_per_pos": 8},
        "optimizer": "Adam",
        "optimizer_kwargs": {"lr": 0.0016570575329743096},
        "training_kwargs": {"num_epochs": 450, "batch_size": 256},
    },
}
"""From github.com/pykeen/benchmarking, ablation/results, pipeline_config.json of the trial with the highest hits@10 on validation:
complex/kinships/random/2020-03-11-13-38_470fd719…_hpo_complex_kinships_lcwa_crossentropy/0000 (.9766) and
rotate/kinships/random/2020-04-02-18-17_980ea3f5…/0000 (.9794; its twin without inverse triples has the same). Both with inverse triples
and without a regulariser, which PyKEEN 1.11 otherwise gives to ComplEx; "owa" there is sLCWA here."""
METRICS = {
    "mrr": lambda rank: 1 / rank,
    "hits@1": lambda rank: rank <= 1,
    "hits@3": lambda rank: rank <= 3,
    "hits@10": lambda rank: rank <= 10,
}


def of_mmgraph(given, name, seed):
    """{method: {"ranks", "units", ...}} of the trained model and of popularity."""
    from facts import peak_mb, problem, trained
    from knowledge_sweep import overrides

    from mmgraph.evaluate.contract import LinkQuestion
    from mmgraph.evaluate.evaluate import fit_link_baselines
    from mmgraph.evaluate.family import FamilyQuestion, gathered
    from mmgraph.evaluate.prepared import of_facts
    from mmgraph.evaluate.ranking import ranks

    chosen = overrides(name, json.loads(given.settings.read_text())["best"]) if given.settings else OURS[name]
    one = problem(given.root, name, [*chosen, *(QUICK if given.quick else []), f"--run.seed={seed}"])
    result, seconds = trained(one, given.device)
    head = result.heads[0].head
    family = FamilyQuestion.of(head.name, one.split, head.relations, seed)
    questions = {relation: LinkQuestion(one.split.visible, one.split.links[relation], seed) for relation in head.relations}
    popularity = gathered(family, {relation: fit_link_baselines(q, ("popularity",)) for relation, q in questions.items()})
    start = time.perf_counter()
    ours = ranks(of_facts(head, result.heads[0].embeddings, family.items), family, family.split.test, "target")
    ranked = time.perf_counter() - start
    valid = [value for _, what, value in result.curves if what == "valid/score"]
    units = family.units(family.split.test)
    said = {"epochs": len(valid), "valid mrr while training": max(valid), "ranking s": ranked}
    simple = ranks(popularity[0], family, family.split.test, "target")
    return {
        "mmgraph": _found(ours.rank, units, seconds, peak_mb(), given, said),
        "popularity": _found(simple.rank, units, 0.0, 0.0, given, {}),
    }


def of_pykeen(given, name, seed, model, way):
    """The same of one of PyKEEN's models."""
    from facts import peak_mb, problem
    from pykeen.evaluation import RankBasedEvaluator
    from pykeen.pipeline import pipeline
    from pykeen.triples import TriplesFactory

    folder = Path(given.root) / name
    settings = _published(model) if way == "published" else _of_study(model, way == "stopped")
    inverse = way != "published"
    train = TriplesFactory.from_path(folder / "train.txt", create_inverse_triples=inverse)
    ids = {"entity_to_id": train.entity_to_id, "relation_to_id": train.relation_to_id}
    valid, test = (TriplesFactory.from_path(folder / f"{which}.txt", **ids) for which in ("valid", "test"))
    if given.quick:
        settings["training_kwargs"]["num_epochs"] = 2
        settings["model_kwargs"]["embedding_dim"] = 16
    start = time.perf_counter()
    # what it would measure with the test triples in the end is measured below; while training it sees the validation triples alone
    result = pipeline(
        training=train, validation=valid, testing=valid, random_seed=seed, device=given.device, use_tqdm=False, **settings
    )
    seconds = time.perf_counter() - start
    evaluator = RankBasedEvaluator(filtered=True, clear_on_finalize=False)
    start = time.perf_counter()
    measured = evaluator.evaluate(
        result.model.eval(),
        test.mapped_triples,
        batch_size=256,
        use_tqdm=False,
        additional_filter_triples=[train.mapped_triples, valid.mapped_triples],
    )
    ranked = time.perf_counter() - start
    rank = {side: np.concatenate(evaluator.ranks[side, "realistic"]) for side in ("head", "tail")}
    units = np.arange(len(test.mapped_triples))
    theirs = measured.get_metric("both.realistic.inverse_harmonic_mean_rank")
    memory = peak_mb()  # before anything of ours is trained or ranked in this process
    again = _ranked_by_us(problem(given.root, name), result.model, train, seed)
    said = {
        "epochs": len(result.losses),
        "ranking s": ranked,
        "its own mrr": theirs,
        "mrr by mmgraph's ranking": again,
        "left out": len((folder / "test.txt").read_text().splitlines()) - len(units),
    }
    found = _found(np.concatenate([rank["head"], rank["tail"]]), np.tile(units, 2), seconds, memory, given, said)
    return {f"PyKEEN {model}, {way}": found}


def _ranked_by_us(one, model, train, seed):
    """MRR of their model's scores of the same test triples in mmgraph's own ranking."""
    import torch

    from mmgraph.evaluate.family import FamilyQuestion
    from mmgraph.evaluate.gnn import ScorerLinks
    from mmgraph.evaluate.ranking import ranks

    relations = tuple(relation for task in one.tasks for relation in task.relations(one.split.visible))
    family = FamilyQuestion.of("facts", one.split, relations, seed)
    ids = one.split.visible.ids[family.relation.target]
    entity = np.array([train.entity_to_id[str(name)] for name in ids])
    number = np.array([train.relation_to_id[relation.name] for relation in relations])

    @torch.no_grad()
    def score(queries, _):
        asked, item = np.divmod(queries, family.items)
        rows = np.zeros((len(queries), family.items), np.float32)
        backwards = asked >= len(relations)
        pair = torch.from_numpy(np.stack([entity[item], number[asked % len(relations)]], 1)).to(model.device)
        for which, ask in ((~backwards, model.predict_t), (backwards, lambda hr: model.predict_h(hr.flip(1)))):
            if which.any():
                rows[which] = ask(pair[torch.from_numpy(which).to(model.device)]).float().cpu().numpy()[:, entity]
        return rows

    return float(np.mean(1 / ranks(ScorerLinks("pykeen", score), family, family.split.test, "target").rank))


def _published(model):
    """The settings in PyKEEN's own file; what names the data set and the evaluator is ours to say."""
    text = resources.files("pykeen").joinpath("experiments", *FILES[model].split("/")).read_text(encoding="utf-8")
    settings = json.loads(text)["pipeline"]
    for key in ("dataset", "evaluator_kwargs", "dataset_kwargs"):
        settings.pop(key, None)
    return settings


def _of_study(model, stopped):
    settings = copy.deepcopy(STUDY[model])
    if stopped:
        settings["stopper"] = "early"
        settings["stopper_kwargs"] = {
            "frequency": 5,
            "patience": 6,
            "relative_delta": 0.002,
            "metric": "both.realistic.inverse_harmonic_mean_rank",
        }
    return settings


def _found(rank, units, seconds, memory, given, said):
    import torch

    device = torch.cuda.max_memory_allocated() / 1e6 if given.device == "cuda" else None
    return {"ranks": rank, "units": units, "seconds": seconds, "peak MB": memory, "device MB": device, **said}


def work(function, arguments, answer):
    """One training in a process of its own."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    try:
        answer.put(function(*arguments))
    except Exception as error:  # noqa: BLE001 (one peer that fails leaves the others)
        answer.put({"failed": repr(error)[:500], "arguments": str(arguments[1:])})


def alone(function, arguments, until):
    """What ``function`` gives in a fresh process, which is ended at ``until`` (of time.monotonic)."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=work, args=(function, arguments, answer))
    process.start()
    while True:
        try:
            found = answer.get(timeout=2)
            process.join()
            return found
        except queue.Empty:
            if process.is_alive() and time.monotonic() < until:
                continue
            process.terminate()
            return {"failed": "no time left" if time.monotonic() >= until else "it died", "arguments": str(arguments[1:])}


def rows_of(by_seed):
    """{method: metrics with intervals over links, times, memory} of {method: [found by seed]}."""
    from mmgraph.evaluate.bootstrap import Statistic, draws, grouped, interval

    rows = {}
    for method, found in by_seed.items():
        rank = np.concatenate([one["ranks"] for one in found])
        units = np.concatenate([one["units"] for one in found])
        row = {"seeds": len(found), "queries": len(found[0]["ranks"])}
        for metric, of_rank in METRICS.items():
            one = Statistic(grouped(np.stack([of_rank(rank).astype(float), np.ones(len(rank))], 1), units))
            low, high = interval(draws([one], 1000, 7)[0], 0.95)
            row[metric] = {"value": one.value, "low": low, "high": high}
        row["mrr by seed"] = [float(np.mean(1 / one["ranks"])) for one in found]
        keys = [key for key in found[0] if key not in ("ranks", "units")]
        row |= {key: [one[key] for one in found] for key in keys}
        rows[method] = row
    return rows


def table(name, rows):
    """Markdown."""
    lines = [
        f"## {name}",
        "",
        "| method | MRR | hits@1 | hits@3 | hits@10 | epochs | train s | peak MB | device MB | rank s | machine |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for method, row in rows.items():
        figures = [f"{row[m]['value']:.3f}".lstrip("0") for m in METRICS]
        figures[0] += f" ({row['mrr']['low']:.3f} to {row['mrr']['high']:.3f})".replace("0.", ".")
        times = [_mean(row, key, form) for key, form in (("epochs", "{:.0f}"), ("seconds", "{:.0f}"), ("peak MB", "{:.0f}"))]
        times += [_mean(row, "device MB", "{:.0f}"), _mean(row, "ranking s", "{:.2f}")]
        machine = f"{', '.join(row['machine'].split(', ')[:2])}, {row['date']}"
        lines.append(f"| {method} | " + " | ".join([*figures, *times, machine]) + " |")
    return "\n".join(lines)


def _mean(row, key, form):
    values = [value for value in row.get(key, []) if value]
    return form.format(np.mean(values)) if values else ""


def jobs_of(given, name):
    """(function, arguments) of every training of one data set."""
    for seed in range(7, 7 + given.seeds):
        if given.only != "pykeen":
            yield of_mmgraph, (given, name, seed)
        if given.only != "mmgraph" and name in given.peers.split(",") and seed < 7 + given.peer_seeds:
            for model in given.models.split(","):
                for way in given.ways.split(","):
                    yield of_pykeen, (given, name, seed, model, way)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="../shared/data/graphs")
    parser.add_argument("--data", default=",".join(SETS))
    parser.add_argument("--peers", default=",".join(SETS), help="data sets on which PyKEEN is trained too")
    parser.add_argument("--models", default=",".join(FILES), help="models of PyKEEN")
    parser.add_argument("--ways", default="published,study,stopped", help="settings of PyKEEN")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--peer-seeds", type=int, default=1, help="of PyKEEN's models")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", choices=("mmgraph", "pykeen"))
    parser.add_argument("--quick", action="store_true", help="two epochs, small: to see that all of it runs")
    parser.add_argument("--settings", type=Path, help="of knowledge_sweep.py: its best instead of the configuration file")
    parser.add_argument("--seconds", type=float, default=1e9, help="what has not ended by then is left out, and said to be")
    parser.add_argument("--workers", type=int, default=1, help="trainings at once; more than 1 only where times are not read")
    parser.add_argument(
        "--keep", action="store_true", help="rows of an earlier call in the file of results that are not made anew"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "knowledge")
    given = parser.parse_args()
    names, until = given.data.split(","), time.monotonic() + given.seconds
    jobs = sorted(((name, *job) for name in names for job in jobs_of(given, name)), key=lambda job: job[2][2])
    found = []
    with ThreadPool(given.workers) as pool:
        for name, one in pool.imap_unordered(lambda job: (job[0], alone(job[1], job[2], until)), jobs):
            found.append((name, one))
            write(given, names, found)  # what is done is kept, whatever comes
    print(given.out.with_suffix(".md").read_text())
    for name, one in found:
        if "failed" in one:
            print("failed:", name, one)


def write(given, names, found):
    """The figures as JSON, and tables of them; those of earlier calls stay where ``--keep`` says so, each with its machine and date."""
    path = given.out.with_suffix(".json")
    every = _kept(json.loads(path.read_text())) if given.keep and path.is_file() else {}
    failed = [one for _, one in found if "failed" in one]
    where = f"{given.device}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    date = datetime.now(tz=UTC).date().isoformat()
    for name in names:
        by_seed = {}
        for one in (one for which, one in found if which == name and "failed" not in one):
            for method, figures in one.items():
                by_seed.setdefault(method, []).append(figures)
        rows = {method: {**row, "machine": where, "date": date} for method, row in rows_of(by_seed).items()}
        every[name] = every.get(name, {}) | rows
    written = {"date": date, "where": where, "workers": given.workers, "data": every, "failed": failed}
    tables = [table(name, rows) for name, rows in every.items() if rows]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written, indent=1, default=str) + "\n")
    missing = [f"- Not measured: `{one['arguments']}`: {one['failed']}." for one in failed]
    notes = [HEAD]
    notes += ["\n\n".join(tables), "", *_agreed(every), *missing]
    given.out.with_suffix(".md").write_text("\n".join(notes) + "\n")


def _kept(written):
    """The rows of an earlier call."""
    own = {"machine": written["where"], "date": written["date"]}
    return {name: {method: {**own, **row} for method, row in rows.items()} for name, rows in written["data"].items()}


def _agreed(every):
    """How far PyKEEN's MRR is from mmgraph's ranking of the same scores."""
    theirs = [row for rows in every.values() for row in rows.values() if "its own mrr" in row]
    pairs = [pair for row in theirs for pair in zip(row["its own mrr"], row["mrr by mmgraph's ranking"], strict=True)]
    if not pairs:
        return []
    largest = max(abs(a - b) for a, b in pairs)
    return [
        f"- MRR of PyKEEN's models by its evaluator and by mmgraph's ranking of their scores differ by at most {largest:.1e}."
    ]


if __name__ == "__main__":
    main()
