"""Neo4j's CSV files in both layouts, and what is said of bad ones."""

import logging

import numpy as np
import pytest

from mmgraph.catalogue.importers.neo4j import Neo4j
from mmgraph.errors import CatalogueError


def written(root, **files):
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        (root / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    return root


def read(base, *, arguments=None, **files):
    return Neo4j(root=written(base / "data", **files), **(arguments or {})).read()


def links(catalogue):
    return catalogue.links[["source", "relation", "target"]].values.tolist()


def test_one_node(tmp_path):
    catalogue = read(tmp_path, n=":ID\n1\n")
    assert catalogue.items[["id", "kind"]].values.tolist() == [["1", "node"]]
    assert links(catalogue) == []


# As in the operations manual: https://neo4j.com/docs/operations-manual/current/import/
MOVIES = 'movieId:ID,title,year:int,:LABEL\ntt01,"The Matrix",1999,Movie\ntt02,"The ""Reloaded""\npart",2003,Movie;Sequel\n'
ACTORS = "personId:ID,name,:LABEL\nkeanu,Keanu Reeves,Actor\ncarrie,Carrie-Anne Moss,Big Star;Actor\n"
ROLES = ":START_ID,role,:END_ID,:TYPE\nkeanu,Neo,tt01,ACTED_IN\nkeanu,Neo,tt02,ACTED_IN\ncarrie,Trinity,tt01,acted in\n"


def test_the_files_of_neo4j_admin(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        catalogue = read(tmp_path, movies=MOVIES, actors=ACTORS, roles=ROLES, arguments={"labels": ["year"]})
    assert catalogue.items[["id", "kind"]].values.tolist() == [
        ["keanu", "Actor"], ["carrie", "Big_Star"], ["tt01", "Movie"], ["tt02", "Movie"],
    ]  # fmt: skip
    assert links(catalogue) == [
        ["keanu", "ACTED_IN", "tt01"], ["keanu", "ACTED_IN", "tt02"], ["carrie", "acted_in", "tt01"],
    ]  # fmt: skip
    assert catalogue.labels.values.tolist() == [["tt01", "year", "1999", None], ["tt02", "year", "2003", None]]
    assert "movies.csv: properties are left out: title" in caplog.text
    assert "roles.csv: properties are left out: role" in caplog.text


def test_headers_in_files_of_their_own_and_id_spaces(tmp_path):
    files = {
        "nodes_user-header": "id:ID(User),:LABEL,text:string,skip:IGNORE",
        "nodes_user-1": "1,User,hello,x\n",
        "nodes_user-2": "2,User,,x\n",
        "nodes_film": "id:ID(Film){label:Film};:LABEL\n1;Film\n".replace(";", ","),
        "saw_header": ":START_ID(User),:END_ID(Film),:TYPE,weight:double,time:long,split",
        "saw_0": "1,1,SAW,0.5,10,train\n2,1,SAW,,,test\n",
    }
    catalogue = read(tmp_path, **files)
    assert sorted(catalogue.items[["id", "kind", "text"]].values.tolist()) == [
        ["Film/1", "Film", None], ["User/1", "User", "hello"], ["User/2", "User", None],
    ]  # fmt: skip
    assert links(catalogue) == [["User/1", "SAW", "Film/1"], ["User/2", "SAW", "Film/1"]]
    assert catalogue.links["weight"].tolist() == [0.5, 1.0]
    assert catalogue.links["split"].tolist() == ["train", "test"]
    assert set(catalogue.sources) == {f"{name}.csv" for name in files}


# As in https://neo4j.com/docs/apoc/current/export/csv/
APOC = (
    '"_id","_labels","born","name","title","topic","_start","_end","_type","roles","weight"\n'
    '"188",":Movie","","","The Matrix","sea","","","","",""\n'
    '"189",":Person:Actor","1964","Keanu Reeves","","","","","","",""\n'
    '"190","","","","","","","","","",""\n'
    ',,,,,,"189","188","ACTED_IN","[""Neo""]","2"\n'
)


def test_what_apoc_exports(tmp_path):
    catalogue = read(tmp_path, all=APOC, arguments={"kind": "thing", "labels": ("topic",)})
    assert catalogue.items[["id", "kind"]].values.tolist() == [["188", "Movie"], ["189", "Person"], ["190", "thing"]]
    assert links(catalogue) == [["189", "ACTED_IN", "188"]]
    assert catalogue.links["weight"].tolist() == [2.0]
    assert catalogue.labels.values.tolist() == [["188", "topic", "sea", None]]


def test_vectors_of_kinds_that_share_files_and_of_files_that_share_kinds(tmp_path):
    first = ":ID,:LABEL,emb:float[]\na,A,1;2\nb,B,3;4\n\nc,A,\nd,A,5;6\n"
    second = "emb:double[],:ID,:LABEL\n7;8,e,A\n"
    catalogue = read(tmp_path, n1=first, n2=second)
    found = {one.kind: dict(zip(one.ids, np.load(one.path).tolist(), strict=True)) for one in catalogue.features}
    assert found == {"A": {"a": [1, 2], "d": [5, 6], "e": [7, 8]}, "B": {"b": [3, 4]}}
    assert {one.modality for one in catalogue.features} == {"emb"}
    assert all(one.path.parent == tmp_path / "data.vectors" for one in catalogue.features)


def test_labels_of_several_values_and_splits(tmp_path):
    nodes = ":ID,label.mood:string[],split.mood:string[],label.topic,split.topic\na,good;bad,train;,sea,test\nb,,,wood,\n"
    assert read(tmp_path, n=nodes).labels.values.tolist() == [
        ["a", "mood", "good", "train"], ["a", "mood", "bad", None], ["a", "topic", "sea", "test"], ["b", "topic", "wood", None],
    ]  # fmt: skip


NODE = ":ID,:LABEL\na,A\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"there is no CSV file of nodes; .*apoc.export.csv.all"),
        ({"n": "id,label\n1,a\n"}, r"n.csv has no header of Neo4j's; given: id, label; its header needs :ID"),
        ({"n": NODE, "r": ":START_ID,:END_ID\na,a\n"}, r"r.csv has no column :TYPE"),
        ({"n": NODE + ",A\n"}, r"n.csv, line 3, column 'id': it is empty"),
        ({"n": NODE + "\na,A\n"}, r"n.csv, line 4, column 'id': it is also the id of n.csv, line 2"),
        ({"n": NODE, "r": ':START_ID,:END_ID,:TYPE\n\n"a",b,T\n'}, r"r.csv, line 3, column 'target': no item has this id; given: 'b'"),
        ({"n": NODE, "r": ":START_ID,:END_ID,:TYPE\na,a,\n"}, r"r.csv, line 2, column 'relation': it is empty"),
        ({"n": NODE, "r": ":START_ID,:END_ID,:TYPE,weight\na,a,T,much\n"}, r"r.csv, line 2, column 'weight': not a number"),
        ({"n": NODE + "b\n"}, r"n.csv cannot be read as a table; given: .*Expected 2 columns, got 1"),
        ({"n": ":ID,e:float[]\na,1;2\nb,1;2;3\n"}, r"n.csv, line 3, column 'e:float\[\]': a list of another length"),
        ({"n": ":ID,e:float[]\na,1;2\n", "m": ":ID,e:float[]\nb,1\n"}, r"vectors of node.e have different lengths; given: 1 and 2"),
        ({"n": ":ID,label.t:string[],split.t:string[]\na,x;y,train\n"}, r"n.csv, line 2: 2 values of 'label.t' and 1 of 'split.t'"),
    ],
)  # fmt: skip
def test_what_is_said_of_bad_files(tmp_path, files, message):
    with pytest.raises(CatalogueError, match=message):
        read(tmp_path, **files)


def test_what_is_said_of_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CatalogueError, match=r"x.csv cannot be read; given: .*No such file"):
        Neo4j(root=tmp_path, files=["x.csv"]).read()
