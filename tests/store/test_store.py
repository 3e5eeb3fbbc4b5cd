import multiprocessing
import threading
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.encode.contract import EncoderCard
from mmgraph.errors import RunError, StoreError
from mmgraph.store import shards
from mmgraph.store.store import ABSENT, MISSING, PRESENT, Store
from mmgraph.testing import fake_vector


def card(width=4, name="fake"):
    return EncoderCard(name, "image", "none", "1", width, "anything", "Apache-2.0", "none")


def vectors_of(keys, width=4):
    return np.array([fake_vector(key.encode(), width) for key in keys], np.float32).reshape(len(keys), width)


def test_an_empty_store_has_nothing(tmp_path):
    store = Store(tmp_path / "features")
    vectors, present = store.read(card(), ["a", "b"])
    assert vectors.shape == (2, 4)
    assert vectors.dtype == np.float32
    assert not vectors.any()
    assert not present.any()
    assert store.missing(card(), ["b", "a", "b"]) == ["b", "a"]
    assert store.missing(card(), []) == []
    assert store.read(card(), [])[0].shape == (0, 4)
    assert not (tmp_path / "features").exists()


def test_what_is_added_is_read_by_any_order_and_by_another_store(tmp_path):
    store, keys = Store(tmp_path), ["a", "b", "c"]
    given_vectors = vectors_of(keys)
    before = given_vectors.copy()
    store.add(card(), keys, given_vectors)
    store.add(card(), [], vectors_of([]), absent=["quiet"])
    np.testing.assert_array_equal(given_vectors, before)
    asked = ["c", "never", "a", "quiet", "a"]
    for some in (store, Store(tmp_path)):
        vectors, present = some.read(card(), asked)
        np.testing.assert_array_equal(present, [True, False, True, False, True])
        np.testing.assert_array_equal(vectors[[0, 2, 4]], vectors_of(["c", "a", "a"]))
        assert not vectors[[1, 3]].any()
        assert some.missing(card(), asked) == ["never"]
        assert some.state(card(), asked).tolist() == [PRESENT, MISSING, PRESENT, ABSENT, PRESENT]


def test_cards_never_mix(tmp_path):
    store = Store(tmp_path)
    store.add(card(), ["a"], vectors_of(["a"]))
    assert store.missing(card(name="other"), ["a"]) == ["a"]
    assert not store.read(card(width=5), ["a"])[1].any()


def test_a_key_that_is_there_is_left_as_it_is(tmp_path):
    store = Store(tmp_path)
    store.add(card(), ["a"], vectors_of(["a"]))
    store.add(card(), ["a", "b"], np.ones((2, 4), np.float32))
    store.add(card(), ["a"], np.ones((1, 4), np.float32))
    vectors, _ = store.read(card(), ["a", "b"])
    np.testing.assert_array_equal(vectors, [*vectors_of(["a"]), np.ones(4)])
    assert len(shards.names(tmp_path / card().key())) == 2


def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path):
    store = Store(tmp_path)
    bad = vectors_of(["a", "b"])
    bad[1, 2] = np.nan
    with pytest.raises(StoreError, match="vector of b by fake is not finite"):
        store.add(card(), ["a", "b"], bad)
    with pytest.raises(StoreError, match=r"2 keys of width 4; given: \(2, 5\)"):
        store.add(card(), ["a", "b"], np.zeros((2, 5), np.float32))
    with pytest.raises(StoreError, match=r"given: \(1, 4\)"):
        store.add(card(), ["a", "b"], np.zeros((1, 4), np.float32))
    with pytest.raises(StoreError, match="twice in one batch; given: a"):
        store.add(card(), ["a", "b", "a"], np.zeros((3, 4), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write .*file.*; given: Not a directory"):
        Store(tmp_path / "file").add(card(), ["a"], vectors_of(["a"]))


def test_damaged_shards_are_named(tmp_path):
    store = Store(tmp_path)
    store.add(card(), ["a"], vectors_of(["a"]))
    (data,) = (tmp_path / card().key()).glob("*.npy")
    data.write_bytes(data.read_bytes()[:-3])
    with pytest.raises(StoreError, match=r"000000000.npy is damaged"):
        store.read(card(), ["a"])
    data.with_suffix(".parquet").write_bytes(b"nothing")
    with pytest.raises(StoreError, match=r"000000000.parquet is damaged"):
        Store(tmp_path).read(card(), ["a"])


def test_many_shards_are_merged_and_nothing_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "FANOUT", 4)
    store, keys = Store(tmp_path), [f"k{i}" for i in range(2 * 4**3 + 5)]
    other = Store(tmp_path)
    for key in keys:
        if key.endswith("7"):
            store.add(card(), [], vectors_of([]), absent=[key])
        else:
            store.add(card(), [key], vectors_of([key]))
        if key == "k9":
            other.read(card(), keys)  # has an index of shards that are merged away later
    folder = tmp_path / card().key()
    assert len(shards.names(folder)) <= 3 * 4  # at most three of each size
    assert sorted(path.stem for path in folder.glob("*.npy")) == shards.names(folder)
    expected = np.array([not key.endswith("7") for key in keys])
    for some in (store, other, Store(tmp_path)):
        vectors, present = some.read(card(), keys)
        np.testing.assert_array_equal(present, expected)
        np.testing.assert_array_equal(vectors, vectors_of(keys) * expected[:, None])
        assert some.missing(card(), keys) == []


class Killed(BaseException):
    """What a kill is here: nothing after it is done."""


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def filled(folder, first=0):
    """Nine batches, one absent in each, with merges of three levels."""
    store = Store(folder)
    store.settle(card())
    for number in range(9):
        keys = [f"k{number}a", f"k{number}b"]
        if store.missing(card(), keys):
            store.add(card(), keys, vectors_of(keys), absent=[f"quiet{number}"])
    return folder


def test_killed_at_any_step_and_resumed_the_files_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "FANOUT", 3)
    wanted = tree(filled(tmp_path / "whole"))
    kills, real = 0, {name: getattr(Path, name) for name in ("replace", "unlink")}

    def counted(name, at, steps):
        def step(path, *arguments, **named):
            steps.append(name)
            if len(steps) >= at:  # what is dead does not clean up either
                raise Killed
            return real[name](path, *arguments, **named)

        return step

    for at in range(1, 400, 2):  # every second step of all that change a folder
        folder, steps = tmp_path / f"killed{at}", []
        with monkeypatch.context() as patched:
            for name in ("replace", "unlink"):
                patched.setattr(Path, name, counted(name, at, steps))
            try:
                filled(folder)
            except Killed:
                kills += 1
            else:
                break
        found, present = Store(folder).read(card(), ["k0a", "k8b", "quiet3"])
        np.testing.assert_array_equal(found, vectors_of(["k0a", "k8b", "quiet3"]) * present[:, None])
        assert tree(filled(folder)) == wanted, f"killed at step {at}"
    assert kills > 20


def test_files_do_not_depend_on_when_they_were_written(tmp_path):
    first, second = (tree(filled(tmp_path / name)) for name in "ab")
    assert first == second
    assert len(first) > 4


def test_leftovers_of_a_dead_writer_are_removed(tmp_path):
    store = Store(tmp_path)
    store.add(card(), ["a"], vectors_of(["a"]))
    folder = tmp_path / card().key()
    (folder / "000000001.npy").write_bytes(b"half")
    (folder / ".000000001.parquet.77.part").write_bytes(b"half")
    assert Store(tmp_path).missing(card(), ["a", "b"]) == ["b"]
    store.add(card(), ["b"], vectors_of(["b"]))
    assert sorted(path.name for path in folder.iterdir()) == [
        ".lock",
        "000000000.npy",
        "000000000.parquet",
        "000000001.npy",
        "000000001.parquet",
        "card.json",
    ]
    np.testing.assert_array_equal(store.read(card(), ["b"])[0], vectors_of(["b"]))


def test_a_full_disk_loses_nothing_that_was_there(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.add(card(), ["a"], vectors_of(["a"]))
    with monkeypatch.context() as patched:
        patched.setattr(shards.np, "save", _full)
        with pytest.raises(RunError, match="cannot write .*npy; given: No space left on device"):
            store.add(card(), ["b"], vectors_of(["b"]))
    store.add(card(), ["b"], vectors_of(["b"]))
    assert Store(tmp_path).read(card(), ["a", "b"])[1].all()


def _full(*_, **__):
    raise OSError(28, "No space left on device")


def _write_many(folder, first, last):
    store = Store(folder)
    for i in range(first, last):
        keys = [f"k{i}", f"k{i + 1}"]
        store.add(card(), keys, vectors_of(keys))


def test_processes_that_write_at_once_do_not_harm_each_other(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(tmp_path, first, first + 40)) for first in (0, 20)]
    for writer in writers:
        writer.start()
    reader, keys = Store(tmp_path), [f"k{i}" for i in range(61)]
    while any(writer.is_alive() for writer in writers):
        vectors, present = reader.read(card(), keys)
        np.testing.assert_array_equal(vectors, vectors_of(keys) * present[:, None])
    assert [writer.exitcode for writer in writers] == [0, 0]
    vectors, present = Store(tmp_path).read(card(), keys)
    assert present.all()
    np.testing.assert_array_equal(vectors, vectors_of(keys))
    folder = tmp_path / card().key()
    stored = [key for name in shards.names(folder) for key in pq.read_table(folder / f"{name}.parquet")["key"].to_pylist()]
    assert sorted(stored) == sorted(keys)


def test_threads_of_one_process_wait_for_each_other(tmp_path):
    threads = [threading.Thread(target=_write_many, args=(tmp_path, first, first + 20)) for first in (0, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = [f"k{i}" for i in range(31)]
    np.testing.assert_array_equal(Store(tmp_path).read(card(), keys)[0], vectors_of(keys))


@settings(max_examples=25, deadline=None)
@given(
    batches=st.lists(st.lists(st.text(max_size=3), max_size=5, unique=True), max_size=30), asked=st.lists(st.text(max_size=3))
)
def test_it_is_a_dictionary(tmp_path_factory, batches, asked):
    store, slow = Store(tmp_path_factory.mktemp("store")), {}
    for number, keys in enumerate(batches):
        if number % 3 == 2:
            store.add(card(), [], vectors_of([]), absent=keys)
            slow = {**dict.fromkeys(keys), **slow}
        else:
            store.add(card(), keys, vectors_of(keys))
            slow = {**dict(zip(keys, vectors_of(keys), strict=True)), **slow}
    vectors, present = store.read(card(), asked)
    np.testing.assert_array_equal(present, [slow.get(key) is not None for key in asked])
    expected = [np.zeros(4) if slow.get(key) is None else slow[key] for key in asked]
    np.testing.assert_array_equal(vectors, np.reshape(expected, (len(asked), 4)))
    assert store.missing(card(), asked) == list(dict.fromkeys(key for key in asked if key not in slow))
