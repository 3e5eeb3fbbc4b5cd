import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmgraph.errors import GraphError
from mmgraph.graph.ids import IdMap


def test_empty_and_one():
    ids = IdMap({"user": np.array([], dtype=object), "video": np.array(["v"], dtype=object)})
    assert ids.positions("user", []).tolist() == []
    assert ids.positions("video", ["v", "v"]).dtype == np.int64
    assert ids.ids("video", np.array([0])).tolist() == ["v"]


def test_of_a_catalogue_keeps_its_order(catalogue):
    ids = IdMap.of(catalogue([("b", "video"), ("x", "user"), ("a", "video")]))
    assert {kind: names.tolist() for kind, names in ids.arrays.items()} == {"video": ["b", "a"], "user": ["x"]}


@given(st.lists(st.text(max_size=4), unique=True, min_size=1), st.data())
def test_there_and_back(names, data):
    ids = IdMap({"k": np.array([*names, None], dtype=object)[:-1]})
    asked = data.draw(st.lists(st.sampled_from(names)))
    assert ids.positions("k", asked).tolist() == [names.index(name) for name in asked]
    assert ids.ids("k", ids.positions("k", asked)).tolist() == asked


def test_errors_name_what_is_near():
    ids = IdMap({"user": np.array(["ann", "bob"], dtype=object)})
    with pytest.raises(GraphError, match=r"no user has this id; given: anne; near: ann"):
        ids.positions("user", ["bob", "anne"])
    with pytest.raises(GraphError, match=r"no items of this kind; given: usr; near: user"):
        ids.positions("usr", [])
    with pytest.raises(GraphError, match=r"no user at this position; given: -1; there are 2"):
        ids.ids("user", np.array([0, -1]))
    with pytest.raises(GraphError, match=r"two items of kind user have one id; given: ann"):
        IdMap({"user": np.array(["ann", "ann"], dtype=object)})
