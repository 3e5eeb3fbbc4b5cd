"""LightGCN's text files, and what is said of bad ones."""

import numpy as np
import pytest

from mmgraph.catalogue.importers.light_gcn import LightGCN
from mmgraph.errors import CatalogueError

LISTS = {
    "user_list": "org_id remap_id\nann 0\nbob 1\neve 2\n",
    "item_list": "org_id remap_id freebase_id\nB00 0 m.1\nB01 1 m.2\nB02 2 m.3\n",
}


def written(root, **files):
    for name, text in files.items():
        (root / f"{name}.txt").write_text(text, encoding="utf-8")
    return root


def links(catalogue):
    return [tuple(row) for row in catalogue.links[["source", "target", "split"]].itertuples(index=False)]


def test_lines_of_any_length(tmp_path):
    root = written(tmp_path, train="0 5 7 2 \n1 7\n\n2\n", test="0 9\n1 \n")
    catalogue = LightGCN(root=root).read()
    assert links(catalogue) == [
        ("user/0", "item/5", "train"), ("user/0", "item/7", "train"), ("user/0", "item/2", "train"),
        ("user/1", "item/7", "train"), ("user/0", "item/9", "test"),
    ]  # fmt: skip
    assert catalogue.items["id"].tolist() == ["user/0", "user/1", "user/2", "item/5", "item/7", "item/2", "item/9"]
    assert set(catalogue.links["relation"]) == {"interacts"}
    assert list(catalogue.sources) == ["train.txt", "test.txt"]


def test_lists_give_the_ids_back(tmp_path):
    catalogue = LightGCN(root=written(tmp_path, train="1 2 0\n", valid="1 1\n", test="0 1\n", **LISTS)).read()
    assert links(catalogue) == [
        ("user/bob", "item/B02", "train"), ("user/bob", "item/B00", "train"),
        ("user/bob", "item/B01", "valid"), ("user/ann", "item/B01", "test"),
    ]  # fmt: skip
    assert catalogue.kinds() == {"user": 3, "item": 3}


def test_many_lines_as_a_plain_loop_reads_them(tmp_path):
    rng = np.random.default_rng(0)
    rows = {
        split: [rng.choice(300, rng.integers(0, 9), replace=False).tolist() for _ in range(100)] for split in ("train", "test")
    }
    texts = {split: "".join(" ".join(map(str, [u, *one])) + "\n" for u, one in enumerate(of)) for split, of in rows.items()}
    rows["test"] = [[one for one in of if one not in rows["train"][u]] for u, of in enumerate(rows["test"])]
    texts["test"] = "".join(" ".join(map(str, [u, *one])) + "\n" for u, one in enumerate(rows["test"]))
    expected = [(f"user/{u}", f"item/{i}", split) for split in rows for u, one in enumerate(rows[split]) for i in one]
    assert links(LightGCN(root=written(tmp_path, **texts)).read()) == expected


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train": ""}, r"train.txt holds no interactions; given: .*; one a line: user item item"),
        (
            {"train": "0 1\n1 2\n0 1 3\n0 3", "test": "0 2\n0 1\n"},
            r"test.txt, line 2, column 'split': an earlier row of the same has another split",
        ),
        ({"test": "0 1\n\n0 9 2\n", **LISTS}, r"test.txt, line 3: item_list.txt does not list this item; given: '9'"),
        ({**LISTS, "user_list": "org_id remap_id\nann 0\nbob\n"}, r"user_list.txt, line 3: 1 fields"),
        (
            {**LISTS, "user_list": "org_id remap_id\nann 0\nbob 0\n"},
            r"user_list.txt, line 3: the number came before; given: '0'",
        ),
        (
            {**LISTS, "user_list": "org_id remap_id\nann 0\nann 1\n"},
            r"user_list.txt, line 3, column 'id': it is also the id of user_list.txt, line 2",
        ),
    ],
)
def test_what_is_said_of_a_bad_file(tmp_path, files, message):
    with pytest.raises(CatalogueError, match=message):
        LightGCN(root=written(tmp_path, **({"train": "0 1\n", "test": "0 2\n"} | files))).read()


def test_what_is_said_where_files_are_not_there(tmp_path):
    with pytest.raises(CatalogueError, match=r"there is no test.txt; given: .*; give the folder of both files"):
        LightGCN(root=written(tmp_path, train="0 1\n")).read()
