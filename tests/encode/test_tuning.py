"""An encoder cut in two gives the vectors of the whole one; what needs more than there is is refused in one line."""

import dataclasses

import numpy as np
import open_clip
import pytest
import torch
import transformers

from mmgraph import registry
from mmgraph.encode import memory
from mmgraph.encode.memory import Need, Rows, free_memory, free_on_disk, linear_maps, needed, refuse
from mmgraph.encode.tuning import Activations, disagreement
from mmgraph.errors import EncoderError, SettingsError
from mmgraph.media.clip import Frames, Words
from mmgraph.settings import AdaptSettings, Component
from mmgraph.testing import FakeEncoder, awkward_clips, check_encoder

TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
IMAGE = {**TOWER, "image_size": 32, "patch_size": 16}
SIZE = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
TEXT = {**TOWER, "vocab_size": 20}


def loaded(name, **arguments):
    made = registry.create("encoder", Component(class_path=name, init_args=arguments))
    made.load()
    return made


def tower(kind):
    torch.manual_seed(0)
    if kind == "clip":
        config = transformers.CLIPConfig(vision_config=IMAGE, text_config=TEXT, projection_dim=12)
        return transformers.CLIPModel(config), transformers.CLIPImageProcessor(**SIZE)
    if kind == "siglip":
        config = transformers.SiglipConfig(vision_config=IMAGE, text_config=TEXT)
        return transformers.SiglipModel(config), transformers.SiglipImageProcessor(size={"height": 32, "width": 32})
    if kind == "vit":
        return transformers.ViTModel(transformers.ViTConfig(**IMAGE)), transformers.ViTImageProcessor(
            size={"height": 32, "width": 32}
        )
    dino = transformers.Dinov2Config(image_size=32, patch_size=16, hidden_size=16, num_hidden_layers=3, num_attention_heads=2)
    return transformers.Dinov2Model(dino), transformers.ViTImageProcessor(size={"height": 32, "width": 32})


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}
    for kind in ("clip", "siglip", "vit", "dinov2"):
        made[kind] = tmp_path_factory.mktemp(kind)
        for part in tower(kind):
            part.save_pretrained(made[kind])
    return made


@pytest.fixture(scope="module")
def minilm():
    return loaded("minilm_wheel")


def cut(encoder, blocks, frames=1, tokens=None):
    tunable = encoder.tunable(blocks, tokens)
    assert not isinstance(tunable, str), tunable
    return Activations.of(encoder, tunable, blocks, frames, tokens), tunable.top.eval()


def through(encoder, clips, **how):
    lower, top = cut(encoder, **how)
    with torch.no_grad():
        return top(torch.from_numpy(lower.encode(clips))).numpy()


@pytest.mark.parametrize("blocks", [1, 2, 6])
def test_minilm_cut_anywhere_gives_its_own_vectors(minilm, blocks):
    clips = awkward_clips("text")
    np.testing.assert_allclose(through(minilm, clips, blocks=blocks), minilm.encode(clips), atol=1e-5)
    assert disagreement(minilm) is None


def test_texts_that_are_cut_shorter_are_those_of_the_shorter_encoder(minilm):
    clips = [Words("A man is eating food and drinking water."), Words("word " * 300)]
    short = loaded("sentence_transformer", model=minilm._inner.model, max_tokens=8)
    np.testing.assert_allclose(through(minilm, clips, blocks=1, tokens=8), short.encode(clips), atol=1e-5)
    lower, _ = cut(minilm, 1, tokens=8)
    assert lower.card.width == 1 + 8 * 384
    assert lower.encode(clips)[:, 0].tolist() == [8, 8]


@pytest.mark.parametrize("kind", ["clip", "siglip", "vit", "dinov2"])
@pytest.mark.parametrize("blocks", [1, 3])
def test_vision_models_cut_anywhere_give_their_own_vectors(folders, kind, blocks):
    encoder = loaded("vision_transformer", model=str(folders[kind]))
    clips = [clip for clip in awkward_clips("image") if isinstance(clip, Frames)]
    cut_ones = through(encoder, clips, blocks=blocks, frames=4)
    np.testing.assert_allclose(cut_ones, encoder.encode(clips), atol=1e-5)
    assert disagreement(encoder) is None


def test_open_clips_own_vision_transformer_is_cut(tmp_path):
    import json

    from safetensors.torch import save_file

    config = {
        "embed_dim": 12,
        "vision_cfg": {"image_size": 32, "layers": 3, "width": 64, "patch_size": 16},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    torch.manual_seed(0)
    network = open_clip.CLIP(
        **{
            **config,
            "vision_cfg": open_clip.CLIPVisionCfg(**config["vision_cfg"]),
            "text_cfg": open_clip.CLIPTextCfg(**config["text_cfg"]),
        }
    )
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    save_file(
        {name: value.contiguous() for name, value in network.state_dict().items()}, tmp_path / "open_clip_model.safetensors"
    )
    encoder = loaded("open_clip_image", model=f"local-dir:{tmp_path}")
    clips = awkward_clips("image")
    np.testing.assert_allclose(through(encoder, clips, blocks=2, frames=4), encoder.encode(clips), atol=1e-5)
    _, top = cut(encoder, 2)
    assert [name.rsplit(".", 1)[1] for name, _ in linear_maps(top)] == [
        "c_fc",
        "c_proj",
    ] * 2  # attention reads its weights itself
    assert sum(p.numel() for p in top.parameters()) < sum(p.numel() for p in network.visual.parameters())


def test_activations_keep_the_promises_of_an_encoder(minilm, folders):
    lower, _ = cut(minilm, 1, tokens=16)
    check_encoder(lower, awkward_clips("text"))
    encoder = loaded("vision_transformer", model=str(folders["clip"]))
    frames, _ = cut(encoder, 1, frames=4)
    check_encoder(frames, awkward_clips("image"))
    cards = [lower.card, cut(minilm, 2, tokens=16)[0].card, cut(minilm, 1, tokens=8)[0].card, minilm.card]
    assert len({card.key() for card in cards}) == 4


def test_another_process_builds_the_same_activations_from_settings(minilm):
    again = loaded("mmgraph.encode.tuning.Activations", encoder={"class_path": "minilm_wheel"}, blocks=1, frames=1, tokens=8)
    lower, _ = cut(minilm, 1, tokens=8)
    clips = awkward_clips("text")
    assert again.card == lower.card
    np.testing.assert_array_equal(again.encode(clips), lower.encode(clips))


def test_the_whole_encoder_stays_as_it_is_when_its_copy_is_trained(minilm):
    before = minilm.encode([Words("a")])
    _, top = cut(minilm, 1)
    with torch.no_grad():
        for parameter in top.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(minilm.encode([Words("a")]), before)


def test_no_rows_and_texts_without_words(minilm):
    _, top = cut(minilm, 1, tokens=8)
    width = 1 + 8 * 384
    assert top(torch.zeros(0, width)).shape == (0, 384)
    assert torch.isfinite(top(torch.zeros(2, width))).all()


def test_more_frames_than_stated_are_refused(folders):
    encoder = loaded("vision_transformer", model=str(folders["vit"]))
    lower, _ = cut(encoder, 1, frames=2)
    with pytest.raises(EncoderError, match="15 tokens where there is room for 10.*frames_per_segment"):
        lower.encode([Frames(np.zeros((3, 32, 32, 3), np.uint8), (0.0, 1.0, 2.0))])


def test_encoders_that_cannot_be_cut_say_why(minilm, folders):
    assert FakeEncoder().tunable(1, None) == "it has no blocks that could be trained"
    assert minilm.tunable(7, None) == "it has 6 blocks, 7 are asked"
    assert "pooled by max" in loaded("vision_transformer", model=str(folders["vit"]), pooling="max").tunable(1, None)
    with pytest.raises(EncoderError, match="no weights yet"):
        Activations(encoder="minilm_wheel", blocks=1).encode([Words("a")])
    with pytest.raises(EncoderError, match="cannot be tuned: it has no blocks"):
        Activations(encoder=Component(class_path="mmgraph.testing.FakeEncoder"), blocks=1).load()


@pytest.mark.real
def test_a_mobilenet_cannot_be_cut(shared):
    encoder = loaded("vision_transformer", model=str(shared / "weights" / "mobilenet_v2"))
    assert encoder.tunable(1, None) == "it has no list of transformer blocks"


def test_a_model_that_hands_its_blocks_more_is_found_out(minilm, monkeypatch):
    tunable = minilm.tunable(1, None)
    with torch.no_grad():
        tunable.top.blocks[0].output.dense.bias += torch.arange(384) % 3
    monkeypatch.setattr(type(minilm), "tunable", lambda *_: tunable)
    assert "its last block is handed more than hidden states" in disagreement(minilm)


def kept_by(top, rows):
    """Numbers that autograd really keeps, parameters apart."""
    kept = {}

    def pack(tensor):
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = top(rows)
    return sum(kept.values()), out


def test_what_the_backward_pass_keeps_is_estimated_from_above_and_not_by_much(minilm):
    lower, top = cut(minilm, 2, tokens=64)
    rows = torch.from_numpy(np.repeat(lower.encode([Words("word " * 100)]), 8, axis=0))
    kept, _ = kept_by(top, rows)
    estimate = 8 * 64 * top.floats_kept()
    assert kept <= estimate <= 2 * kept


def test_the_need_is_counted(minilm):
    _, top = cut(minilm, 1, tokens=8)
    weights = sum(p.numel() for p in top.parameters())
    need = needed(top, [Rows(10, 3073, 4)], AdaptSettings(method="last_blocks"))
    assert (need.rows, need.activations, need.disk) == (10, 10 * 3073 * 4, 4 * 3073 * 4)
    assert need.model == 16 * weights
    lora = needed(top, [Rows(10, 3073, 4)], AdaptSettings(method="lora", rank=2))
    assert lora.model == 4 * weights + 12 * 2 * (4 * 768 + 2 * (384 + 1536))


NEED = Need(rows=1000, activations=3 * 10**9, model=10**6, steps=10**6, disk=0)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * 10**9)
    monkeypatch.setattr(memory, "free_on_gpu", lambda: None)


def test_what_does_not_fit_is_refused_with_need_and_remedy(small, tmp_path):
    settings = AdaptSettings(method="lora", blocks=2)
    with pytest.raises(
        SettingsError,
        match=r"model.adaptation.text: lora on the last 2 blocks does not fit; given: needs 3.0 GB of memory, 3.0 GB of it "
        r"activations of 1,000 rows, and 2.0 GB are there; set a smaller model.adaptation.text.tokens, or method: adapter",
    ):
        refuse("model.adaptation.text", settings, NEED, tmp_path, None)
    with pytest.raises(SettingsError, match="set a smaller media.frames_per_segment"):
        refuse("model.adaptation.image", settings, NEED, tmp_path, None)
    large = dataclasses.replace(NEED, activations=0, model=3 * 10**9)
    with pytest.raises(SettingsError, match="the last block does not fit.*set fewer blocks"):
        refuse("model.adaptation.text", AdaptSettings(method="last_blocks"), large, tmp_path, None)


def test_a_cap_is_respected_and_named(small, tmp_path):
    fits = dataclasses.replace(NEED, activations=10**9)
    refuse("model.adaptation.text", AdaptSettings(), fits, tmp_path, None)
    with pytest.raises(SettingsError, match="within model.adaptation.memory_gb and 500.0 MB are there"):
        refuse("model.adaptation.text", AdaptSettings(), fits, tmp_path, 0.5)


def test_a_small_gpu_and_a_full_disk_are_named(small, monkeypatch, tmp_path):
    fits = dataclasses.replace(NEED, activations=10**9)
    with pytest.raises(SettingsError, match=f"on the disk of {tmp_path}.*another encoders.store"):
        refuse("model.adaptation.text", AdaptSettings(), dataclasses.replace(fits, disk=10**15), tmp_path, None)
    monkeypatch.setattr(memory, "free_on_gpu", lambda: 10**6)
    with pytest.raises(SettingsError, match="needs 2.0 MB on the GPU and 1.0 MB are there"):
        refuse("model.adaptation.text", AdaptSettings(), fits, tmp_path, None)


def test_free_memory_is_what_the_system_says_or_the_container_allows(monkeypatch, tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 999 kB\nMemAvailable: 500 kB\n")
    monkeypatch.setattr(memory, "_MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path)
    assert free_memory() == 500 * 1024
    for name, text in (("memory.max", "300000"), ("memory.current", "200000"), ("memory.stat", "inactive_file 50000\n")):
        (tmp_path / name).write_text(text)
    assert free_memory() == 150_000
    (tmp_path / "memory.max").write_text("max")
    assert free_memory() == 500 * 1024
    monkeypatch.setattr(memory, "_MEMORY", tmp_path / "none")
    assert free_memory() > 10**8
    assert free_on_disk(tmp_path / "not" / "there") > 0
