"""Tiles and the index give what all scores at once give; the index says how much of it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.errors import RunError
from mmgraph.evaluate.gnn import ScorerLinks
from mmgraph.evaluate.prepared import Prepared
from mmgraph.model.scorers.dot import Dot
from mmgraph.model.scorers.mlp import MLP
from mmgraph.outputs import approximate, tiles
from mmgraph.outputs.approximate import index_of
from mmgraph.outputs.predictions import top_links
from mmgraph.outputs.tiles import Running, tiled_links

from .conftest import Given, link_question


def prepared(sources, targets, scorer=None):
    """By prepared vectors, float32 arrays."""
    scorer = scorer or Dot(sources.shape[1], heads=False)
    source, target = torch.from_numpy(sources), torch.from_numpy(targets)

    def score(queries, direction):
        assert direction == "target"
        with torch.no_grad():
            return scorer.matrix(source[queries], target).numpy()

    return Prepared(ScorerLinks("gnn", score), scorer, lambda chosen: source[chosen], target)


def rows(blocks):
    out = []
    for _, top in blocks:
        out += zip(*(getattr(top, name).tolist() for name in ("source", "target", "score", "rank", "known")), strict=True)
    return out


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_tiles_give_what_all_scores_at_once_give(data):
    loops = data.draw(st.booleans())
    count = data.draw(st.integers(1, 9))
    targets = count if loops else data.draw(st.integers(1, 9))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    vectors = [rng.integers(-1, 2, (n, 2)).astype(np.float32) for n in (count, targets)]  # many ties, no rounding
    cells = st.tuples(st.integers(0, count - 1), st.integers(0, targets - 1))
    known = sorted(data.draw(st.sets(cells, max_size=14)))
    counts = {"a": count} if loops else {"a": count, "b": targets}
    question = link_question("a/r/a" if loops else "a/r/b", counts, known)
    chosen = np.array(data.draw(st.permutations(range(count)))[: data.draw(st.integers(0, count))], np.int64)
    method, top_k = prepared(*vectors), data.draw(st.integers(1, 5))
    wanted = rows(top_links(question, method, top_k, chosen))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "SOURCES", data.draw(st.integers(1, 4)))
        patch.setattr(tiles, "CELLS", data.draw(st.integers(1, 20)))
        assert rows(tiled_links(question, method, top_k, chosen)) == wanted
        found = index_of(question, method, top_k, recall=1.0)
        near = rows(found.links(question, top_k, chosen))  # of equal scores it may take others
        assert [(row[0], row[2]) for row in near if not row[4]] == [(row[0], row[2]) for row in wanted if not row[4]]


def test_some_sources_have_the_rows_that_they_have_among_all():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(30, 12)).astype(np.float32)
    question = link_question("a/r/b", {"a": 30, "b": 12}, [(i, (3 * i) % 12) for i in range(30)])
    every = rows(top_links(question, Given(matrix), 3))
    chosen = np.array([7, 29, 0, 7])
    assert rows(top_links(question, Given(matrix), 3, chosen[:3])) == [r for s in chosen[:3] for r in every if r[0] == s]


def test_running_keeps_the_best_whatever_the_tiles():
    scores = np.random.default_rng(0).integers(0, 5, (6, 40)).astype(np.float32)
    scores[2] = -np.inf
    scores[3, 4:] = -np.inf
    for width in (1, 3, 7, 40):
        best = Running(6, 4)
        for start in range(0, 40, width):
            best.add(scores[:, start : start + width], start)
        row, column, value, rank = best.found()
        for one in range(6):
            wanted = [c for c in sorted(range(40), key=lambda c: (-scores[one, c], c)) if np.isfinite(scores[one, c])][:4]
            assert column[row == one].tolist() == wanted
            assert rank[row == one].tolist() == list(range(1, len(wanted) + 1))
            assert value[row == one].tolist() == scores[one, wanted].tolist()


@pytest.mark.parametrize("wanted", [0.3, 0.95])
def test_the_recall_that_is_said_is_that_of_all_sources(wanted, monkeypatch):
    monkeypatch.setattr(approximate, "MEASURED", 100)
    rng = np.random.default_rng(1)
    sources, targets = (rng.normal(size=(n, 16)).astype(np.float32) for n in (1500, 2000))
    question = link_question("a/r/b", {"a": 1500, "b": 2000}, [(i, i) for i in range(1500)])
    method = prepared(sources, targets)
    near = index_of(question, method, 5, wanted)
    every = np.arange(1500)
    exact = {row[:2] for row in rows(tiled_links(question, method, 5, every)) if not row[4]}
    found = [row for row in rows(near.links(question, 5, every)) if not row[4]]
    share = len(exact & {row[:2] for row in found}) / len(exact)
    assert near.recall == pytest.approx(share, abs=0.06)
    assert near.probed < near.cells if wanted < 0.5 else near.recall > 0.9
    right = [np.isclose(row[2], sources[row[0]] @ targets[row[1]], rtol=1e-4) for row in found[:200]]
    assert all(right)
    known = [row for row in rows(near.links(question, 5, every[:50])) if row[4]]
    assert all(row[0] == row[1] for row in known)


def test_nearest_are_not_the_best_of_other_scorers_and_of_combinations():
    question = link_question("a/r/b", {"a": 2, "b": 2}, [])
    vectors = np.ones((2, 4), np.float32)
    message = r"what this run hands out cannot be searched by an index; given: a/r/b; leave --approximate out"
    for method in (prepared(vectors, vectors, MLP(4)), Given(np.ones((2, 2), np.float32))):
        with pytest.raises(RunError, match=message):
            index_of(question, method, 3, 0.9)


def test_scores_that_are_not_finite_are_refused():
    question = link_question("a/r/b", {"a": 1, "b": 2}, [])
    vectors = np.ones((1, 2), np.float32), np.array([[1, 1], [np.nan, 0]], np.float32)
    with pytest.raises(RunError, match="gnn gave scores for a/r/b that are not finite"):
        list(tiled_links(question, prepared(*vectors), 2, np.arange(1)))


def test_memory_of_a_tile_does_not_grow_with_sources_or_targets(monkeypatch):
    monkeypatch.setattr(tiles, "SOURCES", 8)
    monkeypatch.setattr(tiles, "CELLS", 8 * 16)
    seen = []
    tile = Prepared.tile
    monkeypatch.setattr(Prepared, "tile", lambda self, q, a, b: seen.append((len(q), b - a)) or tile(self, q, a, b))
    vectors = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    question = link_question("a/r/b", {"a": 100, "b": 100}, [])
    assert len(rows(tiled_links(question, prepared(vectors, vectors), 2, np.arange(100)))) == 200
    assert max(seen) == (8, 16)
    assert len(seen) == 13 * 7
