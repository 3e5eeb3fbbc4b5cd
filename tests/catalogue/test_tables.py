"""What good tables become."""

import hashlib
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, LINK_COLUMNS
from mmgraph.catalogue.importers.tables import Tables


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8", newline="")
    return root


def test_one_item_alone(tmp_path):
    catalogue = Tables(root=write(tmp_path, {"items.csv": "id,kind\na,user\n"})).read()
    assert catalogue.items.to_dict("records")[0] | {"start_s": 0, "end_s": 0} == {
        "id": "a",
        "kind": "user",
        "path": None,
        "text": None,
        "parent": None,
        "start_s": 0,
        "end_s": 0,
    }
    assert tuple(catalogue.links.columns) == LINK_COLUMNS
    assert tuple(catalogue.labels.columns) == LABEL_COLUMNS
    assert len(catalogue.links) == len(catalogue.labels) == 0
    assert catalogue.links["weight"].dtype == catalogue.links["time"].dtype == np.float64


def test_a_table_of_another_name_is_left_out_and_said(tmp_path, caplog):
    write(tmp_path, {"items.csv": "id,kind\na,user\n", "Links.csv": "source,relation,target\na,b,a\n", "notes.txt": ""})
    assert len(Tables(root=tmp_path).read().links) == 0
    assert caplog.messages == [f"left out, as only tables named items, links, labels are read: Links.csv in {tmp_path}"]


def test_columns_types_and_order(tmp_path):
    files = {
        "items.csv": '\ufeffkind,id,text,path\r\nuser,NA,,\r\ntext,null,"a, ""b""\nc",\r\nimage,007,,p.png\r\n',
        "links.csv": "target,relation,source,weight,time,split\nnull,likes,NA,2.5,,train\n007,likes,NA,,1e9,\n",
        "labels.csv": "id,field,value\nNA,mood,good\nNA,mood,bad\nNA,mood,good\n",
        "p.png": "x",
    }
    catalogue = Tables(root=write(tmp_path, files)).read()
    assert tuple(catalogue.items.columns) == ITEM_COLUMNS
    assert catalogue.items["id"].tolist() == ["NA", "null", "007"]
    assert catalogue.items["text"].tolist() == [None, 'a, "b"\nc', None]
    assert catalogue.items["path"].tolist() == [None, None, str(tmp_path / "p.png")]
    assert catalogue.items["start_s"].isna().all()
    assert catalogue.links["source"].tolist() == ["NA", "NA"]
    assert catalogue.links["weight"].tolist() == [2.5, 1.0]
    assert np.isnan(catalogue.links["time"][0])
    assert catalogue.links["time"][1] == 1e9
    assert catalogue.links["split"].tolist() == ["train", None]
    assert catalogue.labels["value"].tolist() == ["good", "bad"]
    assert catalogue.sources["items.csv"] == hashlib.sha256((tmp_path / "items.csv").read_bytes()).hexdigest()


def test_parquet_with_numbers_and_moments(tmp_path):
    pyarrow.parquet.write_table(
        pa.table({"id": [1, 2], "kind": pa.array(["a", "a"]).dictionary_encode()}), tmp_path / "items.parquet"
    )
    moments = pd.to_datetime(["1970-01-01 00:00:02.5", None])
    frame = pd.DataFrame(
        {"source": [1, 2], "relation": ["r", "r"], "target": [2, 1], "time": moments, "weight": [np.float32(0.5), 2]}
    )
    frame.to_parquet(tmp_path / "links.parquet")
    catalogue = Tables(root=tmp_path).read()
    assert catalogue.items["id"].tolist() == ["1", "2"]
    assert catalogue.links["time"][0] == 2.5
    assert np.isnan(catalogue.links["time"][1])
    assert catalogue.links["weight"].tolist() == [0.5, 2.0]


def test_files_that_are_not_there_are_unread_with_their_children_links_and_labels(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    files = {
        "items.csv": "id,kind,path,parent,start_s,end_s\nv,video,gone.mp4,,,\ns,segment,,v,0,1\nw,video,folder.mp4,,,\nu,user,,,,\n",
        "links.csv": "source,relation,target\nu,likes,v\nu,likes,u\n",
        "labels.csv": "id,field,value\ns,f,x\nu,f,y\n",
    }
    catalogue = Tables(root=write(tmp_path, files)).read()
    assert {(one.id, one.reason) for one in catalogue.unread} == {
        ("v", "the file is not there"),
        ("s", "the file is not there"),
        ("w", "it is a folder"),
    }
    assert catalogue.items["id"].tolist() == ["u"]
    assert len(catalogue.links) == len(catalogue.labels) == 1


def test_a_segment_has_the_path_of_its_video(tmp_path):
    files = {"items.csv": "id,kind,path,parent,start_s,end_s\nv,video,v.mp4,,,\ns,segment,,v,0,1.5\n", "v.mp4": "x"}
    catalogue = Tables(root=write(tmp_path, files)).read()
    assert catalogue.items["path"].tolist() == [str(tmp_path / "v.mp4")] * 2
    assert catalogue.items["end_s"][1] == 1.5


def test_rows_of_one_link_are_merged(tmp_path, caplog):
    caplog.set_level("INFO")
    rows = ["u,saw,v,20,2", "u,saw,w,1,1", "u,saw,v,10,3", "u,saw,v,10,3", "w,saw,v,,1", "w,saw,v,,1"]
    files = {
        "items.csv": "id,kind\nu,user\nv,video\nw,video\n",
        "links.csv": "source,relation,target,time,weight\n" + "\n".join(rows),
    }
    links = Tables(root=write(tmp_path, files)).read().links
    assert list(zip(links["source"], links["target"], links["time"].fillna(-1), links["weight"], strict=True)) == [
        ("u", "v", 10.0, 5.0),
        ("u", "w", 1.0, 1.0),
        ("w", "v", -1.0, 1.0),
    ]
    assert links.index.tolist() == [0, 1, 2]
    assert "links.csv: 3 rows repeat a link" in caplog.text


def test_of_repeated_ratings_the_newest_row_stays(tmp_path, caplog):
    caplog.set_level("INFO")
    rows = ["u,saw,v,20,2", "u,saw,w,,4", "u,saw,v,10,3", "u,saw,w,1,5", "u,saw,w,1,1"]
    files = {
        "items.csv": "id,kind\nu,user\nv,video\nw,video\n",
        "links.csv": "source,relation,target,time,weight\n" + "\n".join(rows),
    }
    links = Tables(root=write(tmp_path, files), repeated="last").read().links
    found = list(zip(links["source"], links["target"], links["time"], links["weight"], strict=True))
    assert found == [("u", "v", 20.0, 2.0), ("u", "w", 1.0, 1.0)]
    assert "links.csv: 3 rows repeat a link and were merged" in caplog.text


def test_reading_the_same_folder_twice_gives_the_same(tmp_path):
    root = write(tmp_path, {"items.csv": "id,kind\nb,user\na,user\n", "links.csv": "source,relation,target\na,r,b\n"})
    first, second = Tables(root=root).read(), Tables(root=root).read()
    pd.testing.assert_frame_equal(first.items, second.items)
    pd.testing.assert_frame_equal(first.links, second.links)
    assert first.sources == second.sources


def test_three_hundred_thousand_links_take_seconds(tmp_path):
    generator = np.random.default_rng(7)
    names = np.array([f"user:{number}" for number in range(20_000)])
    pairs = np.unique(generator.integers(0, len(names), (300_000, 2)), axis=0)
    pd.DataFrame({"id": names, "kind": "user"}).to_csv(tmp_path / "items.csv", index=False)
    frame = pd.DataFrame(
        {"source": names[pairs[:, 0]], "relation": "knows", "target": names[pairs[:, 1]], "time": pairs[:, 0] / 7}
    )
    frame.to_csv(tmp_path / "links.csv", index=False)
    begun = time.process_time()
    links = Tables(root=tmp_path).read().links
    assert time.process_time() - begun < 8
    assert links["source"].tolist() == frame["source"].tolist()


@pytest.mark.real
def test_the_real_exercises(shared):
    catalogue = Tables(root=shared / "data/exercises").read()
    assert catalogue.kinds() == {"image": 1746, "text": 873, "exercise": 873, "equipment": 12, "muscle": 17}
    assert len(catalogue.links) == 6871
    assert len(catalogue.labels) == 3376
    assert not catalogue.unread
    assert all(Path(path).is_file() for path in catalogue.items["path"].dropna())


@pytest.mark.real
def test_the_real_listening_data(shared):
    catalogue = Tables(root=shared / "data/lastfm").read()
    assert catalogue.kinds()["user"] == 1892
    listens = catalogue.links[catalogue.links["relation"] == "listens"]
    assert len(listens) == 92834
    assert set(listens["split"]) == {"train", "valid", "test"}
    raw = pd.read_csv(shared / "data/lastfm/links.csv", dtype=str).astype({"weight": float})
    raw = raw[raw["relation"] == "listens"]
    assert listens["weight"].sum() == raw["weight"].sum()
