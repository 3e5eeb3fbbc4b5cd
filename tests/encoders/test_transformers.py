"""The real loading code on tiny models with random weights, written here as a folder holds them."""

import json
import shutil

import huggingface_hub.constants
import numpy as np
import pytest
import torch
import transformers

from mmgraph import registry
from mmgraph.encode import hub
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Frames, Sound, Words
from mmgraph.settings import Component
from mmgraph.testing import awkward_clips, check_encoder

TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def encoder(name, **arguments):
    made = registry.create(
        "encoder", Component(class_path=name, init_args={key: str(v) if key == "model" else v for key, v in arguments.items()})
    )
    assert made.available() is None
    made.load()
    return made


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "man", "is", "eating", "word", ".", "passage", ":"]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(vocab_size=len(words), max_position_embeddings=64, **TOWER)
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_text_transformer_keeps_every_promise(bert, pooling):
    made = encoder("sentence_transformer", model=bert, pooling=pooling, max_tokens=32)
    assert made.card.width == 16
    assert f"32 tokens, {pooling} pooling" in made.card.input
    assert made.card.weights == bert.name
    assert made.card.revision.startswith("sha256:")
    check_encoder(made, awkward_clips("text")[:1] + awkward_clips("text")[2:])


def test_a_text_longer_than_the_model_can_read_is_cut(bert):
    made = encoder("sentence_transformer", model=bert)  # asks for 256 tokens of a model that knows 64 positions
    assert "64 tokens" in made.card.input
    vectors = made.encode([Words("word " * some) for some in (62, 63, 500)])
    np.testing.assert_allclose(vectors[1:], vectors[[0, 0]], atol=1e-5)


def test_pooling_is_that_of_a_loop(bert):
    network = transformers.AutoModel.from_pretrained(bert, add_pooling_layer=False).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
    texts = ["a man", "passage : a man is eating a word ."]
    expected = {"mean": [], "cls": [], "last": []}
    for text in texts:
        with torch.inference_mode():
            hidden = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()
        for name, vector in (("mean", hidden.mean(axis=0)), ("cls", hidden[0]), ("last", hidden[-1])):
            expected[name].append(vector)
    for name, vectors in expected.items():
        made = encoder("sentence_transformer", model=bert, pooling=name, normalise=False)
        np.testing.assert_allclose(made.encode([Words(text) for text in texts]), vectors, atol=1e-5)
    prefixed = encoder("sentence_transformer", model=bert, prefix="passage : ", normalise=False)
    np.testing.assert_allclose(prefixed.encode([Words("a man is eating a word .")]), expected["mean"][1:], atol=1e-5)


def test_a_hub_id_loads_from_the_cache_where_the_hub_is_closed(bert, tmp_path, monkeypatch):
    repository = tmp_path / "models--some--bert"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("c0ffee" * 6 + "cafe")
    shutil.copytree(bert, repository / "snapshots" / ("c0ffee" * 6 + "cafe"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("mmgraph.encode.hub._ask", lambda endpoint: "refused")
    hub.forget()
    made = encoder("sentence_transformer", model="some/bert")
    assert huggingface_hub.constants.HF_HUB_OFFLINE  # so that nothing asked the hub about what is here
    assert (made.card.weights, made.card.revision) == ("some/bert", "c0ffee" * 6 + "cafe")
    expected = encoder("sentence_transformer", model=bert).encode([Words("a man")])
    np.testing.assert_array_equal(made.encode([Words("a man")]), expected)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    hub.forget()


def test_settings_that_change_vectors_change_the_key(bert):
    settings = [{}, {"pooling": "cls"}, {"prefix": "a "}, {"normalise": False}, {"max_tokens": 16}]
    assert len({encoder("sentence_transformer", model=bert, **one).card.key() for one in settings}) == len(settings)


def _image_folder(folder, network, processor):
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def test_the_image_tower_of_clip_gives_its_projection(tmp_path):
    torch.manual_seed(0)
    vision, text = {**TOWER, "image_size": 32, "patch_size": 16}, {**TOWER, "vocab_size": 20}
    network = transformers.CLIPModel(transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=12)).eval()
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    made = encoder("vision_transformer", model=_image_folder(tmp_path, network, transformers.CLIPImageProcessor(**size)))
    assert made.card.width == 12
    check_encoder(made, awkward_clips("image"))
    still = Frames(np.full((1, 32, 32, 3), 200, np.uint8))
    pixels = (200 / 255 - torch.tensor([0.48145466, 0.4578275, 0.40821073])) / torch.tensor(
        [0.26862954, 0.26130258, 0.27577711]
    )
    with torch.inference_mode():
        hidden = network.vision_model(pixel_values=pixels[None, :, None, None].expand(1, 3, 32, 32)).pooler_output
        expected = network.visual_projection(hidden).numpy()
    np.testing.assert_allclose(made.encode([still]), expected / np.linalg.norm(expected), atol=1e-4)


def test_a_pooler_without_weights_is_not_used(tmp_path):
    torch.manual_seed(0)
    config = transformers.ViTConfig(image_size=32, patch_size=16, **TOWER)
    network = transformers.ViTModel(config, add_pooling_layer=False).eval()
    folder = _image_folder(tmp_path, network, transformers.ViTImageProcessor(size={"height": 32, "width": 32}))
    first, second = (encoder("vision_transformer", model=folder).encode(awkward_clips("image")) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    with torch.inference_mode():
        hidden = network(pixel_values=torch.full((1, 3, 32, 32), -1.0)).last_hidden_state[:, 0].numpy()
    np.testing.assert_allclose(first[4:], hidden / np.linalg.norm(hidden), atol=1e-4)  # the black clip


def test_weights_that_are_not_all_there_are_refused(tmp_path):
    config = transformers.ViTConfig(image_size=32, patch_size=16, **TOWER)
    folder = _image_folder(tmp_path, transformers.ViTModel(config), transformers.ViTImageProcessor())
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**described, "num_hidden_layers": 3}))
    with pytest.raises(EncoderError, match=r"lack \d+ tensors; given: .*layer.*2"):
        encoder("vision_transformer", model=folder)
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(EncoderError, match="the weights of .* cannot be loaded"):
        encoder("vision_transformer", model=folder)


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clap")
    torch.manual_seed(0)
    audio = {
        "patch_embeds_hidden_size": 8,
        "hidden_size": 16,
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "num_hidden_layers": 2,
    }
    audio |= {"spec_size": 64, "window_size": 4, "num_mel_bins": 16, "projection_hidden_size": 16}
    config = transformers.ClapConfig(audio_config=audio, text_config={**TOWER, "vocab_size": 20}, projection_dim=12)
    network = transformers.ClapModel(config)
    network.save_pretrained(folder)
    extractor = transformers.ClapFeatureExtractor(
        feature_size=16, sampling_rate=48_000, max_length_s=10, truncation="rand_trunc", padding="repeatpad", hop_length=2400
    )
    extractor.save_pretrained(folder)
    return folder


def test_clap_keeps_every_promise(clap):
    made = encoder("clap", model=clap)
    assert (made.card.width, made.card.input) == (12, "48000 Hz mono, windows of 480000 samples")
    check_encoder(made, awkward_clips("audio"), 1e-4)


def test_clap_hears_all_of_a_long_sound_and_the_same_each_time(clap):
    made, random = encoder("clap", model=clap), np.random.default_rng(0)
    samples = random.normal(0, 0.1, (1, 48_000 * 23)).astype(np.float32)
    long, *parts = made.encode([Sound(part, 48_000) for part in (samples, samples[:, :480_000], samples[:, 480_000:960_000])])
    expected = np.mean(parts, axis=0)  # the last three seconds are less than half a window
    np.testing.assert_allclose(long, expected / np.linalg.norm(expected), atol=1e-4)
    np.testing.assert_array_equal(made.encode([Sound(samples, 48_000)]), made.encode([Sound(samples, 48_000)]))


def test_a_spectrogram_transformer_keeps_every_promise(tmp_path):
    torch.manual_seed(0)
    config = transformers.ASTConfig(num_mel_bins=32, max_length=200, frequency_stride=16, time_stride=16, **TOWER)
    transformers.ASTModel(config).save_pretrained(tmp_path)
    transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=200).save_pretrained(tmp_path)
    made = encoder("audio_transformer", model=tmp_path)
    assert (made.card.width, made.card.input) == (16, "16000 Hz mono, windows of 32000")
    check_encoder(made, awkward_clips("audio"))


def test_a_waveform_transformer_keeps_every_promise(tmp_path):
    torch.manual_seed(0)
    convolutions = {"conv_dim": [8, 8], "conv_stride": [10, 8], "conv_kernel": [20, 8], "num_feat_extract_layers": 2}
    config = transformers.Wav2Vec2Config(num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, **convolutions, **TOWER)
    transformers.Wav2Vec2Model(config).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    made = encoder("audio_transformer", model=tmp_path)
    assert made.card.input == "16000 Hz mono, windows of 480000"
    check_encoder(made, awkward_clips("audio"))


def test_a_folder_without_an_extractor_is_one_clear_line(tmp_path):
    config = transformers.ASTConfig(num_mel_bins=32, max_length=200, frequency_stride=16, time_stride=16, **TOWER)
    transformers.ASTModel(config).save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match="the feature extractor of .* cannot be loaded"):
        encoder("audio_transformer", model=tmp_path)
