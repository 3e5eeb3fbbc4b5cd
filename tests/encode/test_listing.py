import json

import pytest

from mmgraph import registry
from mmgraph.cli import main
from mmgraph.encode import hub
from mmgraph.encode.contract import About, Repository
from mmgraph.encode.listing import Listed, installed, notes, table
from mmgraph.registry import Entry
from mmgraph.testing import FakeEncoder


class OfHub(FakeEncoder):
    """One whose weights are on a hub."""

    def about(self):
        return About("some/model", "MIT", "Nobody 1999", None)

    def repository(self):
        return Repository("some/model")


class NeedsMore(FakeEncoder):
    """One that cannot be built without an argument."""

    def __init__(self, *, colour: str) -> None:
        super().__init__()


class Plain(FakeEncoder):
    """A third party's, written before ``about``."""

    @property
    def card(self):
        raise AttributeError("no card before load")


@pytest.fixture
def three(monkeypatch, tmp_path):
    """Three installed encoders, an empty cache and a hub that is not asked."""
    here = {
        "of_hub": Entry(__name__, "OfHub", {}),
        "needs_more": Entry(__name__, "NeedsMore", {"colour": ("str", True)}),
        "plain": Entry(__name__, "Plain", {}),
    }
    classes = {"of_hub": OfHub, "needs_more": NeedsMore, "plain": Plain}
    monkeypatch.setattr(registry, "discover", lambda group: here)
    monkeypatch.setattr(Entry, "load", lambda self: next(one for one in classes.values() if one.__name__ == self.name))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.forget()
    return tmp_path


def test_each_is_told_whatever_it_says_of_itself(three):
    assert installed() == [
        Listed("of_hub", "image", "some/model", None, "MIT", "Nobody 1999", "hub"),
        Listed("plain", "image", "not said", None, "not said", "not said", "here"),
        Listed(
            "needs_more",
            "unknown",
            "not said",
            None,
            "not said",
            "not said",
            "unknown",
            "needs_more: NeedsMore needs colour; given: {}; add it",
        ),
    ]


def test_weights_in_the_cache_are_found_at_their_revision(three):
    snapshot = three / "models--some--model" / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    (three / "models--some--model" / "refs").mkdir()
    (three / "models--some--model" / "refs" / "main").write_text("c0ffee")
    assert installed()[0].at_hand == "hub"
    (snapshot / "model.safetensors").write_text("")
    assert installed()[0].at_hand == "cache"


def test_notes_say_once_what_is_common(three, monkeypatch):
    closed = "the hub is not asked (encoders.offline or HF_HUB_OFFLINE is set)"
    monkeypatch.setattr(OfHub, "available", lambda self: f"some/model is not in {three} and {closed}; todo")
    monkeypatch.setattr(Plain, "available", lambda self: "no wheel")
    lines = notes(installed())
    assert lines[0] == f"cache: {three}"
    assert lines[1].startswith(f"hub: {closed}")
    assert lines[2:4] == ["plain: no wheel", "needs_more: needs_more: NeedsMore needs colour; given: {}; add it"]
    assert sum("some/model" in line for line in lines) == 0


def test_no_encoders_give_an_empty_table():
    assert table([]).row_count == 0


def test_all_of_ours_are_listed_in_a_hundred_columns(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "100")
    hub.forget()
    assert main(["encoders"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.split("cache: ")[0].splitlines())) <= 100
    assert main(["encoders", "--json"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert set(found) == set(registry.discover("encoder"))
    assert all(name in out for name in found)
    assert found["hashed_ngrams"]["at_hand"] == "needs none"
    assert found["sentence_transformer"]["at_hand"] == "missing"
    assert "mmgraph encoders pull --config FILE" in found["sentence_transformer"]["reason"]
    assert all(one["licence"] and one["paper"] for one in found.values())
