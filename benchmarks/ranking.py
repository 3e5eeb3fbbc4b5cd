"""Filtered ranking of CoDEx-S's test triples, heads and tails: mmgraph's evaluator beside PyKEEN's, on the same scores of one ComplEx.

python benchmarks/ranking.py [--root ../shared/data/graphs] [--data codex-s] [--width 512] [--repeats 9] [--device cpu] [--out FILE]

The model's vectors are random, the same in all. On a CPU most of PyKEEN's time goes into scores, so its evaluator (extra ``bench``) is
also given scores by mmgraph's scorer: then only filtering and ranking differ. It has its best batch size of several, by one pass each
before. Times alternate in one process; peak memory is that of a process of its own.
"""

import argparse
import logging
import multiprocessing
import os
import platform
import statistics
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np
import torch

SIZES = (32, 128, 512, 2048)


class Theirs:
    """PyKEEN's model with random vectors, and its evaluator."""

    def __init__(self, given):
        from pykeen.evaluation import RankBasedEvaluator
        from pykeen.models import ComplEx
        from pykeen.triples import TriplesFactory

        folder = Path(given.root) / given.data
        self.train = TriplesFactory.from_path(folder / "train.txt")
        ids = {"entity_to_id": self.train.entity_to_id, "relation_to_id": self.train.relation_to_id}
        valid, self.test = (TriplesFactory.from_path(folder / f"{which}.txt", **ids) for which in ("valid", "test"))
        self.known = [self.train.mapped_triples, valid.mapped_triples]
        model = ComplEx(triples_factory=self.train, embedding_dim=given.width // 2, random_seed=1)
        self.model = model.to(given.device).eval()
        self.evaluator = RankBasedEvaluator(filtered=True)
        self.size = SIZES[-1]

    def scored_by(self, head, rows, entity, number):
        """From now on scores are mmgraph's; ``entity``, ``number``: PyKEEN's numbers of our items and relations."""
        item_of, relation_of = (torch.empty_like(one).scatter_(0, one, torch.arange(len(one))) for one in (entity, number))
        rows = {
            kind: vectors[item_of] for kind, vectors in rows.items()
        }  # items in PyKEEN's order: nothing is copied afterwards

        def predict(hrt_batch, target, **_):
            asked = hrt_batch[:, 2] if target == "head" else hrt_batch[:, 0]
            relation = relation_of[hrt_batch[:, 1]] + len(number) * (target == "head")
            return head.scores(rows, asked.numpy(), relation.numpy())

        self.model.predict = predict

    def mrr(self):
        """Of realistic ranks."""
        found = self.evaluator.evaluate(
            self.model, self.test.mapped_triples, batch_size=self.size, use_tqdm=False, additional_filter_triples=self.known
        )
        return found.get_metric("both.realistic.inverse_harmonic_mean_rank")


class Ours:
    """The same vectors in mmgraph's scorer, and its ranking."""

    def __init__(self, given, theirs):
        from facts import problem

        from mmgraph.evaluate.family import FamilyQuestion
        from mmgraph.evaluate.prepared import of_facts

        override = f"--model.width={given.width}"
        one = problem(given.root, given.data, [override])
        one.tasks[0] = type(one.tasks[0])(kind="entity", reciprocal=False)
        (head,) = one.tasks[0].heads(one.split, one.settings.model)
        ids = one.split.visible.ids["entity"]
        entity = torch.tensor([theirs.train.entity_to_id[str(name)] for name in ids])
        number = torch.tensor([theirs.train.relation_to_id[relation.name] for relation in head.relations])
        with torch.no_grad():
            rows = _halves(theirs.model.entity_representations[0](entity))
            head.scorer.relation.copy_(_halves(theirs.model.relation_representations[0](number)))
        self.told = (head.eval(), {"entity": rows.detach()}, entity, number)
        self.family = FamilyQuestion.of(head.name, one.split, head.relations, 7)
        self.method = of_facts(*self.told[:2], self.family.items)

    def mrr(self):
        """Of mean ranks."""
        from mmgraph.evaluate.ranking import ranks

        return float(np.mean(1 / ranks(self.method, self.family, self.family.split.test, "target").rank))


def _halves(rows):
    """Complex numbers -> real parts, then imaginary parts."""
    rows = rows.detach().cpu()
    return torch.cat([rows.real, rows.imag], 1) if rows.is_complex() else torch.cat([rows[..., 0], rows[..., 1]], -1)


def seconds(run):
    """Of one pass, and the MRR it gives."""
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


MMGRAPH, SCORED, WHOLE = "mmgraph", "PyKEEN, scores by mmgraph", "PyKEEN"


def made(given):
    """The three, by name."""
    whole, scored = Theirs(given), Theirs(given)
    ours = Ours(given, whole)
    scored.scored_by(*ours.told)
    return {MMGRAPH: ours, SCORED: scored, WHOLE: whole}


def grown(given, which, size, answer):
    """MB that one ranking adds to the peak of a process that has only made what is ranked."""
    from facts import peak_mb

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    one = made(given)[which]
    one.size = size
    before = peak_mb()
    one.mrr()
    answer.put((before, peak_mb() - before))


def memory(given, which, size):
    """(before, grown) MB in a process of its own."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=grown, args=(given, which, size, answer))
    process.start()
    found = answer.get(timeout=600)
    process.join()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="../shared/data/graphs")
    parser.add_argument("--data", default="codex-s")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", default="cpu", help="of PyKEEN; mmgraph ranks on the CPU")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    every = made(given)
    for name in (SCORED, WHOLE):
        first = {}
        for every[name].size in SIZES:
            first[every[name].size] = seconds(every[name].mrr)[0]
        every[name].size = min(first, key=first.get)
    times, found = {name: [] for name in every}, {}
    seconds(every[MMGRAPH].mrr)
    for repeat in range(given.repeats):
        for name, one in every.items():
            if name != WHOLE or repeat < 3:  # it takes a hundred times as long
                took, found[name] = seconds(one.mrr)
                times[name].append(took)
    where = f"{given.device}, {torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__}"
    queries = 2 * len(every[WHOLE].test.mapped_triples)
    lines = [
        f"{datetime.now(tz=UTC).date()}, {given.data}, ComplEx of width {given.width}, {queries} queries, {where}",
        "",
        "| evaluator | s, median (lowest to highest) | time of mmgraph over its time | MRR | peak MB before | grown MB |",
        "|---|---|---|---|---|---|",
    ]
    for name, values in times.items():
        size = getattr(every[name], "size", None)
        before, added = memory(given, name, size)
        spread = f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
        ratios = [ours / other for ours, other in zip(times[MMGRAPH], values, strict=False)]
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if name != MMGRAPH else ""
        label = name if size is None else f"{name}, batch {size}"
        lines.append(f"| {label} | {spread} | {ratio} | {found[name]:.7f} | {before:.0f} | {added:.0f} |")
    print("\n".join(lines))
    if given.out:
        given.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
