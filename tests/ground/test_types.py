"""Names that every stage shares."""

import pytest

from mmgraph.errors import MMGraphError, SettingsError
from mmgraph.types import Relation


@pytest.mark.parametrize("text", ["segment/follows/segment", "a.b/c-d/e_f", "видео/идёт/музыка"])
def test_a_relation_is_written_as_it_is_read(text):
    assert str(Relation.parse(text)) == text


@pytest.mark.parametrize("text", ["", "a", "a/b", "a/b/c/d", "a//c", "a/b c/d", "/a/b", "a/b/"])
def test_what_is_no_relation_is_refused(text):
    with pytest.raises(SettingsError, match="a relation has three names; given: .*source-kind/name/target-kind"):
        Relation.parse(text)


def test_a_reverse_swaps_the_ends():
    assert Relation("video", "set_to", "music").reverse == Relation("music", "rev_set_to", "video")


def test_an_error_is_one_line_with_three_parts():
    error = MMGraphError("items.csv, row 3:\n wrong", given="a\nb", todo="mend it")
    assert str(error) == "items.csv, row 3: wrong; given: a b; mend it"
    assert str(MMGraphError("wrong")) == "wrong"
    assert "given: 0" in str(MMGraphError("wrong", given=0))


def test_what_was_given_is_cut_where_it_is_long():
    assert len(str(MMGraphError("wrong", given="x" * 10_000))) < 500
