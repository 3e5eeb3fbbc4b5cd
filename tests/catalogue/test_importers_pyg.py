"""HeteroData as safe tensors: what was saved is what is read, and what is said of bad tensors."""

import logging

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmgraph.catalogue.importers.pyg import Pyg
from mmgraph.errors import CatalogueError

X = torch.arange(6, dtype=torch.float32).reshape(3, 2)
LIKES = torch.tensor([[0, 1, 2], [1, 0, 1]])


def saved(root, tensors, name="graph.safetensors"):
    save_file({key: torch.as_tensor(value).contiguous() for key, value in tensors.items()}, root / name)
    return root


def read(root, tensors, **arguments):
    (root / "data").mkdir(exist_ok=True)
    return Pyg(root=saved(root / "data", tensors), **arguments).read()


def links(catalogue):
    return catalogue.links[["source", "relation", "target"]].values.tolist()


def test_the_least_there_can_be(tmp_path):
    catalogue = read(tmp_path, {"paper__cites__paper.edge_index": torch.tensor([[0], [2]])})
    assert catalogue.items["id"].tolist() == ["paper/0", "paper/1", "paper/2"]
    assert links(catalogue) == [["paper/0", "cites", "paper/2"]]
    assert not (tmp_path / "data.vectors").exists()


def test_nodes_without_edges(tmp_path):
    catalogue = read(tmp_path, {"paper.num_nodes": 2, "empty__r__paper.edge_index": torch.zeros(2, 0, dtype=torch.int64)})
    assert catalogue.kinds() == {"paper": 2}
    assert links(catalogue) == []


def test_what_was_saved_is_what_is_read(tmp_path, caplog):
    tensors = {
        "user.x": X,
        "user.x_text": X.double() + 0.5,
        "user.y": torch.tensor([[2], [-1], [0]]),
        "user.train_mask": torch.tensor([True, True, False]),
        "user.val_mask": torch.tensor([False, False, False]),
        "user.pos": torch.zeros(3),
        "item.y": torch.tensor([1.0, float("nan")]),
        "item.x": torch.tensor([[1, 0], [0, 1]]),
        "user__likes__item.edge_index": LIKES,
        "user__likes__item.edge_weight": torch.tensor([0.5, 1.0, 2.0]),
        "user__likes__item.edge_time": torch.tensor([[10], [20], [30]]),
        "user__likes__item.test_mask": torch.tensor([False, True, False]),
        "user__likes__item.edge_attr": torch.zeros(3, 4),
        "user__likes__item.edge_label": torch.zeros(1),
        "item__rev_likes__user.edge_index": LIKES.flip(0)[:, [2, 0, 1]],
        "item__rev_other__user.edge_index": LIKES.flip(0),
    }
    with caplog.at_level(logging.INFO):
        catalogue = read(tmp_path, tensors, field="topic")
    assert catalogue.kinds() == {"user": 3, "item": 2} or catalogue.kinds() == {"item": 2, "user": 3}
    assert links(catalogue)[-3:] == [
        ["user/0", "likes", "item/1"], ["user/1", "likes", "item/0"], ["user/2", "likes", "item/1"],
    ]  # fmt: skip
    assert set(catalogue.links["relation"]) == {"likes", "rev_other"}
    likes = catalogue.links[catalogue.links["relation"] == "likes"]
    assert likes["weight"].tolist() == [0.5, 1.0, 2.0]
    assert likes["time"].tolist() == [10.0, 20.0, 30.0]
    assert likes["split"].tolist() == [None, "test", None]
    assert catalogue.labels[["id", "field", "value", "split"]].values.tolist() == [
        ["item/0", "topic", "1", None],
        ["user/0", "topic", "2", "train"],
    ]
    found = {(one.kind, one.modality): one for one in catalogue.features}
    assert set(found) == {("user", "x"), ("user", "x_text"), ("item", "x")}
    np.testing.assert_array_equal(np.load(found["user", "x"].path), X.numpy())
    np.testing.assert_array_equal(np.load(found["user", "x_text"].path), X.numpy() + np.float32(0.5))
    np.testing.assert_array_equal(np.load(found["item", "x"].path), np.eye(2, dtype=np.float32))
    assert found["user", "x"].ids == ("user/0", "user/1", "user/2")
    for said in ("of user is left out: pos", "of user__likes__item is left out: edge_attr", "item/rev_likes/user is left out"):
        assert said in caplog.text


def test_names_of_items_stand_beside(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "user.ids.txt").write_text("ann\nbo\ncy\n")
    catalogue = read(tmp_path, {"user.x": X, "user__knows__user.edge_index": torch.tensor([[0], [2]])})
    assert links(catalogue) == [["ann", "knows", "cy"]]
    assert catalogue.features[0].ids == ("ann", "bo", "cy")
    (tmp_path / "data" / "user.ids.txt").write_text("ann\n")
    with pytest.raises(CatalogueError, match=r"user.ids.txt has 1 lines for 3 nodes; write one id a line"):
        Pyg(root=tmp_path / "data").read()


def test_many_rows_in_several_steps(tmp_path):
    vectors = torch.from_numpy(np.random.default_rng(0).normal(size=(70_000, 2)).astype(np.float32))
    (given,) = read(tmp_path, {"a.x": vectors}, cache=tmp_path / "cache").features
    assert given.path.parent == tmp_path / "cache"
    np.testing.assert_array_equal(np.load(given.path), vectors.numpy())


EDGE = {"a__r__b.edge_index": torch.tensor([[0], [1]])}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"x": X}, r"graph.safetensors: a tensor without a type; given: x; name it <type>.<attribute>; .*to_heterogeneous"),
        ({"a__r.edge_index": X.long()}, r"edge_index of what is no relation; given: a__r; name it <source>__<name>__<target>"),
        ({"a__r__b.edge_weight": X}, r"a relation without edge_index; given: a__r__b; .*adj_t"),
        ({"a__r__b.edge_index": X}, r"a__r__b.edge_index has numbers of a type that is not read; given: F32; .*long"),
        ({"a__r__b.edge_index": LIKES.T}, r"a__r__b.edge_index is not \[2, edges\]; given: \[3, 2\]"),
        ({**EDGE, "b.x": X[:1]}, r"a__r__b, edge 0: no node of b has this position; given: 1; there are 1 of b"),
        ({"a.x": X, "a.y": torch.zeros(2)}, r"tensors of a have different lengths; given: a.x 3, a.y 2; one row a node"),
        ({"a.x": X.bfloat16()}, r"a.x has numbers of a type that is not read; given: BF16; convert it with .float\(\)"),
        ({"a.x": X / 0}, r"a.x, row 0 holds a number that is not finite"),
        ({"a.y": torch.zeros(3, 2)}, r"a.y has another shape than \[3\]; given: \[3, 2\]"),
        ({**EDGE, "a__r__b.edge_weight": X}, r"a__r__b.edge_weight has another shape than \[1\]"),
        ({"a.train_mask": torch.tensor([True]), "a.test_mask": torch.tensor([True]), "a.y": torch.tensor([1])},
         r"graph.safetensors: a, position 0: it is in test_mask and in that of train"),
    ],
)  # fmt: skip
def test_what_is_said_of_bad_tensors(tmp_path, tensors, message):
    with pytest.raises(CatalogueError, match=message):
        read(tmp_path, tensors)


def test_what_is_said_of_no_file(tmp_path):
    with pytest.raises(CatalogueError, match=r"graph.safetensors cannot be read as safe tensors; .*docs/formats.md"):
        Pyg(root=tmp_path).read()
    (tmp_path / "bad.safetensors").write_bytes(b"PK\x03\x04" * 100)
    with pytest.raises(CatalogueError, match=r"bad.safetensors cannot be read as safe tensors"):
        Pyg(root=tmp_path, file="bad.safetensors").read()
