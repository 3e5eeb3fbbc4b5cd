"""What every encoder promises, for every one that can be found."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmgraph import registry
from mmgraph.encode.contract import Encoder
from mmgraph.errors import EncoderError, SettingsError
from mmgraph.media.clip import Frames, Sound
from mmgraph.settings import Component
from mmgraph.testing import awkward_clips, check_encoder

ENCODERS = registry.discover("encoder")
WEIGHT_FREE = ("hashed_ngrams", "image_statistics", "sound_statistics")


def test_all_are_found():
    assert len(ENCODERS) >= 14
    assert set(WEIGHT_FREE) < set(ENCODERS)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_argument_has_a_name_a_type_and_a_default(name):
    entry = ENCODERS[name]
    assert all(annotation != "Any" and not required for annotation, required in entry.arguments.values())
    with pytest.raises(SettingsError, match="colour is not an argument"):
        registry.create("encoder", Component(class_path=name, init_args={"colour": 1}))


@pytest.mark.parametrize("name", ENCODERS)
def test_it_is_cheap_until_it_is_loaded(name):
    encoder = registry.create("encoder", name)
    assert isinstance(encoder, Encoder)
    assert encoder.modality in ("image", "audio", "text")
    if name not in WEIGHT_FREE:
        with pytest.raises(EncoderError, match="has no weights yet; call load"):
            _ = encoder.card


@pytest.mark.parametrize("name", ENCODERS)
def test_nothing_heavy_is_imported_with_the_module(name):
    spec = importlib.util.find_spec(ENCODERS[name].module)
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    top = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    top |= {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert not {some for some in top if some.split(".")[0] in ("torch", "transformers", "open_clip", "torchaudio")}
    assert not top & {"mmgraph_encoders.pretrained", "mmgraph_encoders.waves"}


def test_asking_what_is_available_imports_no_torch_and_answers_at_once():
    code = """
import os, sys, time
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = "nowhere"
from mmgraph import registry
free = ("hashed_ngrams", "image_statistics", "sound_statistics")  # slow to import, tested elsewhere
encoders = {name: registry.create("encoder", name) for name in registry.discover("encoder") if name not in free}
started = time.perf_counter()
answers = {name: encoder.available() for name, encoder in encoders.items()}
assert time.perf_counter() - started < 1, "slow"
assert not {"torch", "transformers", "open_clip"} & set(sys.modules), "heavy"
for name, answer in answers.items():
    print(name, "|", answer)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    answers = dict(line.split(" | ") for line in done.stdout.splitlines())
    assert len(answers) >= 11
    assert answers["clap"].startswith(
        "laion/clap-htsat-unfused is not in nowhere/hub and the hub is not asked (encoders.offline or HF_HUB_OFFLINE is set)"
    )
    assert answers["open_clip_image"].startswith("ViT-B-32/laion2b_s34b_b79k is not in nowhere/hub and the hub is not asked")
    assert "mmgraph encoders pull --config FILE brings them" in answers["sentence_transformer"]


@pytest.mark.parametrize("name", WEIGHT_FREE)
def test_weight_free_ones_keep_every_promise(name):
    encoder = registry.create("encoder", name)
    assert encoder.available() is None
    encoder.load()
    card = encoder.card
    assert (card.weights, card.licence) == ("none", "Apache-2.0")
    assert card.key() == registry.create("encoder", name).card.key()
    check_encoder(encoder, awkward_clips(encoder.modality))


@pytest.mark.parametrize("name", WEIGHT_FREE)
def test_clips_of_another_modality_are_refused(name):
    encoder = registry.create("encoder", name)
    own, other = (
        awkward_clips(encoder.modality),
        awkward_clips({"image": "text", "audio": "image", "text": "audio"}[encoder.modality]),
    )
    with pytest.raises(EncoderError, match="was given a clip without"):
        encoder.encode([own[0], other[0]])


def test_clips_that_cannot_be_read_are_refused_in_one_line():
    image, sound = (registry.create("encoder", name) for name in ("image_statistics", "sound_statistics"))
    with pytest.raises(EncoderError, match=r"uint8 \[t, h, w, 3\], at least one; given: uint8 \(0, 4, 4, 3\)"):
        image.encode([Frames(np.zeros((0, 4, 4, 3), np.uint8))])
    with pytest.raises(EncoderError, match="given: float64"):
        image.encode([Frames(np.zeros((1, 4, 4, 3)))])
    with pytest.raises(EncoderError, match="samples that are not finite"):
        sound.encode([Sound(np.array([[0.0, np.nan]], np.float32), 8000)])
    with pytest.raises(EncoderError, match=r"sound must be \[channels, n\]; given: \(5,\) at 8000 Hz"):
        sound.encode([Sound(np.zeros(5, np.float32), 8000)])
    with pytest.raises(EncoderError, match="width must be even and positive; given: 7"):
        registry.create("encoder", Component(class_path="hashed_ngrams", init_args={"width": 7}))
