import json
import logging
from dataclasses import replace

import pytest

from mmgraph.encode.cards import Cards
from mmgraph.encode.choose import choose
from mmgraph.errors import EncoderError, SettingsError
from mmgraph.settings import Component
from mmgraph.testing import FakeEncoder

FAKE = "mmgraph.testing.FakeEncoder"
KNOWING = f"{__name__}.Knowing"


class Knowing(FakeEncoder):
    """One that knows itself without loading, as ``state`` says; ``loads`` is set by the fixture."""

    state: str | None = "one"
    lack: str | None = None
    revision = "1"

    def identity(self):
        return None if self.state is None else f"{self.state} {self.width}"

    def available(self):
        return self.lack

    def load(self, device="cpu"):
        super().load(device)
        self.loads.append(device)

    @property
    def card(self):
        return replace(super().card, revision=self.revision)


@pytest.fixture
def knowing(monkeypatch):
    """The class as new; ``choose`` finds it although it is in a test."""
    monkeypatch.setattr(Knowing, "loads", [], raising=False)
    monkeypatch.setattr("mmgraph.registry.create", lambda group, component: Knowing(**component.init_args))
    return Knowing


def fake(**arguments):
    return Component(class_path=FAKE, init_args=arguments)


def test_the_first_that_can_be_had_is_taken(caplog):
    with caplog.at_level(logging.WARNING):
        chosen = choose("image", [fake(width=3), fake(width=4)], "fallback", "cpu")
    assert chosen.card.width == 3
    assert chosen.encoder().card == chosen.card
    assert chosen.encoder() is chosen.encoder()
    assert (chosen.name, chosen.modality, chosen.place) == (FAKE, "image", "cpu")
    assert chosen.passed_over == ()
    assert not caplog.records


def test_each_one_passed_over_is_said_with_its_reason(caplog):
    preferred = [fake(lacks="no weights in there"), fake(fails="they are damaged"), fake(width=4), fake(width=5)]
    with caplog.at_level(logging.WARNING):
        chosen = choose("image", preferred, "fallback", "cpu")
    assert chosen.card.width == 4
    assert chosen.passed_over == ((FAKE, "no weights in there"), (FAKE, "they are damaged"))
    assert [record.getMessage() for record in caplog.records] == [
        f"encoders.image: {FAKE} is passed over: no weights in there",
        f"encoders.image: {FAKE} is passed over: they are damaged",
    ]


@pytest.mark.parametrize(("arguments", "reason"), [({"lacks": "no weights"}, "no weights"), ({"fails": "damaged"}, "damaged")])
def test_error_forbids_the_fallback(arguments, reason):
    with pytest.raises(
        EncoderError, match=f"encoders.image: {FAKE} cannot be had: {reason}; or set when_unavailable: fallback"
    ):
        choose("image", [fake(**arguments), fake()], "error", "cpu")


def test_none_at_all():
    with pytest.raises(EncoderError, match="encoders.text: no encoder can be had; given: the list is empty"):
        choose("text", [], "fallback", "cpu")
    with pytest.raises(EncoderError, match=f"no encoder can be had; given: {FAKE}: one; {FAKE}: two"):
        choose("image", [fake(lacks="one"), fake(lacks="two")], "fallback", "cpu")


def test_what_is_no_matter_of_weights_is_no_reason_to_fall_back():
    with pytest.raises(EncoderError, match="FakeEncoder reads text; list it under encoders.text"):
        choose("image", [fake(modality="text"), fake()], "fallback", "cpu")
    with pytest.raises(SettingsError, match="did you mean hashed_ngrams"):
        choose("text", ["hashed_ngram"], "fallback", "cpu")
    with pytest.raises(EncoderError, match="encoders.text: mmgraph.media.clip.Span is no Encoder; given: Span"):
        choose("text", ["mmgraph.media.clip.Span"], "fallback", "cpu")


def test_a_device_that_is_not_there_is_no_reason_to_fall_back():
    with pytest.raises(SettingsError, match="encoders.device is not there; given: cuda:77; this machine has: cpu"):
        choose("image", [fake(), fake()], "fallback", "cuda:77")


def test_a_remembered_card_needs_no_loading(knowing, tmp_path):
    wanted = [Component(class_path=KNOWING, init_args={"width": 5})]
    first = choose("image", wanted, "fallback", "cpu", Cards(tmp_path))
    assert knowing.loads == ["cpu"]
    again = choose("image", wanted, "fallback", "cpu", Cards(tmp_path))
    assert again.card == first.card
    assert knowing.loads == ["cpu"]
    assert again.encoder().card == first.card
    again.encoder()
    assert knowing.loads == ["cpu", "cpu"]
    assert choose("image", [Component(class_path=KNOWING, init_args={"width": 6})], "fallback", "cpu", Cards(tmp_path))
    assert len(knowing.loads) == 3  # another width is another encoder
    choose("image", wanted, "fallback", "cpu")
    assert len(knowing.loads) == 4  # nothing is known without a store


def test_without_an_identity_nothing_is_remembered(knowing, tmp_path, monkeypatch):
    monkeypatch.setattr(Knowing, "state", None)
    for _ in range(2):
        choose("image", [Component(class_path=KNOWING)], "fallback", "cpu", Cards(tmp_path))
    assert len(knowing.loads) == 2
    assert not (tmp_path / "cards.jsonl").exists()


def test_other_weights_or_other_source_are_loaded_anew(knowing, tmp_path, monkeypatch):
    wanted = [Component(class_path=KNOWING)]
    choose("image", wanted, "fallback", "cpu", Cards(tmp_path))
    monkeypatch.setattr(Knowing, "state", "two")
    choose("image", wanted, "fallback", "cpu", Cards(tmp_path))
    assert len(knowing.loads) == 2
    monkeypatch.setattr("mmgraph.encode.cards._source", lambda kind: "changed")
    choose("image", wanted, "fallback", "cpu", Cards(tmp_path))
    assert len(knowing.loads) == 3


def test_weights_that_are_gone_are_needed_only_for_what_is_new(knowing, tmp_path, monkeypatch, caplog):
    wanted = [Component(class_path=KNOWING), fake()]
    first = choose("image", wanted, "fallback", "cpu", Cards(tmp_path))
    monkeypatch.setattr(Knowing, "state", None)
    monkeypatch.setattr(Knowing, "lack", "no folder there")
    again = choose("image", wanted, "fallback", "cpu", Cards(tmp_path))
    assert again.card == first.card
    assert "only what the store has" in caplog.text
    with pytest.raises(
        EncoderError, match=f"encoders.image: {KNOWING} is needed for what the store lacks, and cannot be had: no folder there"
    ):
        again.encoder()


def test_a_card_that_is_no_longer_true_is_an_error_once(knowing, tmp_path, monkeypatch):
    wanted = [Component(class_path=KNOWING)]
    choose("image", wanted, "fallback", "cpu", Cards(tmp_path))
    monkeypatch.setattr(Knowing, "revision", "2")
    with pytest.raises(EncoderError, match="is not what the store remembers; given: revision 1 became 2; the same command"):
        choose("image", wanted, "fallback", "cpu", Cards(tmp_path)).encoder()
    assert choose("image", wanted, "fallback", "cpu", Cards(tmp_path)).encoder().card.revision == "2"


@pytest.mark.parametrize("content", ["", "{", '["a", 1]\n', "[1, 2, 3]\n"])
def test_a_damaged_memory_is_none(knowing, tmp_path, content):
    (tmp_path / "cards.jsonl").write_text(content)
    assert choose("image", [Component(class_path=KNOWING)], "fallback", "cpu", Cards(tmp_path)).card.width == 8
    lines = [json.loads(line) for line in (tmp_path / "cards.jsonl").read_text().splitlines()]
    assert any(isinstance(value, dict) and value["width"] == 8 for _, value in lines)
