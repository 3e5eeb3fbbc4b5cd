"""Links that a run is given, against what it knows."""

import numpy as np
import pandas as pd
import pytest

from mmgraph.catalogue.new_links import LINK, holds_links, read_new_links
from mmgraph.errors import CatalogueError
from mmgraph.graph.grown import grown
from mmgraph.settings import LinkSplitSettings, SplitSettings
from mmgraph.split.grown import grown_split
from mmgraph.split.leaks import check
from mmgraph.split.make import make
from mmgraph.split.new_links import linked
from mmgraph.types import Relation

PLAYS, FRIENDS = Relation("user", "plays", "music"), Relation("user", "friend_of", "user")
GIVEN = SplitSettings(links=LinkSplitSettings(method="given"))


@pytest.fixture
def known(graph, edges):
    """Four plays, of which one is valid and one test; a friend whose link is test."""
    plays = edges("user/plays/music", [(0, 0), (1, 0), (1, 1), (2, 2)], split=np.array([0, 0, 1, 2], np.int8))
    friends = edges("user/friend_of/user", [(0, 1), (1, 2), (2, 3)], split=np.array([0, 1, 2], np.int8))
    made = graph({"user": 4, "music": 3, "tag": 1}, [plays, friends], {"user.age": [0, 1, -1, 0]})
    return made, make(made, [PLAYS, FRIENDS], [], GIVEN, 0)


def table(tmp_path, text):
    path = tmp_path / "new.csv"
    path.write_text(text)
    return read_new_links(path, [PLAYS])


def test_what_is_new_known_or_held_out(known, tmp_path):
    graph, split = known
    text = (
        "source,target,weight,time\nann,music2,,\nuser0,hit,2,5\nuser0,music0,,\nuser1,music1,,\nann,hit,1,7\nann,music2,3,9\n"
    )
    given = linked(graph, split, table(tmp_path, text))
    assert (given.known, given.aside, given.relations) == (1, 1, ("user/plays/music",))
    assert given.more == {"user": ("ann",), "music": ("hit",)}
    (one,) = given.edges
    assert list(zip(one.source, one.target, strict=True)) == [(4, 2), (0, 3), (4, 3)]
    assert one.weight.tolist() == [4.0, 2.0, 1.0] and one.time.tolist() == [9.0, 5.0, 7.0]
    assert given.rows[["source", "relation", "target"]].to_numpy().tolist() == [
        [s, "user/plays/music", t] for s, t in (("ann", "music2"), ("user0", "hit"), ("ann", "hit"), ("ann", "music2"))
    ]
    now = grown_split(split, given.more, given.edges)
    before, after = split.links[PLAYS], now.links[PLAYS]
    assert (after.valid.tolist(), after.test.tolist()) == (before.valid.tolist(), before.test.tolist())
    assert after.train.tolist() == [*before.train.tolist(), 4, 5, 6]
    seen, own = now.visible.edges[PLAYS], after.edges.take(after.train)
    assert (seen.source.tolist(), seen.target.tolist()) == (own.source.tolist(), own.target.tolist())
    assert now.visible.ids["user"].tolist() == ["user0", "user1", "user2", "user3", "ann"]
    assert now.visible.labels["user", "age"].values.tolist() == [0, 1, -1, 0, -1]
    assert graph.ids["user"].tolist() == ["user0", "user1", "user2", "user3"], "what was there stays as it is"
    check(grown(graph, given.more, given.edges), now, GIVEN)


def test_a_held_out_link_the_other_way_round_stays_out(known, tmp_path):
    graph, split = known
    text = "source,relation,target\nuser3,friend_of,user2\nuser2,user/friend_of/user,user0\n"
    given = linked(graph, split, table(tmp_path, text))
    assert given.aside == 1 and given.edges[0].source.tolist() == [2] and given.edges[0].target.tolist() == [0]
    whole = linked(graph, None, table(tmp_path, text))
    assert whole.aside == 0 and len(whole.edges[0]) == 2


def test_what_was_taken_is_read_again_the_same(known, tmp_path):
    graph, split = known
    text = "source,relation,target\nzoe,plays,b\nzoe,friend_of,yan\nann,plays,a\nyan,plays,b\n"
    given = linked(graph, split, table(tmp_path, text))
    given.rows.to_csv(tmp_path / "kept.csv", index=False)
    again = linked(graph, split, read_new_links(tmp_path / "kept.csv", []))
    assert again.more == given.more == {"user": ("zoe", "yan", "ann"), "music": ("b", "a")}
    for one, two in zip(given.edges, again.edges, strict=True):
        assert (one.source.tolist(), one.target.tolist()) == (two.source.tolist(), two.target.tolist())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("source,relation,target\nuser0,likes,music0\n", "row 2: the tables of the run state no such relation; given: likes; write one"),
        ("source,target\nuser0,music0\nuser1,user2\n", "row 3: the relation links a music here, and the item is a user; given: user2"),
        ("source,target\nuser0,\n", "new.csv, row 2, column 'target': not given"),
        ("source,target,weight\nuser0,music2,much\n", "new.csv, row 2, column 'weight': no number; given: much"),
        ("source,target,time\nuser0,music2,inf\n", "new.csv, row 2, column 'time': no number; given: inf; write a number"),
        ("source,target\n", "new.csv has no link"),
    ],
)  # fmt: skip
def test_refusals(known, tmp_path, text, told):
    with pytest.raises(CatalogueError) as found:
        linked(*known, table(tmp_path, text))
    assert told in str(found.value)


def test_columns_may_be_called_after_the_kinds(known, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("music,user\nmusic2,user0\n")
    assert holds_links(path, [PLAYS]) and not holds_links(path, [])
    assert linked(*known, read_new_links(path, [PLAYS])).edges[0].source.tolist() == [0]
    assert read_new_links(path, [FRIENDS, PLAYS]).frame["relation"].tolist() == ["user/plays/music"], (
        "no column tells a friend apart"
    )
    path.write_text("id,field,value\n")
    assert not holds_links(path, [PLAYS]) and not holds_links(tmp_path / "none.csv", [PLAYS])
    path.write_text("source,target\nuser0,music2\n")
    with pytest.raises(
        CatalogueError, match=r"does not say of which relation its links are; add a column relation; the run predicts: user/"
    ):
        read_new_links(path, [PLAYS, FRIENDS])
    pd.DataFrame({"source": ["user0"], "target": ["music2"]}).to_parquet(tmp_path / "new.parquet")
    assert list(read_new_links(tmp_path / "new.parquet", [PLAYS]).frame.columns) == list(LINK)


@pytest.mark.parametrize(("name", "told"), [
    ("none.csv", r"there is no such table; given: .*none.csv; check the name"),
    ("new.json", r"this is no table; given: .*new.json; save it as .csv or .parquet"),
])  # fmt: skip
def test_what_is_no_table_is_called_that(tmp_path, name, told):
    (tmp_path / "new.json").write_text("[]")
    with pytest.raises(CatalogueError, match=told):
        read_new_links(tmp_path / name, [PLAYS])


def test_links_without_one_of_their_ends_are_not_taken_for_answers(tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("source,relation\nuser0,plays\n")
    assert holds_links(path, [PLAYS])
    with pytest.raises(
        CatalogueError, match=r"new.csv lacks column 'target'; given: source, relation; columns: source, target"
    ):
        read_new_links(path, [PLAYS])
