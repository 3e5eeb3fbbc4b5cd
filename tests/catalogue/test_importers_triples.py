"""Triples in text files, and what is said of files that hold none."""

import logging
import re

import pytest

from mmgraph.catalogue.contract import ITEM_COLUMNS, LINK_COLUMNS
from mmgraph.catalogue.importers.triples import Triples
from mmgraph.errors import CatalogueError


def written(root, **files):
    for name, text in files.items():
        (root / name.replace("_", ".")).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def facts(catalogue):
    columns = (catalogue.links[name] for name in ("source", "relation", "target", "split"))
    return list(zip(*columns, strict=True))


def test_one_triple(tmp_path):
    catalogue = Triples(root=written(tmp_path, facts_txt="a\tknows\tb"), file="facts.txt").read()
    assert catalogue.items["id"].tolist() == ["a", "b"]
    assert catalogue.kinds() == {"entity": 2}
    assert facts(catalogue) == [("a", "knows", "b", None)]
    assert tuple(catalogue.items.columns) == ITEM_COLUMNS
    assert tuple(catalogue.links.columns) == LINK_COLUMNS
    assert len(catalogue.labels) == 0
    assert list(catalogue.sources) == ["facts.txt"]


def test_three_files_with_marks_blanks_and_empty_lines(tmp_path):
    train = "\ufeffa b\tr\tNA\r\n\r\n null \tr\ta b\r\n".encode()
    catalogue = Triples(root=written(tmp_path, train_txt=train, dev_tsv='"x\tr\t1\n', test_txt="1\tr\t2"), kind="thing").read()
    assert facts(catalogue) == [
        ("a b", "r", "NA", "train"),
        ("null", "r", "a b", "train"),
        ('"x', "r", "1", "valid"),
        ("1", "r", "2", "test"),
    ]
    assert catalogue.items["id"].tolist() == ["a b", "NA", "null", '"x', "1", "2"]
    assert catalogue.kinds() == {"thing": 6}


def test_a_name_that_a_relation_cannot_have_becomes_one_of_its_own(tmp_path):
    lines = "a\t/p/q\tb\na\tp_q\tc\na\t_hyper\td\na\tp q\te\na\t++\tf"
    catalogue = Triples(root=written(tmp_path, f_tsv=lines), file="f.tsv").read()
    assert catalogue.links["relation"].tolist() == ["p_q_2", "p_q", "_hyper", "p_q_3", "relation"]


def test_a_triple_in_two_files_is_only_tested(tmp_path, caplog):
    root = written(tmp_path, train_txt="a\tr\tb\na\tr\tb\nb\tr\tc", valid_txt="c\tr\td", test_txt="a\tr\tb")
    with caplog.at_level(logging.WARNING):
        catalogue = Triples(root=root).read()
    assert facts(catalogue) == [("b", "r", "c", "train"), ("c", "r", "d", "valid"), ("a", "r", "b", "test")]
    assert "1 triples are in two of the files" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"train.txt holds no links; given: .*train.txt; one a line: head<tab>relation<tab>tail"),
        ("\n \n", r"train.txt holds no links"),
        ("a\tr\tb\n\na r b\n", r"train.txt, line 3: 1 fields where line 1 has 3; given: 'a r b'; write head<tab>"),
        ("a\tr\tb\tc\n", r"train.txt, line 1: 4 fields; given"),
        ("a\tr\tb\n\t r\tb", r"train.txt, line 2: head is empty; given: .* fill it in, or take out the line"),
        ("a\tr\tb\n\na\tr\tc\x07", r"train.txt, line 3, column 'id': it holds a line break or another control character"),
        (b"a\tr\t\xff\n", r"train.txt cannot be read as lines; given: .*UTF8.*; save it as UTF-8 text"),
    ],
)
def test_what_is_said_of_a_bad_file(tmp_path, text, message):
    with pytest.raises(CatalogueError, match=message):
        Triples(root=written(tmp_path, train_txt=text, valid_txt="a\tr\tc", test_txt="a\tr\td")).read()


def test_what_is_said_where_files_are_not_there(tmp_path):
    with pytest.raises(CatalogueError, match=r"there is no train.txt or train.tsv; given: .*; add it, or name one file"):
        Triples(root=tmp_path / "none").read()
    with pytest.raises(CatalogueError, match=r"there is no such file of triples; .*facts.txt"):
        Triples(root=tmp_path, file="facts.txt").read()
    root = written(tmp_path, train_txt="a\tr\tb", train_tsv="a\tr\tb")
    with pytest.raises(CatalogueError, match=r"several files of train triples; given: train.txt, train.tsv; keep one"):
        Triples(root=root).read()


@pytest.mark.real
@pytest.mark.parametrize(("name", "items"), [("umls", 135), ("kinship", 104), ("codex-s", 2034)])
def test_real_knowledge_graphs(shared, name, items):
    root = shared / "data" / "graphs" / name
    catalogue = Triples(root=root).read()
    assert len(catalogue.items) == items
    for split in ("train", "valid", "test"):
        lines = {line for line in (root / f"{split}.txt").read_text().splitlines() if line.strip()}
        expected = {tuple(re.split("\t", line)) for line in lines}
        assert {fact[:3] for fact in facts(catalogue) if fact[3] == split} == expected
