"""MMRec's files, and what is said of bad ones."""

import numpy as np
import pytest

from mmgraph.catalogue.importers.mm_rec import MMRec
from mmgraph.errors import CatalogueError

HEAD = "userID\titemID\trating\ttimestamp\tx_label\n"
INTER = HEAD + "0\t2\t5.0\t10\t0\n0\t0\t3.0\t11\t1\n1\t2\t4.0\t12\t2\n1\t2\t4.0\t12\t2\n"


def written(root, inter=INTER, **vectors):
    (root / "baby.inter").write_text(inter, encoding="utf-8")
    for name, rows in vectors.items():
        np.save(root / f"{name}_feat.npy", rows)
    return root


def vectors(rows, width=3, dtype=np.float64):
    return np.arange(rows * width, dtype=dtype).reshape(rows, width)


def test_interactions_splits_and_vectors(tmp_path, caplog):
    caplog.set_level("INFO")
    catalogue = MMRec(root=written(tmp_path, image=vectors(4), text=vectors(4, 2, np.float32))).read()
    columns = ["source", "relation", "target", "weight", "time", "split"]
    assert [tuple(row) for row in catalogue.links[columns].itertuples(index=False)] == [
        ("user/0", "interacts", "item/2", 5.0, 10.0, "train"),
        ("user/0", "interacts", "item/0", 3.0, 11.0, "valid"),
        ("user/1", "interacts", "item/2", 4.0, 12.0, "test"),
    ]
    assert "1 rows repeat a link and were merged" in caplog.text
    assert catalogue.kinds() == {"user": 2, "item": 4}  # what nobody chose has vectors all the same
    assert [(one.kind, one.modality, one.ids) for one in catalogue.features] == [
        ("item", name, ("item/0", "item/1", "item/2", "item/3")) for name in ("image", "text")
    ]
    assert sorted(catalogue.sources) == ["baby.inter", "image_feat.npy", "text_feat.npy"]


def test_interactions_alone(tmp_path):
    catalogue = MMRec(root=written(tmp_path, "userID\titemID\n7\tx\n")).read()
    assert catalogue.items["id"].tolist() == ["user/7", "item/x"]
    assert catalogue.links["split"].tolist() == [None]


@pytest.mark.parametrize(
    ("inter", "given", "message"),
    [
        (HEAD + "0\t2\t5\t1\t3\n", {}, r"baby.inter, line 2, column 'x_label': not a split; given: '3'; write 0 for train"),
        (HEAD + "0\t2\t5\t1\t0\n1\t2\t5\n", {}, r"baby.inter, line 3: 3 fields where line 2 has 5"),
        (HEAD + "0\t2\tgood\t1\t0\n", {}, r"baby.inter, line 2, column 'weight': not a number"),
        ("user\titemID\n1\t2\n", {}, r"baby.inter lacks column 'userID'; given: user, itemID; name the columns of ids"),
        (
            INTER + "3\t4\t1\t1\t0\n",
            {"text": vectors(4)},
            r"baby.inter, line 6, column 'itemID': text_feat.npy has no row for this item; given: '4'",
        ),
        (INTER + "3\t01\t1\t1\t0\n", {"text": vectors(4)}, r"baby.inter, line 6, column 'itemID': text_feat.npy has no row"),
        (INTER + "3\tB07\t1\t1\t0\n", {"text": vectors(4)}, r"baby.inter, line 6, column 'itemID': text_feat.npy has no row"),
        (INTER + "3\t²\t1\t1\t0\n", {"text": vectors(4)}, r"baby.inter, line 6, column 'itemID': text_feat.npy has no row"),
        (
            INTER,
            {"text": vectors(4), "image": vectors(3)},
            r"files of vectors have different numbers of rows; given: image_feat.npy 3, text_feat",
        ),
        (
            INTER,
            {"text": np.array([{}, {}, {}], dtype=object)},
            r"text_feat.npy cannot be read; .*; write it with numpy.save, not as objects",
        ),
        (INTER, {"text": np.full((3, 2), np.nan)}, r"text_feat.npy, row 1 holds a number that is not finite"),
        (INTER, {"image": np.zeros((3, 2), int)}, r"image_feat.npy does not hold float numbers"),
    ],
)
def test_what_is_said_of_a_bad_file(tmp_path, inter, given, message):
    with pytest.raises(CatalogueError, match=message):
        MMRec(root=written(tmp_path, inter, **given)).read()


def test_what_is_said_where_files_are_not_there(tmp_path):
    with pytest.raises(CatalogueError, match=r"there is no such file .inter; given: .*; name one by catalogue.file"):
        MMRec(root=tmp_path).read()
    (written(tmp_path) / "more.inter").write_text(INTER)
    with pytest.raises(CatalogueError, match=r"there are several files .inter; given: baby.inter, more.inter"):
        MMRec(root=tmp_path).read()
