"""The video adapter on tiny models with random weights, against the libraries' own preprocessing."""

import numpy as np
import pytest
import torch
import transformers

from mmgraph import registry
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Frames
from mmgraph.settings import Component
from mmgraph.testing import awkward_clips, check_encoder
from mmgraph_encoders.video_transformer import nearest

TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SMALL = {"image_size": 32, "patch_size": 16, "num_frames": 4}
CROPPED = {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}


def loaded(folder, **arguments):
    encoder = registry.create(
        "encoder", Component(class_path="video_transformer", init_args={"model": str(folder), **arguments})
    )
    assert encoder.available() is None
    encoder.load()
    return encoder


def _videomae(kind):
    return kind(transformers.VideoMAEConfig(decoder_num_hidden_layers=1, decoder_num_attention_heads=2, **TOWER, **SMALL))


def _xclip():
    inner = {"mit_hidden_size": 16, "mit_intermediate_size": 32, "mit_num_hidden_layers": 1, "mit_num_attention_heads": 2}
    text = {**TOWER, "vocab_size": 20, "bos_token_id": 0, "eos_token_id": 1}
    config = transformers.XCLIPConfig(vision_config=TOWER | SMALL | inner, text_config=text, projection_dim=16)
    return transformers.XCLIPModel(config)


def _timesformer():
    return transformers.TimesformerModel(transformers.TimesformerConfig(**TOWER, **SMALL))


MODELS = {
    "videomae": lambda: _videomae(transformers.VideoMAEModel),
    "videomae_classes": lambda: _videomae(transformers.VideoMAEForVideoClassification),
    "xclip": _xclip,
    "timesformer": _timesformer,
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    found = {}
    for name, make in MODELS.items():
        torch.manual_seed(0)
        network, folder = make().eval(), tmp_path_factory.mktemp(name)
        for parameter in network.parameters():  # fresh poolings and projections are near zero
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.2)
        network.save_pretrained(folder)
        transformers.VideoMAEImageProcessor(**CROPPED).save_pretrained(folder)
        found[name] = (folder, network)
    return found


def film(frames=4, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, 50, 70, 3), np.uint8)
    return Frames(pixels, tuple(0.5 * i for i in range(frames)))


def by_library(name, network, frames):
    inputs = transformers.VideoMAEImageProcessor(**CROPPED)(
        list(frames), input_data_format="channels_last", return_tensors="pt"
    )
    with torch.inference_mode():
        if name == "xclip":
            vector = network.get_video_features(**inputs).pooler_output[0]
        elif name == "videomae":
            vector = network(**inputs).last_hidden_state[0].mean(dim=0)
        elif name == "videomae_classes":
            return network.fc_norm(network.videomae(**inputs).last_hidden_state.mean(1))[0], network(**inputs).logits[0]
        else:
            vector = network(**inputs).last_hidden_state[0, 0]
    return vector / vector.norm()


@pytest.mark.parametrize("name", MODELS)
def test_a_video_model_keeps_every_promise(tiny, name):
    encoder = loaded(tiny[name][0])
    assert encoder.card.input == "4 frames, 32 px by VideoMAEImageProcessor"
    check_encoder(encoder, [*awkward_clips("image"), film(), film(9, 1)])


@pytest.mark.parametrize("name", ["videomae", "xclip", "timesformer"])
def test_its_vector_is_that_of_the_library(tiny, name):
    folder, network = tiny[name]
    np.testing.assert_allclose(loaded(folder).encode([film()])[0], by_library(name, network, film().pixels), atol=1e-5)


def test_of_a_classifier_the_vector_is_what_its_last_layer_reads(tiny):
    folder, network = tiny["videomae_classes"]
    vector, logits = by_library("videomae_classes", network, film().pixels)
    with torch.inference_mode():
        np.testing.assert_allclose(network.classifier(vector), logits, atol=1e-5)
    np.testing.assert_allclose(loaded(folder).encode([film()])[0], vector / vector.norm(), atol=1e-5)


@pytest.mark.parametrize("name", ["videomae", "xclip"])
def test_the_order_of_frames_matters_and_a_still_is_a_film_without_motion(tiny, name):
    encoder, clip = loaded(tiny[name][0]), film()
    forwards, backwards = encoder.encode([clip, Frames(clip.pixels[::-1].copy(), clip.times_s)])
    assert np.abs(forwards - backwards).max() > 1e-3
    still = Frames(clip.pixels[:1])
    repeated = Frames(np.repeat(clip.pixels[:1], 4, axis=0), clip.times_s)
    np.testing.assert_allclose(encoder.encode([still]), encoder.encode([repeated]), atol=1e-6)


def test_frames_are_chosen_by_their_times():
    assert nearest([2.0], 3).tolist() == [0, 0, 0]
    assert nearest([0.0, 1.0, 2.0, 3.0], 4).tolist() == [0, 1, 2, 3]
    assert nearest([0.0, 0.1, 0.2, 3.0], 4).tolist() == [0, 2, 3, 3]
    assert nearest(list(range(9)), 3).tolist() == [0, 4, 8]


def test_only_the_frames_that_are_seen_are_kept_and_nothing_changes_by_that(tiny):
    encoder = loaded(tiny["videomae"][0])
    clips = [film(9), film(3, 1), Frames(film(40).pixels, tuple(float(i**2) for i in range(40))), *awkward_clips("image")]
    ready = [encoder.prepare(clip) for clip in clips]
    assert [len(clip.pixels) for clip in ready[:3]] == [4, 3, 4]
    assert all(encoder.prepare(clip) is clip for clip in ready)
    np.testing.assert_array_equal(encoder.encode(ready), encoder.encode(clips))


def test_precision_is_of_the_card(tiny):
    full, low = (loaded(tiny["xclip"][0], precision=some) for some in ("fp32", "bf16"))
    assert (low.card.precision, low.card.paper) == ("bf16", "Ni et al. 2022, arXiv:2208.02816")
    assert len({full.card.key(), low.card.key()}) == len({full.identity(), low.identity()}) == 2
    np.testing.assert_allclose(low.encode([film()]), full.encode([film()]), atol=0.08)


def test_a_model_of_pictures_is_refused(tmp_path):
    transformers.ViTModel(transformers.ViTConfig(image_size=32, patch_size=16, **TOWER)).save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match="is no video model; given: model_type vit; use vision_transformer"):
        loaded(tmp_path)
