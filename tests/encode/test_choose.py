import logging
import sys
from types import SimpleNamespace

import pytest

from mmgraph.encode.choose import choose
from mmgraph.errors import EncoderError, SettingsError
from mmgraph.settings import Component

FAKE = "mmgraph.testing.FakeEncoder"


def fake(**arguments):
    return Component(class_path=FAKE, init_args=arguments)


def test_the_first_that_can_be_had_is_taken(caplog):
    with caplog.at_level(logging.WARNING):
        chosen = choose("image", [fake(width=3), fake(width=4)], "fallback", "cpu")
    assert chosen.encoder.card.width == 3
    assert chosen.passed_over == ()
    assert not caplog.records


def test_each_one_passed_over_is_said_with_its_reason(caplog):
    preferred = [fake(lacks="no weights in there"), fake(fails="they are damaged"), fake(width=4), fake(width=5)]
    with caplog.at_level(logging.WARNING):
        chosen = choose("image", preferred, "fallback", "cpu")
    assert chosen.encoder.card.width == 4
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


@pytest.mark.parametrize(("has_cuda", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_what_the_machine_has(monkeypatch, has_cuda, device):
    asked = []
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: has_cuda)))
    monkeypatch.setattr("mmgraph.testing.FakeEncoder.load", lambda self, device: asked.append(device))
    choose("image", [fake()], "fallback", "auto")
    choose("image", [fake()], "fallback", "cuda:1")
    assert asked == [device, "cuda:1"]
