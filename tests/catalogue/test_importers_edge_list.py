"""Edge lists with any separator, weights and times; and what is said of bad ones."""

import numpy as np
import pytest

from mmgraph.catalogue.importers.edge_list import EdgeList
from mmgraph.errors import CatalogueError


def read(root, text, name="edges.txt", **arguments):
    (root / name).write_text(text, encoding="utf-8")
    return EdgeList(root=root, **arguments).read()


def test_one_edge(tmp_path):
    catalogue = read(tmp_path, "0 1")
    assert catalogue.items["id"].tolist() == ["0", "1"]
    assert catalogue.kinds() == {"node": 2}
    (link,) = catalogue.links.to_dict("records")
    assert (link["source"], link["relation"], link["target"], link["weight"], link["split"]) == ("0", "links", "1", 1.0, None)
    assert np.isnan(link["time"])


@pytest.mark.parametrize("separator", ["\t", ",", ";", "  ", " , "])
def test_any_separator_weights_times_and_comments(tmp_path, separator):
    rows = [("b", "a", "0.5", "10"), ("a", "c", "2", "-1.5"), ("b", "a", "1", "5")]
    text = "# a comment\n\n" + "\n".join(separator.join(row) for row in rows) + "\n  # the end\n"
    catalogue = read(tmp_path, text, relation="met", source_kind="person", target_kind="person")
    assert catalogue.items["id"].tolist() == ["b", "a", "c"]
    assert catalogue.links["weight"].tolist() == [1.5, 2.0]  # rows of one link are merged: weights added, the first time
    assert catalogue.links["time"].tolist() == [5.0, -1.5]
    assert set(catalogue.links["relation"]) == {"met"}


def test_two_kinds_have_ids_of_their_own(tmp_path):
    text = "user,film\n1,1\n1,2\n2,1\n"
    catalogue = read(tmp_path, text, "ratings.csv", source_kind="user", target_kind="film", relation="saw", header=True)
    assert catalogue.items["id"].tolist() == ["user/1", "user/2", "film/1", "film/2"]
    assert catalogue.items["kind"].tolist() == ["user", "user", "film", "film"]
    assert list(zip(catalogue.links["source"], catalogue.links["target"], strict=True)) == [
        ("user/1", "film/1"), ("user/1", "film/2"), ("user/2", "film/1"),
    ]  # fmt: skip


def test_many_edges_as_a_plain_loop_reads_them(tmp_path):
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 500, (5000, 2))
    catalogue = read(tmp_path, "".join(f"{a}\t{b}\n" for a, b in pairs))
    seen = list(dict.fromkeys(str(one) for pair in pairs for one in pair))
    assert catalogue.items["id"].tolist() == seen
    counts = {}
    for a, b in pairs:
        counts[str(a), str(b)] = 1.0  # equal rows count once
    found = dict(
        zip(zip(catalogue.links["source"], catalogue.links["target"], strict=True), catalogue.links["weight"], strict=True)
    )
    assert found == counts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"edges.txt holds no links; .*one a line: source target"),
        ("# nothing\n", r"edges.txt holds no links"),
        ("a\n", r"edges.txt, line 1: 1 fields; given: 'a'; write source target"),
        ("a b\na b 1\n", r"edges.txt, line 2: 3 fields where line 1 has 2"),
        ("a b 1 2 3\n", r"edges.txt, line 1: 5 fields"),
        ("#\na,\n", r"edges.txt, line 2: target is empty"),
        ("a b 1\n\na c much\n", r"edges.txt, line 3, column 'weight': not a number; given: 'much'"),
        ("a b 1 1\na c 2 soon\n", r"edges.txt, line 2, column 'time': not a number"),
        ('"a","b"\n', r"edges.txt, line 1: source is in quotes, which are not read here; .*links.csv"),
    ],
)
def test_what_is_said_of_a_bad_file(tmp_path, text, message):
    with pytest.raises(CatalogueError, match=message):
        read(tmp_path, text)


def test_what_is_said_of_names(tmp_path):
    with pytest.raises(CatalogueError, match=r"edges.txt, line 1, column 'relation': not a name; given: 'a b'"):
        read(tmp_path, "a b", relation="a b")
    with pytest.raises(CatalogueError, match=r"edges.txt, line 1, column 'kind': not a name"):
        read(tmp_path, "a b", source_kind="a b")
    with pytest.raises(CatalogueError, match=r"no such file of links; given: .*other.txt"):
        EdgeList(root=tmp_path, file="other.txt").read()
    (tmp_path / "more.csv").write_text("a,b")
    with pytest.raises(
        CatalogueError, match=r"several files of links; given: edges.txt, more.csv; name one by catalogue.file"
    ):
        EdgeList(root=tmp_path).read()
    with pytest.raises(CatalogueError, match=r"there is no file of links \(.txt"):
        EdgeList(root=tmp_path / "none").read()
