import dataclasses
from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.errors import LeakError, SplitError
from mmgraph.graph.contract import Labels
from mmgraph.settings import LabelSplitSettings, SplitSettings
from mmgraph.split.label_groups import label_groups
from mmgraph.split.leaks import check
from mmgraph.split.make import make
from mmgraph.split.several import stratified


def asked(**more):
    return SplitSettings(labels=LabelSplitSettings(**more))


def split_of(made, settings, seed=0, field=("s", "c")):
    split = make(made, [], [field], settings, seed)
    return split.labels[".".join(field)], split


def parts(split):
    return {"train": split.train.tolist(), "valid": split.valid.tolist(), "test": split.test.tolist()}


@given(
    st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 11)), min_size=20, max_size=60),
    st.sampled_from([{"k": 1}, {"k": 3}, {"method": "fraction", "fraction": 0.3}, {"group": "none"}, {"valid": 0.0}]),
    st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_parts_are_disjoint_repeatable_and_groups_never_straddle(graph, items, more, seed):
    values, parent = zip(*items, strict=True)
    made = graph({"s": len(items), "v": 12}, labels={"s.c": values}, parent={"s": parent})
    before = made.labels["s", "c"].values.copy()
    asking = asked(**more)
    try:
        one, split = split_of(made, asking, seed)
    except SplitError:
        return
    assert parts(split_of(made, asking, seed)[0]) == parts(one)
    everything = list(chain(*parts(one).values()))
    assert len(set(everything)) == len(everything)
    assert all(values[item] >= 0 for item in everything)
    assert len(one.train) > 0
    assert len(one.test) > 0
    assert bool(len(one.valid)) == (asking.labels.valid > 0)
    if asking.labels.group == "parent":
        sides = [{parent[item] for item in positions} - {-1} for positions in (one.train, one.valid, one.test)]
        assert sum(map(len, sides)) == len(set.union(*sides))
        left = set(np.flatnonzero(before >= 0)) - set(everything)
        assert all(parent[item] in sides[0] for item in left)
    else:
        assert len(everything) == (before >= 0).sum()
    per_class = Counter(values[item] for item in one.train)
    assert set(per_class) == set(range(len(made.labels["s", "c"].classes)))
    if asking.labels.method == "per_class":
        assert max(per_class.values()) <= asking.labels.k
    assert (made.labels["s", "c"].values == before).all()
    shown = split.visible.labels["s", "c"].values
    assert np.flatnonzero(shown >= 0).tolist() == one.train.tolist()
    check(made, split, asking)


def test_k_of_each_class_from_parents_of_their_own(graph):
    values = np.repeat(np.arange(3), 40)  # ten parents a class, four items each
    parent = np.arange(120) // 4
    one, _ = split_of(graph({"s": 120, "v": 30}, labels={"s.c": values}, parent={"s": parent}), asked(k=3))
    assert Counter(values[one.train]) == {0: 3, 1: 3, 2: 3}
    assert len(set(parent[one.train])) == 9
    assert len(one.valid) == 3 * 2 * 4
    assert len(one.test) == 3 * 5 * 4


def test_few_parents_leave_one_to_ask(graph):
    values, parent = np.repeat([0, 1], 12), np.arange(24) // 6  # two parents a class
    one, _ = split_of(graph({"s": 24, "v": 4}, labels={"s.c": values}, parent={"s": parent}), asked(k=3, valid=0.0))
    assert Counter(values[one.train]) == {0: 3, 1: 3}
    assert Counter(values[one.test]) == {0: 6, 1: 6}


def test_a_fraction_takes_whole_parents_first(graph):
    values, parent = np.repeat([0, 1], 40), np.arange(80) // 4
    settings = asked(method="fraction", fraction=0.2)
    one, _ = split_of(graph({"s": 80, "v": 20}, labels={"s.c": values}, parent={"s": parent}), settings)
    assert Counter(values[one.train]) == {0: 8, 1: 8}
    assert len(set(parent[one.train])) == 4


def test_copies_are_a_group_and_join_parents(graph):
    count = 40
    values = np.arange(count) % 2
    content = [f"h{i // 4}" if i < 20 else "" for i in range(count)]
    parent = [i // 2 for i in range(count)]
    made = graph({"s": count, "v": 20}, labels={"s.c": values}, parent={"s": parent}, content={"s": content})
    for seed in range(5):
        one, split = split_of(made, asked(k=2), seed)
        side = {item: name for name, positions in parts(one).items() for item in positions}
        for start in range(0, 20, 4):
            assert len({side[i] for i in range(start, start + 4) if i in side}) <= 1
        check(made, split)


def test_given_is_honoured(graph):
    made = graph({"s": 6}, labels={"s.c": [0, 1, 0, 1, -1, 0]}, splits={"s.c": [0, -1, 1, 2, -1, 2]})
    assert parts(split_of(made, asked(method="given"))[0]) == {"train": [0, 1], "valid": [2], "test": [3, 5]}
    with pytest.raises(SplitError, match=r"the table gives no split of s.c; fill labels.split"):
        split_of(graph({"s": 4}, labels={"s.c": [0, 1, 0, 1]}), asked(method="given"))
    with pytest.raises(SplitError, match=r"s.c has no valid label; given: 4 labels"):
        split_of(graph({"s": 4}, labels={"s.c": [0, 1, 0, 1]}, splits={"s.c": [0, 0, 2, 2]}), asked(method="given"))
    with pytest.raises(SplitError, match=r"a class has no training label: c1 of s.c"):
        split_of(graph({"s": 4}, labels={"s.c": [0, 1, 0, 1]}, splits={"s.c": [0, 1, 2, 2]}), asked(method="given"))


def test_what_cannot_be_split(graph):
    few = graph({"s": 9}, labels={"s.c": [0, 0, 0, 0, 0, 1, 1, 1, -1]})
    with pytest.raises(SplitError, match=r"too few labels to train and ask: class c1 of s.c; given: 3 for 3 \+ 1; label more"):
        split_of(few, asked(k=3))
    together = graph({"s": 8, "v": 2}, labels={"s.c": [0] * 4 + [1] * 4}, parent={"s": [0] * 4 + [1] * 4})
    with pytest.raises(SplitError, match=r"no item is left to ask about class c0 of s.c; given: group: parent; .*group: none"):
        split_of(together, asked(k=2))
    with pytest.raises(SplitError, match=r"no item has a label of this field; given: s.d; did you mean s.c\?"):
        split_of(few, asked(), field=("s", "d"))
    with pytest.raises(SplitError, match=r"s.c has one value, nothing to tell apart; given: c0"):
        split_of(graph({"s": 3}, labels={"s.c": [0, 0, -1]}), asked())
    for more, wrong in (
        ({"k": 0}, r"split.labels.k counts labels of a class; given: 0"),
        ({"method": "fraction", "fraction": 1.0}, r"split.labels.fraction is a share; given: 1.0"),
        ({"valid": 1.0}, r"split.labels.valid is a share; given: 1.0"),
    ):
        with pytest.raises(SplitError, match=wrong):
            split_of(few, asked(**more))


def test_no_groups_is_said(graph):
    made = graph({"s": 8, "v": 2}, labels={"s.c": [0] * 4 + [1] * 4}, parent={"s": [0] * 4 + [1] * 4})
    _, split = split_of(made, asked(k=2, group="none"))
    assert split.notes == ("items of one parent may stand on both sides of the split (split.labels.group: none)",)


def test_one_example_is_said_whatever_the_method(graph):
    one = graph({"s": 9}, labels={"s.c": [0, 0, 0, 0, 1, 1, 1, 1, 2]})
    wrong = r"a class with one example can be trained or asked, not both: class c2 of s.c; given: 1 for {} \+ 1; label more"
    with pytest.raises(SplitError, match=wrong.format(2)):
        split_of(one, asked(k=2))
    with pytest.raises(SplitError, match=wrong.format(1)):
        split_of(one, asked(method="fraction", fraction=0.3))


def test_copies_that_contradict_each_other_are_named(graph, caplog):
    content = {"s": ["", "", "h", "h", "", "h", "g", "g"]}
    made = graph({"s": 8}, labels={"s.c": [0, 1, 0, 1, 1, -1, 0, 0]}, content=content)
    _, split = split_of(made, asked(k=1, valid=0.0))
    note = "labels of s.c contradict each other on copies of 1 files: s2 is c0, s3 is c1; correct one"
    assert split.notes == (note,)
    assert note in caplog.text
    agreed = graph({"s": 8}, labels={"s.c": [0, 1, 0, 0, 1, -1, 0, 0]}, content=content)
    assert split_of(agreed, asked(k=1, valid=0.0))[1].notes == ()


def test_more_classes_than_validation_items_is_said(graph, caplog):
    made = graph({"s": 8}, labels={"s.c": [0, 0, 1, 1, 2, 2, 0, 1]}, splits={"s.c": [0, 1, 0, 1, 0, 2, 2, 2]})
    _, split = split_of(made, asked(method="given"))
    assert split.notes == (
        "s.c has more classes than validation items: 3 for 2, so some class is never checked when choosing; label more, or raise "
        "split.labels.valid",
    )
    assert split.notes[0] in caplog.text
    made = graph({"s": 9}, labels={"s.c": [0, 0, 1, 1, 2, 2, 0, 1, 2]}, splits={"s.c": [0, 1, 0, 1, 0, 2, 2, 2, 1]})
    assert split_of(made, asked(method="given"))[1].notes == ()


def test_open_classes_are_never_shown_and_their_items_are_told_apart(graph):
    values = np.repeat(np.arange(4), 10)
    made = graph({"s": 42}, labels={"s.c": [*values, -1, -1]})
    before = made.labels["s", "c"].values.copy()
    one, split = split_of(made, asked(open=("c1", "c3")))
    assert (one.labels.classes, one.open_classes) == (("c0", "c2"), ("c1", "c3"))
    assert one.open.tolist() == [*range(10, 20), *range(30, 40)]
    everything = list(chain(*parts(one).values()))
    assert sorted(everything) == [*range(10), *range(20, 30)]
    assert all(one.labels.classes[one.labels.values[item]] == f"c{values[item]}" for item in everything)
    shown = split.visible.labels["s", "c"]
    assert shown.classes == ("c0", "c2")
    assert np.flatnonzero(shown.values >= 0).tolist() == one.train.tolist()
    assert (made.labels["s", "c"].values == before).all()
    assert split.notes == ("s.c: nobody sees a label of c1, c3 (20 items)",)
    check(made, split)
    leaking = dataclasses.replace(split, visible=made)
    with pytest.raises(LeakError, match=r"a leak: \d+ held-out labels of s.c visible"):
        check(made, leaking)


def test_open_classes_by_chance_depend_on_the_seed_alone(graph):
    made = graph({"s": 60}, labels={"s.c": np.repeat(np.arange(6), 10)})
    drawn = {split_of(made, asked(open=2), seed)[0].open_classes for seed in range(20)}
    assert {len(one) for one in drawn} == {2}
    assert len(drawn) > 3
    assert split_of(made, asked(open=2), 5)[0].open_classes == split_of(made, asked(open=2), 5)[0].open_classes
    none, _ = split_of(made, asked())
    assert (len(none.open), none.open_classes) == (0, ())


def test_open_classes_that_cannot_be(graph):
    made = graph({"s": 30}, labels={"s.c": np.repeat(np.arange(3), 10)})
    with pytest.raises(SplitError, match=r"split.labels.open: no field has this class; given: c9; classes: c0, c1, c2"):
        split_of(made, asked(open=("c1", "c9")))
    with pytest.raises(
        SplitError, match=r"split.labels.open leaves s.c nothing to tell apart; given: 2 open of 3; open fewer"
    ):
        split_of(made, asked(open=2))


def several(graph, has, **more):
    """A graph whose field ``s.c`` has the classes of ``has`` [items, classes]; an item without any is unlabelled."""
    has = np.asarray(has, bool)
    made = graph({"s": len(has), "v": 30}, **more)
    classes = tuple(f"c{i}" for i in range(has.shape[1]))
    labels = Labels("s", "c", classes, np.where(has.any(1), has.argmax(1), -1), None, has)
    return dataclasses.replace(made, labels={("s", "c"): labels})


@given(
    st.integers(0, 2**32),
    st.sampled_from([{"k": 1}, {"k": 3}, {"method": "fraction", "fraction": 0.3}, {"group": "none"}, {"valid": 0.0}]),
    st.integers(0, 3),
)
@settings(max_examples=30, deadline=None)
def test_several_values_are_split_by_the_same_rules(graph, chance, more, seed):
    rng = np.random.default_rng(chance)
    has = rng.random((60, 4)) < (0.5, 0.3, 0.2, 0.1)
    parent = rng.integers(-1, 20, 60)
    made = several(graph, has, parent={"s": parent})
    asking = asked(**more)
    try:
        one, split = split_of(made, asking, seed)
    except SplitError:
        return
    assert parts(split_of(made, asking, seed)[0]) == parts(one)
    everything = list(chain(*parts(one).values()))
    assert len(set(everything)) == len(everything)
    assert has[everything].any(1).all()
    assert bool(len(one.valid)) == (asking.labels.valid > 0)
    assert (has[one.train].sum(0) >= (asking.labels.k if asking.labels.method == "per_class" else 1)).all()
    rest = np.concatenate((one.valid, one.test))
    assert has[rest].any(0).all()
    if asking.labels.group == "parent":
        sides = [{parent[item] for item in positions} - {-1} for positions in (one.train, one.valid, one.test)]
        assert sum(map(len, sides)) == len(set.union(*sides))
    shown = split.visible.labels["s", "c"]
    assert (np.flatnonzero(shown.several.any(1)) == np.sort(one.train)).all()
    assert (shown.several[one.train] == has[one.train]).all()
    check(made, split, asking)


def test_every_part_has_its_share_of_every_class(graph):
    """Of 40 items of a rare class among 1,000 a part drawn by chance would often have too few; stratified they are dealt out."""
    rng = np.random.default_rng(0)
    has = rng.random((1000, 5)) < (0.6, 0.3, 0.2, 0.1, 0.04)
    for seed in range(3):
        one, _ = split_of(several(graph, has), asked(method="fraction", fraction=0.5, valid=0.4, group="none"), seed)
        for positions, share in ((one.train, 0.5), (one.valid, 0.2), (one.test, 0.3)):
            np.testing.assert_allclose(has[positions].sum(0), share * has.sum(0), atol=3)


def test_dealing_out_is_the_algorithm_of_sechidis_by_hand():
    """Class 1 is the rarest: its two items go one to each part; the third item fills the part that wants class 0 most."""
    counts = np.array([[1, 1], [0, 1], [1, 0], [1, 0]])
    for seed in range(10):
        part = stratified(counts, (0.5, 0.5), np.random.default_rng(seed))
        assert part[0] != part[1]
        with_first = part[2:][part[2:] == part[0]]
        assert len(with_first) == 0 or counts[part == part[0], 0].sum() == 2
        assert abs(int((part == 0).sum()) - int((part == 1).sum())) <= 2
    assert stratified(np.zeros((0, 3), np.int64), (0.3, 0.7), np.random.default_rng(0)).tolist() == []


def test_several_values_that_cannot_be_split(graph):
    has = np.zeros((12, 3), bool)
    has[:, 0], has[::2, 1], has[5, 2] = True, True, True
    wrong = r"a class with one example can be trained or asked, not both: class c2 of s.c; given: 1 for 2 \+ 1"
    with pytest.raises(SplitError, match=wrong):
        split_of(several(graph, has), asked(k=2))
    has[6:8, 2] = True
    with pytest.raises(SplitError, match=r"too few labels to train and ask: class c2 of s.c; given: 3 for 3 \+ 1; label more"):
        split_of(several(graph, has), asked(k=3))
    together = several(graph, has, parent={"s": [0] * 5 + [1] * 7})
    with pytest.raises(SplitError, match=r"no item is left to ask about class c2 of s.c; given: group: parent"):
        split_of(together, asked(k=1))


def test_an_item_with_an_open_class_among_its_values_is_open(graph):
    has = np.zeros((30, 4), bool)
    has[np.arange(30), np.arange(30) % 3] = True
    has[:6, 3] = True
    one, split = split_of(several(graph, has), asked(open=("c3",)))
    assert one.open.tolist() == [0, 1, 2, 3, 4, 5]
    assert one.labels.several.shape == (30, 3)
    assert not one.labels.several[:6].any()
    assert not set(one.open.tolist()) & set(chain(*parts(one).values()))
    assert not split.visible.labels["s", "c"].several[one.open].any()


def watched(edges, pairs, times):
    return edges("u/watched/s", pairs, time=np.array(times, float))


def test_by_time_the_oldest_are_shown_and_the_newest_asked(graph, edges):
    """Item i is first watched at second 100 - i: the last items are the oldest."""
    pairs = [(0, i) for i in range(20)] + [(1, i) for i in range(20)]
    times = [100.0 - i for i in range(20)] + [200.0] * 20
    made = graph({"s": 21, "u": 2}, links=[watched(edges, pairs, times)], labels={"s.c": [*([0, 1] * 10), -1]})
    one, split = split_of(made, asked(method="time", fraction=0.5, valid=0.4))
    assert parts(one) == {"train": [*range(10, 20)], "valid": [6, 7, 8, 9], "test": [*range(6)]}
    assert split.visible.edges.keys() == made.edges.keys()
    nothing, _ = split_of(made, asked(method="time", fraction=0.5, valid=0.0))
    assert parts(nothing) == {"train": [*range(10, 20)], "valid": [], "test": [*range(10)]}


def test_by_time_a_group_is_as_old_as_its_oldest_item(graph, edges):
    pairs, times = [(0, i) for i in range(12)], [float(i) for i in range(12)]
    parent = [0, 1, 2, 3, 4, 5, 0, 1, 8, 9, 10, 11]
    values = [0, 1] * 6
    made = graph(
        {"s": 12, "u": 1, "v": 12}, links=[watched(edges, pairs, times)], labels={"s.c": values}, parent={"s": parent}
    )
    one, split = split_of(made, asked(method="time", fraction=0.5, valid=0.5))
    assert {0, 6} <= set(one.train.tolist())
    assert {1, 7} <= set(one.train.tolist())
    ages = {item: min(times[other] for other in range(12) if parent[other] == parent[item]) for item in range(12)}
    assert max(ages[i] for i in one.train) < min(ages[i] for i in one.valid) <= max(ages[i] for i in one.valid)
    assert max(ages[i] for i in one.valid) < min(ages[i] for i in one.test)
    check(made, split, asked(method="time", fraction=0.5, valid=0.5))


def test_by_time_what_cannot_be_split(graph, edges):
    made = graph({"s": 4, "u": 1}, links=[watched(edges, [(0, 0), (0, 1)], [1, 2])], labels={"s.c": [0, 1, 0, 1]})
    wrong = r"split.labels.method: time needs a link with a time for every labelled item of s.c; given: 2 without, as s2; fill"
    with pytest.raises(SplitError, match=wrong):
        split_of(made, asked(method="time"))
    pairs = [(0, i) for i in range(10)]
    late = graph({"s": 10, "u": 1}, links=[watched(edges, pairs, range(10))], labels={"s.c": [0, 1] * 3 + [2] * 4})
    with pytest.raises(
        SplitError, match=r"no training label: c2 of s.c; label an item of it, leave .*, or name it in split.labels.open"
    ):
        split_of(late, asked(method="time", fraction=0.4))
    one, _ = split_of(late, asked(method="time", fraction=0.4, open=("c2",)))
    assert (one.train.tolist(), one.open.tolist()) == ([0, 1], [6, 7, 8, 9])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("more", [{"k": 2}, {"method": "fraction", "fraction": 0.3}])
def test_what_a_relation_joins_with_one_item_stays_together(graph, edges, turned, more):
    speaker = np.arange(60) % 12
    pairs = [(i, speaker[i]) for i in range(60)]
    said = edges("p/said/s", [(b, a) for a, b in pairs]) if turned else edges("s/said_by/p", pairs)
    made = graph({"s": 60, "p": 12}, links=[said], labels={"s.c": np.arange(60) // 5 % 3})
    for seed in range(4):
        asking = asked(group=str(said.relation), **more)
        one, split = split_of(made, asking, seed)
        sides = [set(speaker[positions].tolist()) for positions in (one.train, one.valid, one.test)]
        assert all(sides)
        assert sum(map(len, sides)) == len(set.union(*sides))
        check(made, split, asking)
        loose, free = split_of(made, asked(group="none", **more), seed)
        if set(speaker[loose.train]) & set(speaker[loose.test]):
            with pytest.raises(LeakError, match=r"s.c has items of one group \([sp]/said"):
                check(made, free, asking)


def test_groups_within_one_kind_are_chains_and_other_kinds_go_by_parents(graph, edges):
    same = edges("s/same/s", [(0, 1), (1, 2), (4, 5)])
    made = graph({"s": 6, "t": 3, "v": 2}, links=[same], parent={"t": [0, 0, 1]})
    found = label_groups(made, "s", "s/same/s")
    assert found[0] == found[1] == found[2]
    assert found[4] == found[5]
    assert len(set(found.tolist())) == 3
    others = label_groups(made, "t", "s/same/s")
    assert others[0] == others[1] != others[2]
    with pytest.raises(
        SplitError, match=r"split.labels.group is no way to group items; given: speaker; parent, none, or a relation: s/"
    ):
        label_groups(made, "s", "speaker")
