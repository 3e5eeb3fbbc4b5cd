"""RecBole's atomic files, and what is said of bad ones."""

import numpy as np
import pytest

from mmgraph.catalogue.importers.rec_bole import RecBole
from mmgraph.errors import CatalogueError

INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\tshop:token\nu1\ti1\t4\t10\ta\nu1\ti2\t2.5\t11\ta\nu2\ti1\t\t\t\n"
ITEM = (
    "item_id:token\ttitle:token_seq\tgenre:token_seq\tbrand:token\tprice:float\tyear:float\temb:float_seq\n"
    "i2\tThe Long Day\tDrama Crime\tx\t10\t1990\t0.5 1 2\n"
    "i9\tNight\t\t\t30\t2000\t\n"
    "i1\t\tDrama\ty\t\t1980\t1 0 -1e-1\n"
)
USER = "user_id:token\tage:token\nu2\t30\n"
KG = "head_id:token\trelation_id:token\ttail_id:token\nm.1\tfilm.genre\tm.7\nm.8\tby person\tm.2\nm.7\tkin\tm.8\n"
LINK = "item_id:token\tentity_id:token\ni1\tm.1\ni2\tm.2\nno\tm.8\n"
NET = "source_id:token\ttarget_id:token\nu1\tu3\n"


def written(root, **files):
    for name, text in files.items():
        (root / f"d.{name.replace('_', '.')}").write_text(text, encoding="utf-8")
    return root


def links(catalogue):
    return [tuple(row) for row in catalogue.links[["source", "relation", "target", "weight"]].itertuples(index=False)]


def test_interactions_alone(tmp_path, caplog):
    caplog.set_level("INFO")
    catalogue = RecBole(root=written(tmp_path, inter=INTER)).read()
    assert catalogue.items["id"].tolist() == ["user/u1", "user/u2", "item/i1", "item/i2"]
    assert links(catalogue) == [
        ("user/u1", "interacts", "item/i1", 4.0),
        ("user/u1", "interacts", "item/i2", 2.5),
        ("user/u2", "interacts", "item/i1", 1.0),
    ]
    assert catalogue.links["time"].tolist()[:2] == [10.0, 11.0]
    assert "d.inter: columns are left out: shop" in caplog.text
    assert catalogue.links["split"].isna().all()


def test_all_files(tmp_path):
    root = tmp_path / "d"
    root.mkdir()
    written(root, inter=INTER, item=ITEM, user=USER, kg=KG, link=LINK, net=NET)
    catalogue = RecBole(root=root).read()
    assert catalogue.kinds() == {"user": 3, "item": 3, "entity": 2}
    assert set(catalogue.items["id"]) >= {
        "user/u3",
        "item/i9",
        "entity/m.7",
        "entity/m.8",
    }  # `no` is no item, so m.8 stays an entity
    assert links(catalogue)[3:] == [
        ("user/u1", "knows", "user/u3", 1.0),
        ("item/i1", "film.genre", "entity/m.7", 1.0),
        ("entity/m.8", "by_person", "item/i2", 1.0),
        ("entity/m.7", "kin", "entity/m.8", 1.0),
    ]
    texts = dict(zip(catalogue.items["id"], catalogue.items["text"], strict=True))
    assert (texts["item/i2"], texts["item/i1"]) == ("The Long Day", None)
    assert {tuple(row) for row in catalogue.labels[["id", "field", "value"]].itertuples(index=False)} == {
        ("item/i2", "genre", "Drama"), ("item/i2", "genre", "Crime"), ("item/i1", "genre", "Drama"),
        ("item/i2", "brand", "x"), ("item/i1", "brand", "y"), ("user/u2", "age", "30"),
    }  # fmt: skip
    vectors = {one.modality: (one.ids, np.load(one.path)) for one in catalogue.features}
    ids, numbers = vectors["numbers"]
    assert ids == ("item/i2", "item/i9")  # i1 has no price
    np.testing.assert_allclose(numbers, [[-1, -1], [1, 1]])
    ids, rows = vectors["emb"]
    assert ids == ("item/i2", "item/i1")
    np.testing.assert_allclose(rows, [[0.5, 1, 2], [1, 0, -0.1]])


def test_parts_are_a_given_split(tmp_path):
    head = "uid:token\tvid:token\n"
    root = written(tmp_path, train_inter=head + "a\tx\na\ty\n", valid_inter=head + "a\tz\n", test_inter=head + "b\tx\n")
    catalogue = RecBole(root=root, user="uid", item="vid").read()
    assert catalogue.links["split"].tolist() == ["train", "train", "valid", "test"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"inter": "user_id:token\titem_id\n1\t2\n"},
            r"d.inter, line 1: a column needs a name .*; given: 'item_id'; write name:type",
        ),
        ({"inter": "user_id:token\tuser_id:token\n1\t2\n"}, r"d.inter, line 1: a column needs a name of its own"),
        (
            {"inter": "uid:token\titem_id:token\n1\t2\n"},
            r"d.inter lacks column 'user_id'; given: uid, item_id; .*catalogue.user",
        ),
        ({"inter": "user_id:token\titem_id:token\n"}, r"d.inter holds no rows"),
        ({"inter": INTER + "u3\ti1\t3\n"}, r"d.inter, line 5: 3 fields where line 2 has 5"),
        ({"inter": INTER + "u3\t\t3\t1\t\n"}, r"d.inter, line 5, column 'target': it is empty"),
        ({"inter": INTER + "u3\ti1\tmany\t1\t\n"}, r"d.inter, line 5, column 'weight': not a number; given: 'many'"),
        ({"item": ITEM + "i2\t\t\t\t\t\t\n"}, r"d.item, line 5, column 'id': it is also the id of d.item, line 2"),
        ({"item": ITEM + "i3\t\t\t\tcheap\t1\t\n"}, r"d.item, line 5, column 'price': not a finite number; given: 'cheap'"),
        ({"item": ITEM + "i3\t\t\t\t1\t1\t1 2\n"}, r"d.item, line 5, column 'emb': 2 numbers; given: the first row has 3"),
        ({"item": ITEM + "i3\t\t\t\t1\t1\t1 2 x\n"}, r"d.item, line 5, column 'emb': not a finite number; given: 'x'"),
        ({"kg": KG.replace("by person", "")}, r"d.kg, line 3, column 'relation': it is empty"),
        ({"more.inter": INTER}, r"there are several data sets; given: d, d.more; name one by catalogue.name"),
    ],
)
def test_what_is_said_of_a_bad_file(tmp_path, files, message):
    with pytest.raises(CatalogueError, match=message):
        RecBole(root=written(tmp_path, **({"inter": INTER} | files)), cache=tmp_path / "kept").read()


def test_what_is_said_where_files_are_not_there(tmp_path):
    with pytest.raises(CatalogueError, match=r"there is no file .inter; given: .*; name one by catalogue.name"):
        RecBole(root=tmp_path).read()
    with pytest.raises(CatalogueError, match=r"there is no e.inter"):
        RecBole(root=written(tmp_path, inter=INTER), name="e").read()


def test_columns_of_numbers_in_which_nothing_stands_are_no_vectors(tmp_path):
    item = "item_id:token\tprice:float\temb:float_seq\ni1\t\t\ni2\t\t\n"
    catalogue = RecBole(root=written(tmp_path, inter=INTER, item=item)).read()
    assert catalogue.kinds() == {"user": 2, "item": 2} and catalogue.features == ()


def test_ids_of_any_script_and_a_fact_without_a_relation(tmp_path):
    inter = "user_id:token\titem_id:token\nžofie\tкнига\n"
    catalogue = RecBole(root=written(tmp_path, inter=inter)).read()
    assert links(catalogue) == [("user/žofie", "interacts", "item/книга", 1.0)]
    kg = "head_id:token\trelation_id:token\ttail_id:token\nm.1\tof\tm.2\nm.2\t\tm.3\n"
    with pytest.raises(CatalogueError, match=r"d.kg, line 3, column 'relation': it is empty"):
        RecBole(root=written(tmp_path, kg=kg)).read()
