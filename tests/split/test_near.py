"""Near-copies stay on one side, and where a table says otherwise the run stops with both names."""

from dataclasses import replace

import numpy as np
import pytest

from mmgraph.errors import LeakError
from mmgraph.graph.contract import Copies
from mmgraph.settings import LabelSplitSettings, LinkSplitSettings, SplitSettings
from mmgraph.split.leaks import check
from mmgraph.split.make import make
from mmgraph.split.pairs import copies, groups, units
from mmgraph.types import Relation

LIKES = Relation("user", "likes", "video")


def near(graph, **first):
    """The graph in which items of each kind are near-copies of the named positions."""
    found = {
        kind: Copies(np.array(some), np.zeros(len(some), np.float32), np.zeros(len(some), np.float32))
        for kind, some in first.items()
    }
    return replace(graph, duplicates=found)


def test_copies_are_those_of_the_same_bytes_and_near_ones(graph):
    made = near(graph({"video": 5}, content={"video": ["a", "a", "b", "c", ""]}), video=[0, 0, 0, 3, 3])
    assert copies(made, "video").tolist() == [0, 0, 0, 3, 3]
    assert groups(made, "video", by_parent=False).tolist() == [0, 0, 0, 3, 3]
    assert groups(made, "video", by_parent=False, near=False).tolist() == [0, 0, 2, 3, 4]
    assert copies(graph({"video": 0}), "video").tolist() == []


def test_links_between_near_copies_are_one_unit(graph, edges):
    likes = edges("user/likes/video", [(0, 0), (0, 1), (1, 0), (1, 2)])
    made = near(graph({"user": 2, "video": 3}, [likes]), video=[0, 0, 2])
    assert len(np.unique(units(made, likes))) == 3
    assert units(made, likes)[0] == units(made, likes)[1]
    assert len(np.unique(units(made, likes, near=False))) == 4


@pytest.mark.parametrize("seed", range(5))
def test_no_split_divides_near_copies(graph, edges, seed):
    rng = np.random.default_rng(seed)
    pairs = np.unique(rng.integers(0, 40, (120, 2)), axis=0)
    first = np.arange(40) // 2 * 2
    labels = (np.arange(40) // 2) % 2
    made = near(graph({"user": 40, "video": 40}, [edges("user/likes/video", pairs)], labels={"video.c": labels}), video=first)
    split = make(made, [LIKES], [("video", "c")], SplitSettings(), seed)
    check(made, split)
    side = np.full(40, -1)
    for code, part in enumerate((split.labels["video.c"].train, split.labels["video.c"].valid, split.labels["video.c"].test)):
        side[part] = code
    for one, other in side.reshape(20, 2).tolist():
        assert -1 in (one, other) or one == other


def test_given_labels_that_divide_near_copies(graph):
    made = graph({"video": 8}, labels={"video.c": [0, 1] * 4}, splits={"video.c": [0, 0, 1, 1, 2, 2, 0, 0]})
    settings = SplitSettings(labels=LabelSplitSettings(method="given"))
    check(made, make(made, [], [("video", "c")], settings, 0), settings)
    made = near(made, video=[0, 1, 2, 3, 0, 5, 6, 7])
    line = r"video.c has near-copies .* in train and test; given: video0 and video4; remove one, .* graph.near_duplicates"
    with pytest.raises(LeakError, match=line):
        check(made, make(made, [], [("video", "c")], settings, 0), settings)


def test_given_links_that_divide_near_copies(graph, edges):
    likes = edges("user/likes/video", [(0, 0), (0, 1), (1, 2), (2, 3)], split=np.array([0, 2, 1, 2], np.int8))
    made = near(graph({"user": 3, "video": 4}, [likes]), video=[0, 0, 2, 3])
    settings = SplitSettings(links=LinkSplitSettings(method="given"))
    line = r"has a near-copy of the pair in train and test; given: user0 -> video0 and user0 -> video1; remove one"
    with pytest.raises(LeakError, match=line):
        check(made, make(made, [LIKES], [], settings, 0), settings)
