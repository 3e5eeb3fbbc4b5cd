"""Each rule of the tables: one broken table, one message with file, row and column."""

from pathlib import Path

import numpy as np
import pytest

from mmgraph.catalogue.importers.folder import Folder
from mmgraph.catalogue.importers.tables import Tables
from mmgraph.errors import CatalogueError

ITEMS = "id,kind,parent,start_s,end_s\nv,video,,,\ns,segment,v,0,2\nu,user,,,\n"
RULES = {
    "no id column": ({"items.csv": "kind\nuser\n"}, r"items.csv lacks column 'id'; given: kind; columns: id, kind"),
    "no kind column": ({"items.csv": "id\na\n"}, r"items.csv lacks column 'kind'"),
    "semicolons": ({"items.csv": "id;kind\na;user\n"}, r"lacks column 'id'; given: id;kind; .*separated by commas"),
    "unknown columns": (
        {"items.csv": "id,kind,pth,x\na,user,,\n"},
        r"items.csv has unknown columns; given: 'pth', 'x'; known: id",
    ),
    "column twice": ({"items.csv": "id,kind,kind\na,user,user\n"}, r"items.csv has column 'kind' twice"),
    "empty file": ({"items.csv": ""}, r"items.csv cannot be read as a table.*the file is empty"),
    "ragged": ({"items.csv": "id,kind\na,user\nb,user,3\n"}, r"items.csv cannot be read as a table.*Row #3"),
    "not UTF-8": ({"items.csv": b"id,kind\n\xff\xfe,user\n"}, r"items.csv is not UTF-8 text; .*; save it as CSV in UTF-8"),
    "both formats": ({"items.parquet": b"x"}, r"items.csv and items.parquet are both in"),
    "no items": ({"items.csv": "id,kind\n"}, r"there are no items; given: .*; check catalogue.root"),
    "duplicate id": (
        {"items.csv": "id,kind\na,user\nb,user\na,user\n"},
        r"items.csv, row 4, column 'id': .*items.csv, row 2; given: 'a'",
    ),
    "empty id": ({"items.csv": "id,kind\na,user\n,user\n"}, r"items.csv, row 3, column 'id': it is empty"),
    "blank kind": ({"items.csv": "id,kind\na,  \n"}, r"items.csv, row 2, column 'kind': it is empty"),
    "odd kind": ({"items.csv": "id,kind\na,my kind\n"}, r"row 2, column 'kind': not a name; given: 'my kind'"),
    "bad start": ({"items.csv": ITEMS + "t,segment,v,two,3\n"}, r"row 5, column 'start_s': not a number; given: 'two'"),
    "nan end": ({"items.csv": ITEMS + "t,segment,v,2,nan\n"}, r"row 5, column 'end_s': not a number; given: 'nan'"),
    "negative start": (
        {"items.csv": ITEMS + "t,segment,v,-1,3\n"},
        r"row 5, column 'start_s': the number is too small; given: '-1'",
    ),
    "end before start": ({"items.csv": ITEMS + "t,segment,v,3,2\n"}, r"row 5, column 'end_s': the end is before the start"),
    "unknown parent": ({"items.csv": ITEMS + "t,segment,w,0,2\n"}, r"row 5, column 'parent': no item has this id; given: 'w'"),
    "own parent": ({"items.csv": "id,kind,parent\na,user,a\n"}, r"row 2, column 'parent': .*its own parent; given: 'a'"),
    "circle": (
        {"items.csv": "id,kind,parent\nx,user,\na,user,b\nb,user,c\nc,user,a\n"},
        r"row 3, column 'parent': .*its own parent",
    ),
    "segment without parent": (
        {"items.csv": ITEMS + "t,segment,,0,2\n"},
        r"row 5, column 'parent': a segment needs a parent; given: 't'",
    ),
    "segment without start": ({"items.csv": ITEMS + "t,segment,v,,2\n"}, r"row 5, column 'start_s': a segment needs a start"),
    "segment without end": ({"items.csv": ITEMS + "t,segment,v,1,\n"}, r"row 5, column 'end_s': a segment needs an end"),
    "link lacks column": ({"links.csv": "source,target\nv,u\n"}, r"links.csv lacks column 'relation'"),
    "link from nowhere": (
        {"links.csv": "source,relation,target\nu,r,v\nw,r,v\n"},
        r"links.csv, row 3, column 'source': no item.*'w'",
    ),
    "link to nowhere": (
        {"links.csv": "source,relation,target\nu,r,w\n"},
        r"links.csv, row 2, column 'target': no item has this id; given: 'w'",
    ),
    "link without relation": (
        {"links.csv": "source,relation,target\nu,,v\n"},
        r"links.csv, row 2, column 'relation': it is empty",
    ),
    "odd relation": (
        {"links.csv": "source,relation,target\nu,a/b,v\n"},
        r"links.csv, row 2, column 'relation': not a name; given: 'a/b'",
    ),
    "bad time": (
        {"links.csv": "source,relation,target,time\nu,r,v,5\nu,r,s,noon\n"},
        r"links.csv, row 3, column 'time': not a number; given: 'noon'",
    ),
    "bad weight": (
        {"links.csv": "source,relation,target,weight\nu,r,v,inf\n"},
        r"links.csv, row 2, column 'weight': not a number; given: 'inf'",
    ),
    "bad split": (
        {"links.csv": "source,relation,target,split\nu,r,v,dev\n"},
        r"links.csv, row 2, column 'split': not a split; given: 'dev'; one of train, valid, test",
    ),
    "two splits": (
        {"links.csv": "source,relation,target,split\nu,r,v,train\nu,r,v,test\n"},
        r"links.csv, row 3, column 'split': an earlier row .*another split",
    ),
    "half a split": (
        {"links.csv": "source,relation,target,split\nu,r,v,test\nu,r,v,\n"},
        r"links.csv, row 3, column 'split': an earlier row",
    ),
    "label of nothing": (
        {"labels.csv": "id,field,value\nw,f,x\n"},
        r"labels.csv, row 2, column 'id': no item has this id; given: 'w'",
    ),
    "label without value": (
        {"labels.csv": "id,field,value\nu,f,x\nv,f,\n"},
        r"labels.csv, row 3, column 'value': it is empty",
    ),
    "label split": (
        {"labels.csv": "id,field,value,split\nu,f,x,all\n"},
        r"labels.csv, row 2, column 'split': not a split; given: 'all'",
    ),
    "label in two splits": (
        {"labels.csv": "id,field,value,split\nu,f,x,train\nu,f,x,test\n"},
        r"labels.csv, row 3, column 'split'",
    ),
    "line break in an id": (
        {"items.csv": 'id,kind\na,user\n"b\nc",user\n'},
        r"items.csv, row 3, column 'id': it holds a line break or another control character; given: 'b\\nc'; take it out",
    ),
    "control character in an id": (
        {"items.csv": "id,kind\na,user\nb\x85c,user\n"},
        r"items.csv, row 3, column 'id': it holds a line break or another control character",
    ),
    "quoted line ends": (
        {"items.csv": 'id,kind,text\na,user,"one\ntwo"\n\nb,,x\n'},
        r"items.csv, row 5, column 'kind': it is empty",
    ),
}


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


@pytest.mark.parametrize(("files", "message"), RULES.values(), ids=RULES.keys())
@pytest.mark.parametrize("importer", [Tables, Folder])
def test_a_broken_rule_is_named_with_file_row_and_column(tmp_path, files, message, importer):
    root = write(tmp_path, {"items.csv": ITEMS} | files)
    with pytest.raises(CatalogueError, match=message) as caught:
        importer(root=root).read()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("importer", [Tables, Folder])
def test_a_missing_root_and_a_root_that_is_a_file(tmp_path, importer):
    with pytest.raises(CatalogueError, match=r"catalogue.root is not there; given: .*nowhere"):
        importer(root=tmp_path / "nowhere").read()
    with pytest.raises(CatalogueError, match="catalogue.root is a file"):
        importer(root=write(tmp_path, {"x": ""}) / "x").read()


def test_an_empty_folder(tmp_path):
    with pytest.raises(CatalogueError, match=r"there is no items.csv or items.parquet; given"):
        Tables(root=tmp_path).read()
    with pytest.raises(CatalogueError, match=r"there is no media file and no items.csv; given"):
        Folder(root=tmp_path).read()


GOOD = np.eye(2, 4, dtype=np.float32)
NAN = GOOD.copy()
NAN[1, 3] = np.nan
FEATURES = {
    "unknown id": (GOOD, "u\nw\n", r"features/user.image.ids.txt, row 2: no item has this id; given: 'w'"),
    "duplicate id": (GOOD, "u\nu\n", r"features/user.image.ids.txt, row 2: the id came before; given: 'u'"),
    "other kind": (GOOD, "u\nv\n", r"features/user.image.ids.txt, row 2: the item is of kind video, not user"),
    "count": (GOOD, "u\n", r"features/user.image.npy has 2 rows, its .ids.txt has 1"),
    "nan": (NAN, "u\nx\n", r"features/user.image.npy, row 2 holds a number that is not finite.*id 'x'"),
    "whole numbers": (GOOD.astype(int), "u\nx\n", r"features/user.image.npy does not hold float numbers; given: int64"),
    "one row of numbers": (GOOD[0], "u\nx\n", r"features/user.image.npy is not \[items, width\]; given: \(4,\)"),
    "no width": (GOOD[:, :0], "u\nx\n", r"features/user.image.npy is not \[items, width\]; given: \(2, 0\)"),
    "objects": (np.array([[{}], [{}]], dtype=object), "u\nx\n", r"features/user.image.npy cannot be read"),
}


@pytest.mark.parametrize(("vectors", "ids", "message"), FEATURES.values(), ids=FEATURES.keys())
def test_brought_vectors_that_do_not_fit(tmp_path, vectors, ids, message):
    root = write(tmp_path, {"items.csv": ITEMS + "x,user,,,\n", "features/user.image.ids.txt": ids})
    np.save(root / "features/user.image.npy", vectors)
    with pytest.raises(CatalogueError, match=message):
        Tables(root=root).read()


def test_brought_vectors_are_kept_and_hashed(tmp_path):
    root = write(tmp_path, {"items.csv": ITEMS + "x,user,,,\n", "features/user.image.ids.txt": "x\nu\n"})
    np.save(root / "features/user.image.npy", GOOD)
    catalogue = Tables(root=root).read()
    (given,) = catalogue.features
    assert (given.kind, given.modality, given.ids) == ("user", "image", ("x", "u"))
    assert set(catalogue.sources) == {"items.csv", "features/user.image.npy", "features/user.image.ids.txt"}


@pytest.mark.parametrize("kept", ["user.image.npy", "user.image.ids.txt"])
def test_half_a_pair_of_vector_files(tmp_path, kept):
    root = write(tmp_path, {"items.csv": ITEMS, f"features/{kept}": "u\n"})
    with pytest.raises(CatalogueError, match=rf"features/{kept} has no features/user.image"):
        Tables(root=root).read()


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY\x01", b"garbage" * 40])
def test_a_vector_file_that_is_damaged(tmp_path, damage):
    root = write(tmp_path, {"items.csv": ITEMS, "features/user.image.ids.txt": "u\n", "features/user.image.npy": damage})
    with pytest.raises(CatalogueError, match=r"features/user.image.npy cannot be read"):
        Tables(root=root).read()
