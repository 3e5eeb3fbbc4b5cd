"""The table of copies, and what the report shows of it."""

import csv

import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import ITEM_COLUMNS, Catalogue
from mmgraph.graph.contract import Copies, Graph
from mmgraph.outputs.duplicates import COLUMNS, GROUPS, MEMBERS, record_duplicates, shown_groups
from mmgraph.runs import RunFolder


class _Items:
    """As much of a catalogue as the table needs."""

    def __init__(self, ids):
        rows = [dict.fromkeys(ITEM_COLUMNS) | {"id": one, "kind": "image", "path": f"{one}.jpg"} for one in ids]
        self.items = pd.DataFrame(rows, columns=list(ITEM_COLUMNS), dtype=object)


def written(tmp_path, ids, content, copies):
    graph = Graph(
        {"image": np.array([*ids, None], object)[:-1]}, {}, content={"image": np.array([*content, None], object)[:-1]}
    )
    if copies is not None:
        graph = Graph(graph.ids, {}, content=graph.content, duplicates={"image": copies})
    run = RunFolder(tmp_path)
    catalogue: Catalogue = _Items(ids)
    record_duplicates(run, graph, catalogue)
    with open(run.duplicates, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_nothing(tmp_path):
    assert written(tmp_path, [], [], None) == []
    assert (tmp_path / "duplicates.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_near_and_exact_in_one_group(tmp_path):
    first = np.array([2, 1, 2, 2, 1])
    copies = Copies(
        first, np.array([0.12, 0, 0, 0, 0.3], np.float32), np.array([0.9, np.nan, np.nan, np.nan, np.nan], np.float32)
    )
    rows = written(tmp_path, "abcde", ["x", "y", "z", "z", "w"], copies)
    assert [tuple(row.values()) for row in rows] == [
        ("0", "b", "image", "b.jpg", "first", "0", ""),
        ("0", "e", "image", "e.jpg", "near", "0.3000", ""),
        ("1", "c", "image", "c.jpg", "first", "0", ""),
        ("1", "a", "image", "a.jpg", "near", "0.1200", "0.9000"),
        ("1", "d", "image", "d.jpg", "exact", "0", ""),
    ]


def test_copies_of_the_same_bytes_are_listed_without_a_search(tmp_path):
    rows = written(tmp_path, "abc", ["x", "", "x"], None)
    assert [(row["id"], row["what"]) for row in rows] == [("a", "first"), ("c", "exact")]


def test_a_report_shows_some_groups_near_ones_first():
    def group(number, what, size):
        rows = [
            {"group": str(number), "id": f"{number}.{i}", "kind": "image", "what": what, "distance": "0.1"}
            for i in range(size)
        ]
        return [rows[0] | {"what": "first"}, *rows[1:]]

    rows = [row for number in range(20) for row in group(number, "near" if number >= 15 else "exact", 9)]
    shown = shown_groups(rows)
    assert len(shown) == GROUPS
    assert [one.number for one in shown[:5]] == [15, 16, 17, 18, 19]
    assert all(one.number < 15 for one in shown[5:])
    assert (len(shown[0].ids), shown[0].size) == (MEMBERS, 9)
    assert shown[0].what[:2] == ("first of the group", "near, distance 0.10")
    assert shown[-1].what[1] == "the same bytes"
    assert shown_groups([]) == []
