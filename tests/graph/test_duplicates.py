"""Groups of near-copies: who is near whom, what is left apart, and what is written and read back."""

import numpy as np
import pytest

from mmgraph.encode.fingerprints.picture import ImageFingerprint
from mmgraph.graph.candidates import by_bits, by_cosine, stars
from mmgraph.graph.contract import Copies, Features, Graph
from mmgraph.graph.duplicates import with_duplicates
from mmgraph.graph.heterograph import load, save
from mmgraph.graph.prints import prints
from mmgraph.media.clip import Frames
from mmgraph.settings import NearDuplicateSettings

SETTINGS = NearDuplicateSettings()


def scene(seed, noise=0):
    rng = np.random.default_rng(seed)
    canvas = np.full((96, 96, 3), 128, np.uint8)
    for _ in range(40):
        top, left, tall, wide = rng.integers(0, 80, 2).tolist() + rng.integers(8, 40, 2).tolist()
        canvas[top : top + tall, left : left + wide] = rng.integers(20, 230, 3)
    grain = np.random.default_rng((seed, noise)).integers(-8, 9, canvas.shape) if noise else 0
    return (canvas + grain).astype(np.uint8)


def graph_of(seeds, kind="image", content=None, vectors=None, **more):
    """Item i shows scene ``seeds[i]`` with a grain of its own; None is black. Vectors are the scene's, nearly."""
    clips = [
        Frames((np.zeros((96, 96, 3), np.uint8) if seed is None else scene(seed, i + 1))[None]) for i, seed in enumerate(seeds)
    ]
    if vectors is None:
        vectors = [np.random.default_rng(seed or 0).normal(size=16) + 0.001 * i for i, seed in enumerate(seeds)]
    present = np.ones(len(seeds), bool)
    ids = {kind: np.array([f"i{i}" for i in range(len(seeds))], object), **more.pop("ids", {})}
    features = {
        (kind, "image"): Features(
            np.array(vectors, np.float32).reshape(len(seeds), len(vectors[0]) if len(seeds) else 16), present
        )
    }
    graph = Graph(ids, {}, features, content={} if content is None else {kind: np.array(content, object)}, **more)
    return graph, {(kind, "image"): Features(ImageFingerprint().encode(clips), present)}


def test_nothing_and_one():
    for seeds in ([], [1]):
        graph, marks = graph_of(seeds)
        assert with_duplicates(graph, marks, SETTINGS).duplicates["image"].first.tolist() == list(range(len(seeds)))
    assert with_duplicates(graph, {}, SETTINGS).duplicates == {}
    assert with_duplicates(graph, marks, NearDuplicateSettings(find=False)).duplicates == {}


def test_each_copy_is_with_its_original():
    seeds = [0, 1, 2, 3, 1, 4, 0, 1, None, None]
    graph, marks = graph_of(seeds)
    copies = with_duplicates(graph, marks, SETTINGS).duplicates["image"]
    same = copies.first[:, None] == copies.first[None]
    wanted = np.array([[(a == b and a is not None) or i == j for j, b in enumerate(seeds)] for i, a in enumerate(seeds)])
    np.testing.assert_array_equal(same, wanted)
    joined = copies.first != np.arange(len(seeds))
    assert (copies.distance[joined] > 0).all()
    assert (copies.distance[joined] <= SETTINGS.picture).all()
    assert (copies.cosine[joined] > 0.99).all()
    assert (copies.distance[~joined] == 0).all()
    assert np.isnan(copies.cosine[~joined]).all()


def test_more_copies_than_neighbours_are_one_group():
    graph, marks = graph_of([5] * 40 + list(range(6, 26)))
    first = with_duplicates(graph, marks, SETTINGS).duplicates["image"].first
    assert len(np.unique(first[:40])) == 1
    assert first[40:].tolist() == list(range(40, 60))


def test_vectors_must_agree():
    seeds = [0, 0, *range(1, 12)]
    vectors = np.eye(len(seeds))
    vectors[1] = -vectors[0]
    graph, marks = graph_of(seeds, vectors=vectors)
    assert with_duplicates(graph, marks, SETTINGS).duplicates["image"].first.tolist() == list(range(len(seeds)))


def test_the_same_bytes_are_one_throughout():
    graph, marks = graph_of([0, 1, 0, 1, 2], content=["a", "b", "c", "b", ""])
    first = with_duplicates(graph, marks, SETTINGS).duplicates["image"].first
    assert first[0] == first[2]
    assert first[3] == first[1]
    assert first[4] == 4


def test_segments_of_one_video_make_no_group_but_copies_of_two_do():
    """Two videos of three segments each that show the same; one whose camera stands still."""
    parent = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    kinds = np.array(["video"] * 8, object)
    graph, marks = graph_of(
        [0, 1, 2, 0, 1, 2, 7, 7],
        kind="segment",
        ids={"video": np.array(["v0", "v1", "v2"], object)},
        parent={"segment": parent},
        parent_kind={"segment": kinds},
    )
    found = with_duplicates(graph, marks, SETTINGS).duplicates
    first = found["segment"].first
    assert (first[:3] == first[3:6]).all()
    assert first[6:].tolist() == [6, 7]
    assert found["video"].first.tolist() == [0, 0, 2]
    assert found["video"].distance.tolist() == [0, 0, 0]


def test_a_shared_title_makes_no_copy_of_a_video():
    parent = np.array([0, 0, 0, 1, 1, 1])
    graph, marks = graph_of(
        [0, 1, 2, 0, 3, 4], kind="segment", ids={"video": np.array(["v0", "v1"], object)}, parent={"segment": parent}
    )
    found = with_duplicates(graph, marks, SETTINGS).duplicates
    assert found["segment"].first[3] == found["segment"].first[0]
    assert found["video"].first.tolist() == [0, 1]


def test_written_and_read_back(tmp_path):
    graph, marks = graph_of([0, 1, 0])
    graph = with_duplicates(graph, marks, SETTINGS)
    save(graph, tmp_path)
    again = load(tmp_path).duplicates
    assert list(again) == ["image"]
    for name in ("first", "distance", "cosine"):
        np.testing.assert_array_equal(getattr(again["image"], name), getattr(graph.duplicates["image"], name))
    assert isinstance(again["image"], Copies)


def test_candidates_are_the_nearest():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (30, 60), np.uint8)
    codes[1] = codes[0]
    far = np.unpackbits(codes[:, None] ^ codes[None], axis=2).mean(axis=2)
    assert by_bits(codes, 0.33).tolist() == [[0, 1]]
    for i, j in by_bits(codes, 1.0).tolist():
        assert i < j
        assert min((far[i] < far[i, j]).sum(), (far[j] < far[i, j]).sum()) <= 10
    unit = rng.normal(size=(30, 8)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    found = {tuple(pair) for pair in by_cosine(unit).tolist()}
    nearest = np.argsort(-(unit @ unit.T) + 9 * np.eye(30), axis=1)[:, :10]
    assert found >= {(min(i, j), max(i, j)) for i, row in enumerate(nearest.tolist()) for j in row}
    assert by_bits(codes[:1], 1.0).shape == by_cosine(unit[:0]).shape == (0, 2)


@pytest.mark.parametrize(
    ("pairs", "first"),
    [
        ([], [0, 1, 2, 3, 4]),
        ([(0, 1), (1, 2), (2, 3), (3, 4)], [1, 1, 1, 3, 3]),  # a chain is cut
        ([(0, 4), (1, 4), (2, 4)], [4, 4, 4, 3, 4]),
    ],
)
def test_stars(pairs, first):
    assert stars(5, np.array(pairs, np.int64).reshape(-1, 2)).tolist() == first


def test_fingerprints_are_of_one_width_in_a_kind():
    kinds = {"a": "image", "b": "segment", "c": "clip", "d": "clip"}
    moves = {"a": False, "b": True, "c": False, "d": True}
    found = [(chosen.card.input, items) for chosen, items in prints("image", kinds, kinds, moves, 8)]
    assert found == [("32 px, 1 frames", ["a"]), ("32 px, 4 frames", ["b", "c", "d"])]
    assert [items for _, items in prints("audio", ["a"], kinds, moves, 8)] == [["a"]]
    assert list(prints("text", ["a"], kinds, moves, 8)) == []
