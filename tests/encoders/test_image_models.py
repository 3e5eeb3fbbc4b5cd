"""Adapters for images against the libraries' own preprocessing and models: tiny ones written here, real ones where they are."""

import shutil

import numpy as np
import pytest
import timm
import torch
import transformers
from PIL import Image

from mmgraph import registry
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Frames, Words
from mmgraph.settings import Component
from mmgraph.testing import awkward_clips, check_encoder
from mmgraph_encoders.frame_pooling import motion_weights, pool_frames
from mmgraph_encoders.pictures import Prepared, Processed

TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SMALL = {"image_size": 32, "patch_size": 16}
CROPPED = {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}
COMMIT = "c0ffee" * 6 + "cafe"


def made(name, **arguments):
    return registry.create("encoder", Component(class_path=name, init_args={k: str(v) for k, v in arguments.items()}))


def loaded(name, **arguments):
    encoder = made(name, **arguments)
    assert encoder.available() is None
    encoder.load()
    return encoder


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def stills(sizes=((300, 200), (90, 160), (32, 32), (41, 39))):
    random = np.random.default_rng(0)
    return [Frames(random.integers(0, 256, (1, *size, 3), np.uint8)) for size in sizes]


def _clip():
    text = {**TOWER, "vocab_size": 20, "bos_token_id": 0, "eos_token_id": 1}
    config = transformers.CLIPConfig(vision_config=TOWER | SMALL, text_config=text, projection_dim=12)
    return transformers.CLIPModel(config), transformers.CLIPImageProcessor(**CROPPED)


def _siglip():
    text = {**TOWER, "vocab_size": 20, "bos_token_id": 0, "eos_token_id": 1}
    config = transformers.SiglipConfig(vision_config=TOWER | SMALL, text_config=text)
    return transformers.SiglipModel(config), transformers.SiglipImageProcessor(size={"height": 32, "width": 32})


def _dinov2():
    network = transformers.Dinov2Model(transformers.Dinov2Config(**SMALL | {"patch_size": 8}, **TOWER))
    return network, transformers.BitImageProcessor(**CROPPED)


MODELS = {"clip": _clip, "siglip": _siglip, "dinov2": _dinov2}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folder, network and processor of each tiny model, as their libraries write them."""
    found = {}
    for name, make in MODELS.items():
        torch.manual_seed(0)
        network, processor = make()
        folder = tmp_path_factory.mktemp(name)
        network.save_pretrained(folder)
        processor.save_pretrained(folder)
        found[name] = (folder, network.eval(), processor)
    return found


@pytest.fixture(scope="module")
def tiny_timm(tmp_path_factory):
    """A folder as timm writes it, and a file with the weights alone."""
    torch.manual_seed(0)
    network = timm.create_model("test_vit", pretrained=False).eval()
    folder = tmp_path_factory.mktemp("timm")
    timm.models.save_for_hf(network, folder, safe_serialization=True)
    return folder, network


@pytest.mark.parametrize("name", MODELS)
def test_a_vision_model_keeps_every_promise(tiny, name):
    encoder = loaded("vision_transformer", model=tiny[name][0])
    check_encoder(encoder, [*awkward_clips("image"), *stills()])


@pytest.mark.parametrize("name", MODELS)
def test_its_vectors_are_those_of_the_librarys_own_preprocessing(tiny, name):
    folder, network, processor = tiny[name]
    clips, expected = stills(), []
    for clip in clips:
        pixels = processor(images=[Image.fromarray(clip.pixels[0])], return_tensors="pt")
        with torch.inference_mode():
            output = getattr(network, "get_image_features", network)(**pixels)
        expected.append(output.pooler_output[0].numpy())
    encoder = loaded("vision_transformer", model=folder)
    np.testing.assert_allclose(encoder.encode(clips), unit(np.stack(expected)), atol=1e-5)
    assert not encoder._pictures.whole


def _same_prepared(encoder, clips):
    ready = [encoder.prepare(clip) for clip in clips]
    assert all(encoder.prepare(clip) is clip for clip in ready)
    assert all(clip.pixels.dtype == np.uint8 and isinstance(clip, Frames) for clip in ready)
    np.testing.assert_array_equal(encoder.encode(ready), encoder.encode(clips))
    return ready


@pytest.mark.parametrize("name", MODELS)
def test_what_is_prepared_ahead_gives_the_same_vectors_bit_for_bit(tiny, name):
    encoder = loaded("vision_transformer", model=tiny[name][0])
    ready = _same_prepared(encoder, [*stills(), *awkward_clips("image")])
    assert {clip.pixels.shape[1:] for clip in ready} == {(32, 32, 3)}


def test_a_photo_that_has_the_models_size_by_chance_is_still_cropped(tiny):
    encoder = loaded("vision_transformer", model=tiny["clip"][0])  # resizes to 40, crops to 32
    (photo,) = stills([(32, 32)])
    assert not np.array_equal(encoder.prepare(photo).pixels, photo.pixels)
    other = Prepared(photo.pixels, (0.0,), "another model")
    np.testing.assert_array_equal(encoder.prepare(other).pixels, encoder.prepare(photo).pixels)


def test_of_two_towers_only_the_one_for_images_is_loaded(tiny):
    for name, width in (("clip", 12), ("siglip", 16)):
        encoder = loaded("vision_transformer", model=tiny[name][0])
        assert encoder.card.width == width
        assert not [key for key in encoder._network.state_dict() if "text" in key]


def test_pictures_cut_to_a_number_of_patches_are_processed_whole(tmp_path):
    torch.manual_seed(0)
    vision = {**TOWER, "patch_size": 8, "num_patches": 16}
    text = {**TOWER, "vocab_size": 20, "bos_token_id": 0, "eos_token_id": 1}
    network = transformers.Siglip2Model(transformers.Siglip2Config(vision_config=vision, text_config=text)).eval()
    processor = transformers.Siglip2ImageProcessor(patch_size=8, max_num_patches=16)
    network.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    encoder = loaded("vision_transformer", model=tmp_path)
    assert encoder._pictures.whole
    clips = stills()
    check_encoder(encoder, clips)
    inputs = processor(images=[Image.fromarray(clip.pixels[0]) for clip in clips], return_tensors="pt")
    with torch.inference_mode():
        expected = network.get_image_features(**inputs).pooler_output.numpy()
    np.testing.assert_allclose(encoder.encode(clips), unit(expected), atol=1e-5)


def test_a_processor_of_another_backend_is_split_where_that_changes_nothing():
    processor = transformers.CLIPImageProcessorPil(**CROPPED)
    pictures = Processed(processor)
    clip = stills()[0]
    found = pictures.inputs(list(pictures.prepare(clip).pixels), "cpu", torch.float32)["pixel_values"]
    expected = processor(images=[Image.fromarray(clip.pixels[0])], return_tensors="pt")["pixel_values"]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_frames_are_pooled_as_asked(tiny):
    folder = tiny["dinov2"][0]
    random = np.random.default_rng(1)
    moving = Frames(random.integers(0, 256, (4, 40, 40, 3), np.uint8), (0.0, 1.0, 2.0, 3.0))
    alone = [Frames(frame[None]) for frame in moving.pixels]
    encoders = {pooling: loaded("vision_transformer", model=folder, pooling=pooling) for pooling in ("mean", "max", "motion")}
    assert len({encoder.card.key() for encoder in encoders.values()}) == 3
    assert len({encoder.identity() for encoder in encoders.values()}) == 3
    for encoder in encoders.values():
        check_encoder(encoder, awkward_clips("image"))
        np.testing.assert_allclose(encoder.encode(alone), encoders["mean"].encode(alone), atol=1e-6)


def test_pooling_is_that_of_a_loop():
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (t, 6, 5, 3), np.uint8) for t in (1, 2, 5)]
    vectors = random.normal(size=(8, 3)).astype(np.float32)
    parts = np.split(vectors, [1, 3])
    np.testing.assert_allclose(pool_frames(vectors, frames, "mean"), [part.mean(axis=0) for part in parts], atol=1e-6)
    np.testing.assert_array_equal(pool_frames(vectors, frames, "max"), [part.max(axis=0) for part in parts])
    expected = [_weights(some) @ part for some, part in zip(frames, parts, strict=True)]
    np.testing.assert_allclose(pool_frames(vectors, frames, "motion"), expected, atol=1e-5)


def _weights(pixels):
    """By the words of ``motion_weights``, one number after the other."""
    grey = pixels.astype(float)
    motion = []
    for i in range(len(grey)):
        near = [np.abs(grey[i] - grey[j]).mean() for j in (i - 1, i + 1) if 0 <= j < len(grey)]
        motion.append(np.mean(near) if near else 0.0)
    scores = (np.array(motion) - np.mean(motion)) / max(np.std(motion), 1.0)
    return np.exp(scores) / np.exp(scores).sum()


def test_motion_weighs_what_moves():
    still = np.zeros((6, 8, 8, 3), np.uint8)
    np.testing.assert_allclose(motion_weights(still), np.full(6, 1 / 6), atol=1e-6)
    np.testing.assert_array_equal(motion_weights(still[:1]), [1.0])
    flash = still.copy()
    flash[3] = 200
    weights = motion_weights(flash)
    assert weights.argmax() == 3
    assert weights[[2, 4]].min() > weights[[0, 1, 5]].max()
    assert weights.sum() == pytest.approx(1)
    noise = still + np.random.default_rng(0).integers(0, 2, still.shape, np.uint8)
    assert motion_weights(noise).max() < 1.2 / 6


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_is_near_and_another_card(tiny, tiny_timm, precision):
    for name, model in (("vision_transformer", tiny["dinov2"][0]), ("timm_image", f"local-dir:{tiny_timm[0]}")):
        full, low = loaded(name, model=model), loaded(name, model=model, precision=precision)
        assert low.card.precision == precision
        assert low.card.key() != full.card.key()
        assert low.identity() != full.identity()
        check_encoder(low, stills(), 0.03)
        np.testing.assert_allclose(low.encode(stills()), full.encode(stills()), atol=0.05)


def _by_timm(network, clips):
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network), is_training=False)
    images = torch.stack([transform(Image.fromarray(clip.pixels[0])) for clip in clips])
    with torch.inference_mode():
        return unit(network.forward_head(network.forward_features(images), pre_logits=True).numpy())


def test_timm_from_a_folder_and_from_a_file(tiny_timm):
    folder, network = tiny_timm
    here = loaded("timm_image", model=f"local-dir:{folder}")
    file = loaded("timm_image", model="test_vit", checkpoint=folder / "model.safetensors")
    assert (here.card.width, here.card.licence, here.card.input) == (64, "apache-2.0", "160 px, mean of frames")
    assert file.card.weights == "test_vit/model.safetensors"
    clips = stills()
    for encoder in (here, file):
        np.testing.assert_allclose(encoder.encode(clips), _by_timm(network, clips), atol=1e-5)
        _same_prepared(encoder, clips)
    check_encoder(here, [*awkward_clips("image"), *clips])


def test_timm_from_the_cache_at_a_revision(tiny_timm, tmp_path, monkeypatch):
    for identifier in ("some--model", "timm--test_vit.r160_in1k"):
        repository = tmp_path / f"models--{identifier}"
        shutil.copytree(tiny_timm[0], repository / "snapshots" / COMMIT)
        (repository / "refs").mkdir()
        (repository / "refs" / "v2").write_text(COMMIT)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    expected = _by_timm(tiny_timm[1], stills())
    for model in ("hf-hub:some/model", "test_vit.r160_in1k"):
        encoder = loaded("timm_image", model=model, revision="v2")
        assert encoder.card.revision == COMMIT
        assert COMMIT in encoder.identity()
        np.testing.assert_allclose(encoder.encode(stills()), expected, atol=1e-5)
        assert "is not in" in made("timm_image", model=model).available()  # there is no main


def test_what_timm_does_not_have_is_said(tiny_timm, tmp_path, monkeypatch):
    (tmp_path / "models--any").mkdir()
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert made("timm_image", model="resnet9999").available().startswith("timm has no model resnet9999")
    assert (
        "timm has no weights test_vit.of_mine; it has: test_vit." in made("timm_image", model="test_vit.of_mine").available()
    )
    assert "no safetensors file" in made("timm_image", model="test_vit", checkpoint=tmp_path / "none.safetensors").available()
    assert "no folder" in made("timm_image", model=f"local-dir:{tmp_path / 'none'}").available()
    encoder = made("timm_image", model="test_vit2", checkpoint=tiny_timm[0] / "model.safetensors")
    with pytest.raises(EncoderError, match=r"weights of test_vit2/model.safetensors cannot be loaded"):
        encoder.load()


def test_clips_without_frames_are_refused(tiny):
    encoder = loaded("vision_transformer", model=tiny["dinov2"][0])
    with pytest.raises(EncoderError, match="was given a clip without frames"):
        encoder.encode([Words("a word")])
    assert encoder.encode([]).shape == (0, 16)


def photos(shared, count=6):
    paths = sorted((shared / "data" / "exercises").rglob("*.jpg"))[:: 1700 // count][:count]
    return [Frames(np.asarray(Image.open(path).convert("RGB"))[None]) for path in paths]


@pytest.mark.real
def test_mobilenets_vectors_of_real_photos_are_the_librarys(shared):
    folder = shared / "weights" / "mobilenet_v2"
    clips = photos(shared)
    encoder = loaded("vision_transformer", model=folder)
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        images = [Image.fromarray(clip.pixels[0]) for clip in clips]
        expected = network(**processor(images=images, return_tensors="pt")).pooler_output.flatten(1).numpy()
    np.testing.assert_allclose(encoder.encode(clips), unit(expected), atol=1e-5)
    _same_prepared(encoder, clips)
    assert encoder.card.paper == "Sandler et al. 2018, arXiv:1801.04381"


@pytest.mark.real
def test_open_clips_vectors_of_real_photos_are_the_librarys_also_at_a_revision(shared, tmp_path, monkeypatch):
    import open_clip

    folder, source = tmp_path / "models--some--standin" / "snapshots" / COMMIT, shared / "weights" / "openclip_standin"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "open_clip_model.safetensors").symlink_to(source / "open_clip_model.safetensors")
    config = folder / "open_clip_config.json"
    config.chmod(0o644)
    config.write_text(config.read_text().replace("@HERE@", str(folder)))
    clips = photos(shared)
    network, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    images = torch.stack([preprocess(Image.fromarray(clip.pixels[0])) for clip in clips])
    with torch.inference_mode():
        expected = unit(network.eval().encode_image(images).numpy())
    encoder = loaded("open_clip_image", model=f"local-dir:{folder}")
    np.testing.assert_allclose(encoder.encode(clips), expected, atol=1e-5)
    _same_prepared(encoder, clips)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    pinned = loaded("open_clip_image", model="hf-hub:some/standin", revision=COMMIT)
    assert (pinned.card.weights, pinned.card.revision) == ("some/standin", COMMIT)
    np.testing.assert_allclose(pinned.encode(clips[:2]), expected[:2], atol=1e-5)
    assert "is not in" in made("open_clip_image", model="hf-hub:some/standin", revision="v9").available()
