"""Vectors standardised among the items of one parent, against a loop over groups."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph import pipeline
from mmgraph.catalogue.contract import ITEM_COLUMNS, Catalogue, items_frame, labels_frame, links_frame
from mmgraph.errors import SettingsError
from mmgraph.graph.collect import Collected
from mmgraph.graph.contract import Features
from mmgraph.graph.standardise import standardised, within_parents
from mmgraph.settings import Settings, convert


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4), missing=st.floats(0, 0.5), seed=st.integers(0, 99))
def test_each_group_by_its_own_moments(sizes, missing, seed):
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(len(sizes)) - (seed % 2), sizes))  # -1: without a parent
    present = rng.random(len(group)) >= missing
    vectors = (rng.normal(size=(len(group), 3)) * 3 + group[:, None]).astype(np.float32) * present[:, None]
    vectors[:, 2] = 5.0 * present  # never varies
    before = vectors.copy()
    found = standardised(vectors, present, group)
    np.testing.assert_array_equal(vectors, before)
    for item in range(len(group)):
        mine = [i for i in range(len(group)) if present[i] and group[i] == group[item] >= 0]
        of = mine if len(mine) >= 8 else [i for i in range(len(group)) if present[i]]
        if not present[item]:
            assert not found[item].any()
            continue
        for column in range(3):
            values = vectors[of, column].astype(float)
            wanted = 0.0 if values.std() <= 1e-6 else (vectors[item, column] - values.mean()) / values.std()
            np.testing.assert_allclose(found[item, column], wanted, atol=1e-4)


def catalogue(parents):
    rows = [dict.fromkeys(ITEM_COLUMNS) | {"id": f"r{i}", "kind": "recording", "parent": one} for i, one in enumerate(parents)]
    rows += [dict.fromkeys(ITEM_COLUMNS) | {"id": name, "kind": "speaker"} for name in ("a", "b")]
    return Catalogue(items_frame(rows), links_frame([]), labels_frame([]))


def test_what_a_speaker_has_in_common_is_gone_and_kinds_without_parents_stay():
    rng = np.random.default_rng(0)
    said = rng.normal(size=(10, 4))
    vectors = np.concatenate([said, said * 3 + 20]).astype(np.float32)  # the same words by two speakers
    sound = Features(vectors, np.ones(20, bool))
    names = Features(rng.normal(size=(2, 4)).astype(np.float32), np.ones(2, bool))
    given_ = {("recording", "audio"): sound, ("speaker", "text"): names}
    found = within_parents(catalogue(["a"] * 10 + ["b"] * 10), given_)
    made = found["recording", "audio"].vectors
    np.testing.assert_allclose(made[:10], made[10:], atol=1e-4)
    assert found["speaker", "text"] is names


def settings_of(**more):
    return convert(
        {"catalogue": "Tables", "tasks": ["masked"], "graph": {"edges": [], "standardise": "parent"}, **more}, Settings
    )


def test_the_graph_of_a_run_has_them_where_it_is_asked_and_only_there():
    made = catalogue(["a"] * 10 + ["b"] * 10)
    vectors = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    given_ = {("recording", "audio"): Features(vectors, np.ones(20, bool))}
    asked, default = settings_of(), settings_of(graph={"edges": []})
    one, other = (pipeline.assemble(s, made, Collected(features=given_), {}) for s in (asked, default))
    wanted = within_parents(made, given_)["recording", "audio"].vectors
    np.testing.assert_array_equal(one.features["recording", "audio"].vectors, wanted)
    np.testing.assert_array_equal(other.features["recording", "audio"].vectors, vectors)


def test_without_a_parent_or_with_an_encoder_that_is_trained_it_is_one_line():
    given_ = {("recording", "audio"): Features(np.ones((2, 1), np.float32), np.ones(2, bool))}
    with pytest.raises(SettingsError, match=r"graph.standardise: parent finds no item that has a parent and vectors; fill"):
        within_parents(catalogue([None, None]), given_)
    trained = settings_of(model={"adaptation": {"text": {"method": "last_blocks"}}})
    said = (
        r"graph.standardise takes stored vectors, not those of an encoder that is trained; given: model.adaptation: text; set"
    )
    with pytest.raises(SettingsError, match=said):
        pipeline.fit(trained)
