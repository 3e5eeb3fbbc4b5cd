"""Lists of every method for every user with something held out -> rows of metrics.json with intervals over users, and the verdict.

The only place where the test split of a recommendation is read. Every item is a candidate but those that the user is known to have: the
train links, and in the test the validation links as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmgraph.evaluate.bootstrap import Statistic
from mmgraph.evaluate.contract import LinkMethod, Row
from mmgraph.evaluate.effects import Measurement
from mmgraph.evaluate.evaluate import Measured, compared_by, rows_of
from mmgraph.evaluate.ranking import cells_of
from mmgraph.evaluate.recommend.groups import COLD, Cohort, cohorts, cold_items
from mmgraph.evaluate.recommend.hits import hits_of
from mmgraph.evaluate.recommend.lists import Lists, lists_of
from mmgraph.evaluate.recommend.metrics import OF_USERS, Reals, coverage, gini, mean_popularity, novelty
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.evaluate.verdict import Compared, Verdict, verdict
from mmgraph.progress import Bar
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Bools, Ints


@dataclass(frozen=True)
class Recommended:
    """What one method recommends to the users who have held-out links."""

    method: str
    lists: Lists


def evaluate_recommendations(
    question: RecommendQuestion,
    methods: Sequence[LinkMethod],
    settings: EvaluateSettings,
    tested: list[Measurement] | None = None,
) -> tuple[list[Row], Verdict]:
    """Measure the lists of every method on validation and test links; the main metric of the test is added to ``tested``.

    Rows: for every length k of ``settings.ks`` and ``question.at`` what ``OF_USERS`` has, as ``recall@20``; of ``question.at`` also
    novelty, arp (mean popularity), coverage and gini, the last two without intervals, as they are of all lists together. By group of
    users and items the same; an interval resamples users.
    """
    rows, compared, users = list[Row](), dict[str, Compared](), 0
    for split, edges, known in held_out(question):
        if not len(edges):
            continue
        made = recommended(question, methods, edges, known, settings)
        own, drawn = _whole(question, made, split, edges, settings)
        rows += own
        if split == "test":
            compared = drawn
            users = len(made[0].lists.users)
            _keep(tested, question, made, edges)
            rows += _grouped(question, made, edges, settings)
            rows += _among_cold(question, methods, edges, known, settings)
    rows = [row if row.candidates else replace(row, candidates="kind") for row in rows]
    return rows, verdict("recommend", question.name, question.figure, compared, users, settings.level)


def held_out(question: RecommendQuestion) -> Iterator[tuple[str, Ints, Ints]]:
    """Name of a split, its links, and the links that are known when it is asked."""
    split = question.split
    yield "valid", split.valid, split.train
    yield "test", split.test, np.concatenate((split.train, split.valid))


def recommended(
    question: RecommendQuestion,
    methods: Sequence[LinkMethod],
    edges: Ints,
    known: Ints,
    settings: EvaluateSettings,
    among: Bools | None = None,
) -> list[Recommended]:
    """The lists of every method for the users of these edges, as long as the longest that is measured; what is known besides the train
    links every method may read.
    """
    newer = question.split.edges.take(np.setdiff1d(known, question.split.train))
    users, longest = np.unique(question.units(edges)), max(lengths(question, settings))
    cells, made = cells_of(settings.memory_mb), list[Recommended]()
    with Bar(f"recommending {question.name}", len(users) * len(methods), "users") as bar:
        for method in methods:
            lists = lists_of(
                method.knowing(newer) if len(newer) else method,
                question,
                users,
                known,
                longest,
                among=among,
                cells=cells,
                done=bar.advance,
            )
            made.append(Recommended(method.name, lists))
    return made


def lengths(question: RecommendQuestion, settings: EvaluateSettings) -> tuple[int, ...]:
    """Of the lists that are measured, in order."""
    return tuple(sorted({*settings.ks, question.at}))


def of_users(lists: Lists, question: RecommendQuestion, edges: Ints, ks: Sequence[int]) -> Mapping[str, Reals]:
    """Every metric of hits, each a number a user of the lists; every user has one of the edges at least."""
    hits, count = hits_of(lists, question, edges)
    return {f"{name}@{k}": metric(_padded(hits, k), count) for k in ks for name, metric in OF_USERS.items()}


def _padded(hits: Bools, k: int) -> Bools:
    """Exactly k places, of which those that a list does not have hit nothing."""
    return hits[:, :k] if hits.shape[1] >= k else np.pad(hits, ((0, 0), (0, k - hits.shape[1])))


def _whole(
    question: RecommendQuestion, made: Sequence[Recommended], split: str, edges: Ints, settings: EvaluateSettings
) -> tuple[list[Row], dict[str, Compared]]:
    measured, at = Measured(), question.at
    popularity, active = _popularity(question)
    plain = list[Row]()
    for one in made:
        numbers = dict(of_users(one.lists, question, edges, lengths(question, settings)))
        items = one.lists.upto(at).items
        numbers[f"novelty@{at}"] = novelty(items, popularity, active)
        numbers[f"arp@{at}"] = mean_popularity(items, popularity)
        measured |= {(one.method, name): (_mean(values), len(values)) for name, values in numbers.items()}
        count = question.count("target")
        for name, value in ((f"coverage@{at}", coverage(items, count)), (f"gini@{at}", gini(items, count))):
            plain.append(Row("recommend", question.name, split, one.method, name, value, None, None, len(items)))
    rows, drawn = rows_of("recommend", question.name, split, measured, settings, question.seed)
    return [*rows, *plain], compared_by(question.figure, measured, drawn)


def _popularity(question: RecommendQuestion) -> tuple[Ints, int]:
    """Visible links of every item, and how many users have any."""
    seen = question.visible
    return np.bincount(seen.target, minlength=question.count("target")).astype(np.int64), len(np.unique(seen.source))


def _mean(values: Reals) -> Statistic:
    return Statistic(np.stack((values, np.ones(len(values))), axis=1))


def _keep(tested: list[Measurement] | None, question: RecommendQuestion, made: Sequence[Recommended], edges: Ints) -> None:
    for one in made if tested is not None else ():
        values = of_users(one.lists, question, edges, [question.at])[question.figure]
        assert tested is not None
        tested.append(Measurement("recommend", question.name, one.method, question.figure, _mean(values), len(values)))


def _grouped(question: RecommendQuestion, made: Sequence[Recommended], edges: Ints, settings: EvaluateSettings) -> list[Row]:
    """Metrics of the same lists, of some users or of some of what is held out; an interval draws the users of the group alone."""
    rows = []
    for cohort in cohorts(question, edges):
        measured = Measured()
        for one in made:
            values = _of_cohort(one.lists, question, cohort, [question.at])
            measured |= {(one.method, name): (_mean(of), len(of)) for name, of in values.items()}
        rows += rows_of("recommend", question.name, "test", measured, settings, question.seed, cohort.name)[0]
    return rows


def _of_cohort(lists: Lists, question: RecommendQuestion, cohort: Cohort, ks: Sequence[int]) -> Mapping[str, Reals]:
    there = np.isin(lists.users, question.units(cohort.edges))
    return of_users(Lists(lists.users[there], lists.items[there]), question, cohort.edges, ks)


def _among_cold(
    question: RecommendQuestion, methods: Sequence[LinkMethod], edges: Ints, known: Ints, settings: EvaluateSettings
) -> list[Row]:
    """Held-out items without a visible link, ranked among such items alone: what is known of an item whom nobody has chosen yet."""
    cold = cold_items(question)
    asked = edges[cold[question.split.edges.target[edges]]]
    if not len(asked) or cold.all():
        return []
    measured = Measured()
    for one in recommended(question, methods, asked, known, settings, among=cold):
        values = of_users(one.lists, question, asked, [question.at])
        measured |= {(one.method, name): (_mean(of), len(of)) for name, of in values.items()}
    rows, _ = rows_of("recommend", question.name, "test", measured, settings, question.seed, COLD)
    return [replace(row, candidates="cold") for row in rows]
