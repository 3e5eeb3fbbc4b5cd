"""DGL's CSVDataset folder: the same graph as DGL itself reads, and what is said of bad ones."""

import logging

import numpy as np
import pytest
import yaml

from mmgraph.catalogue.importers.dgl_csv import DglCsv
from mmgraph.errors import CatalogueError
from mmgraph.graph.dgl import load_dgl

META = {
    "dataset_name": "small",
    "node_data": [{"file_name": "nodes_0.csv"}],
    "edge_data": [{"file_name": "edges_0.csv"}],
}


def folder(root, meta, **files):
    root.mkdir(parents=True, exist_ok=True)
    (root / "meta.yaml").write_text(meta if isinstance(meta, str) else yaml.safe_dump(meta))
    for name, text in files.items():
        (root / f"{name}.csv").write_text(text, encoding="utf-8")
    return root


def small(root, nodes="node_id\n0\n1\n", edges="src_id,dst_id\n0,1\n", meta=META):
    return folder(root / "data", meta, nodes_0=nodes, edges_0=edges)


def vectors_of(given):
    return dict(zip(given.ids, np.load(given.path), strict=True))


def test_the_least_there_can_be(tmp_path):
    catalogue = DglCsv(root=small(tmp_path)).read()
    assert catalogue.items["id"].tolist() == ["0", "1"]
    assert catalogue.kinds() == {"_V": 2}
    assert catalogue.links[["source", "relation", "target"]].values.tolist() == [["0", "_E", "1"]]
    assert catalogue.features == ()
    assert not (tmp_path / "data.vectors").exists()
    assert list(catalogue.sources) == ["meta.yaml", "nodes_0.csv", "edges_0.csv"]


HETERO = {
    "version": "1.0.0",
    "dataset_name": "hetero",
    "separator": ",",
    "node_data": [
        {"file_name": "user.csv", "ntype": "user"},
        {"file_name": "item.csv", "ntype": "item", "node_id_field": "number"},
    ],
    "edge_data": [
        {"file_name": "follow.csv", "etype": ["user", "follow", "user"]},
        {"file_name": "like.csv", "etype": ["user", "like", "item"], "src_id_field": "who", "dst_id_field": "what"},
    ],
}


def hetero(root, seed=0, users=30, items=12):
    """A folder as DGL's guide describes it, and what was written."""
    rng = np.random.default_rng(seed)
    feat = rng.normal(size=(users, 3)).astype(np.float32)
    label, mask = rng.integers(0, 4, users), rng.integers(0, 3, users)
    order = rng.permutation(users)
    rows = [
        f'{i},{label[i]},{mask[i] == 0},{mask[i] == 1},{mask[i] == 2},"{",".join(map(str, feat[i].tolist()))}",{i / 2}'
        for i in order
    ]
    follow = sorted({(int(a), int(b)) for a, b in rng.integers(0, users, (60, 2))})
    like = sorted({(int(a), int(b)) for a, b in zip(rng.integers(0, users, 50), rng.integers(0, items, 50), strict=True)})
    weight = rng.random(len(like))
    part = rng.integers(0, 2, len(follow))
    files = {
        "user": "node_id,label,train_mask,val_mask,test_mask,feat,age\n" + "\n".join(rows) + "\n",
        "item": ",number,emb\n" + "".join(f'{i},{i},"[{i}.5, 2]"\n' for i in range(items)),
        "follow": "src_id,dst_id,train_mask,test_mask\n"
        + "".join(f"{a},{b},{1 - p},{p}\n" for (a, b), p in zip(follow, part, strict=True)),
        "like": "who,what,weight,label\n" + "".join(f"{a},{b},{w},1\n" for (a, b), w in zip(like, weight, strict=True)),
    }
    return folder(root, HETERO, **files)


def test_the_graph_that_dgl_reads(tmp_path, caplog):
    pytest.importorskip("pydantic")
    root = hetero(tmp_path / "data")
    with caplog.at_level(logging.INFO):
        catalogue = DglCsv(root=root).read()
    dgl = load_dgl()
    with pytest.warns(UserWarning, match="Unnamed column"):
        graph = dgl.data.CSVDataset(str(root), force_reload=True, verbose=False)[0]
    assert catalogue.kinds() == {kind: graph.num_nodes(kind) for kind in ("user", "item")}
    for relation in (("user", "follow", "user"), ("user", "like", "item")):
        source, target = (ends.tolist() for ends in graph.edges(etype=relation))
        expected = [(f"{relation[0]}/{a}", f"{relation[2]}/{b}") for a, b in zip(source, target, strict=True)]
        links = catalogue.links[catalogue.links["relation"] == relation[1]]
        assert list(zip(links["source"], links["target"], strict=True)) == expected
        if relation[1] == "like":
            np.testing.assert_allclose(links["weight"].to_numpy(float), graph.edges["like"].data["weight"].numpy(), rtol=1e-6)
            assert links["split"].isna().all()
        else:
            tested = graph.edges["follow"].data["test_mask"].numpy().astype(bool)
            assert links["split"].tolist() == ["test" if one else "train" for one in tested]
    user = graph.nodes["user"].data
    labels = catalogue.labels.set_index("id")
    for split, mask in {"train": "train_mask", "valid": "val_mask", "test": "test_mask"}.items():
        inside = np.flatnonzero(user[mask].numpy())
        assert set(labels.index[labels["split"] == split]) == {f"user/{i}" for i in inside}
        assert all(labels["value"][f"user/{i}"] == str(int(user["label"][i])) for i in inside)
    given = {(one.kind, one.modality): vectors_of(one) for one in catalogue.features}
    assert set(given) == {("user", "feat"), ("item", "emb")}
    for (kind, modality), rows in given.items():
        for i, row in enumerate(graph.nodes[kind].data[modality].numpy()):
            np.testing.assert_array_equal(rows[f"{kind}/{i}"], row)
    assert "user.csv: 1 columns are left out: age" in caplog.text
    assert "like.csv: 1 columns are left out: label" in caplog.text


def test_vectors_are_written_once_and_again_where_the_source_changed(tmp_path):
    root = hetero(tmp_path / "data")
    first = DglCsv(root=root, cache=tmp_path / "cache").read().features
    before = {one.path: one.path.stat().st_mtime_ns for one in first}
    again = DglCsv(root=root, cache=tmp_path / "cache").read().features
    assert {one.path: one.path.stat().st_mtime_ns for one in again} == before
    item = root / "item.csv"
    item.write_text(item.read_text().replace(".5", ".75"))
    changed = {one.kind: one for one in DglCsv(root=root, cache=tmp_path / "cache").read().features}
    assert changed["user"].path in before
    assert changed["item"].path not in before
    assert vectors_of(changed["item"])["item/3"].tolist() == [3.75, 2.0]
    assert changed["item"].path.parent == tmp_path / "cache"
    assert not [path for path in (tmp_path / "cache").iterdir() if path.name.endswith(".part")]


def test_missing_vectors_and_labels_in_no_mask(tmp_path):
    nodes = 'node_id,label,train_mask,feat\na,x,True,"1,2"\n\nb,y,False,\nc,,True,"(3, 4)"\n'
    catalogue = DglCsv(root=small(tmp_path, nodes, "src_id,dst_id\na,b\n")).read()
    assert catalogue.labels[["id", "field", "value", "split"]].values.tolist() == [["a", "label", "x", "train"]]
    (given,) = catalogue.features
    assert {name: row.tolist() for name, row in vectors_of(given).items()} == {"a": [1.0, 2.0], "c": [3.0, 4.0]}


def test_several_graphs_are_one_with_ids_that_name_them(tmp_path):
    root = small(tmp_path, "graph_id,node_id\n0,a\n1,a\n", "graph_id,src_id,dst_id\n0,a,a\n1,a,a\n")
    catalogue = DglCsv(root=root).read()
    assert catalogue.items["id"].tolist() == ["0/a", "1/a"]
    assert catalogue.links[["source", "target"]].values.tolist() == [["0/a", "0/a"], ["1/a", "1/a"]]


def other(**changes):
    return {**META, **changes}


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ("[", r"meta.yaml is no YAML"),
        ("", r"meta.yaml holds no keys"),
        (other(version="2.0"), r"meta.yaml: not a version that is read; given: 2.0"),
        (other(node_data=[]), r"meta.yaml: node_data is no list of files"),
        (other(edge_data=[{"file_name": "edges_0.csv", "etype": ["a", "b"]}]), r"the etype of edges_0.csv is no triple"),
        (
            other(edge_data=[{"file_name": "edges_0.csv", "etype": ["a", "b", "_V"]}]),
            r"that is not there; given: a; there are: _V",
        ),
        (other(node_data=[{"file_name": "none.csv"}]), r"none.csv cannot be read; given: .*No such file"),
        (other(node_data=[*META["node_data"], *META["node_data"]]), r"meta.yaml names a type twice; given: _V"),
        (other(separator=";"), r"edges_0.csv lacks column 'src_id'; given: src_id,dst_id"),
    ],
)
def test_what_is_said_of_a_bad_meta(tmp_path, meta, message):
    with pytest.raises(CatalogueError, match=message):
        DglCsv(root=small(tmp_path, meta=meta)).read()


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ("id\n0\n", None, r"nodes_0.csv lacks column 'node_id'; given: id; add it, or name another one in meta.yaml"),
        ("", None, r"nodes_0.csv has no line of names"),
        ("node_id,node_id\n0,1\n", None, r"nodes_0.csv has column 'node_id' twice"),
        ("node_id\n0\n\n0\n", None, r"nodes_0.csv, line 4, column 'id': it is also the id of nodes_0.csv, line 2"),
        ("node_id,x\n0,1\n,2\n", None, r"nodes_0.csv, line 3, column 'id': it is empty"),
        ("node_id,x\n0\n", None, r"nodes_0.csv cannot be read as a table"),
        (None, "src_id,dst_id\n0,1\n0,7\n", r"edges_0.csv, line 3, column 'target': no item has this id; given: '7'"),
        (None, "src_id,dst_id,weight\n0,1,a\n", r"edges_0.csv, line 2, column 'weight': not a number; given: 'a'"),
        ('node_id,f\n0,"1,2"\n1,"1,2,3"\n', None, r"line 3, column 'f': a list of another length; .*a list of 2 numbers"),
        ('node_id,f\n0,"1,2"\n1,"1,b"\n', None, r"nodes_0.csv, line 3, column 'f': not a list of numbers; given: '1,b'"),
        ('node_id,f\n1,"1,2"\n0,"nan,2"\n', None, r"nodes_0.csv, line 3, column 'f': not a list of numbers"),
        ('node_id,label\n0,"1,0"\n1,"0,1"\n', None, r"nodes_0.csv, column 'label': labels are lists; given: 1,0"),
        (
            "node_id,train_mask,test_mask\n0,1,0\n1,1,1\n",
            None,
            r"nodes_0.csv, line 3: it is in test_mask and in that of train",
        ),
        (
            "node_id,train_mask\n0,1\n1,2\n",
            None,
            r"nodes_0.csv, line 3, column 'train_mask': neither true nor false; given: 2",
        ),
    ],
)
def test_what_is_said_of_bad_files(tmp_path, nodes, edges, message):
    texts = {"nodes": nodes, "edges": edges}
    root = small(tmp_path, **{name: text for name, text in texts.items() if text is not None})
    with pytest.raises(CatalogueError, match=message):
        DglCsv(root=root).read()


def test_what_is_said_where_vectors_cannot_be_kept(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogueError, match=r"vectors cannot be kept in .*file; .*; name a folder .* by catalogue.cache"):
        DglCsv(root=hetero(tmp_path / "data"), cache=tmp_path / "file").read()
