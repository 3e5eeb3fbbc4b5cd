"""Embeddings on disk."""

import numpy as np
import pytest

from mmgraph.errors import RunError, StoreError
from mmgraph.outputs.embeddings import read_embeddings, write_embeddings


def test_round_trip_with_odd_ids(tmp_path):
    ids = {"video": np.array(["a b", "ü,\"'", "<script>"], dtype=object), "user": np.array([], dtype=object)}
    vectors = {"video": np.random.default_rng(0).normal(size=(3, 4)), "user": np.empty((0, 4), np.float32)}
    write_embeddings(tmp_path, ids, vectors)
    names, values = read_embeddings(tmp_path, "video")
    assert names == ids["video"].tolist()
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, vectors["video"].astype(np.float32))
    assert read_embeddings(tmp_path, "user")[0] == []
    assert read_embeddings(tmp_path, "user")[1].shape == (0, 4)


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path):
    fits, short = np.ones((1, 2), np.float32), np.ones((3, 2), np.float32)
    ids = {"a": np.array(["x"], dtype=object), "b": np.array(["x"], dtype=object)}
    with pytest.raises(StoreError, match=r"vectors of b do not fit its 1 ids; given: \(3, 2\)"):
        write_embeddings(tmp_path, ids, {"a": fits, "b": short})
    with pytest.raises(StoreError, match="vectors of c do not fit its 0 ids"):
        write_embeddings(tmp_path, ids, {"a": fits, "c": fits})
    with pytest.raises(StoreError, match="vectors of a are not finite"):
        write_embeddings(tmp_path, ids, {"a": fits * np.nan})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path, full_disk):
    (tmp_path / "a.npy").write_text("old")
    with pytest.raises(RunError, match="No space left on device"):
        write_embeddings(tmp_path, {"a": np.array(["x"], dtype=object)}, {"a": np.ones((1, 2), np.float32)})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.npy": "old"}
