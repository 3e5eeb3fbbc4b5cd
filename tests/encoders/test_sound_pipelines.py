"""torchaudio's pipelines, made small, and open_clip's audio where a release has it."""

import dataclasses
import importlib.metadata

import numpy as np
import open_clip
import pytest
import safetensors.torch
import torch
import torchaudio
from sounds_made import built, check, encoder, noise

from mmgraph.errors import EncoderError
from mmgraph.media.clip import Sound
from mmgraph_encoders import known_sounds, open_clip_audio

TINY = {
    "extractor_conv_layer_config": [(8, 20, 10), (8, 8, 8)],
    "encoder_embed_dim": 16,
    "encoder_num_layers": 2,
    "encoder_num_heads": 2,
}
TINY |= {"encoder_ff_interm_features": 32, "encoder_pos_conv_kernel": 4, "encoder_pos_conv_groups": 2}


def tiny(monkeypatch, name):
    """The bundle of that name, made small; its own settings stay otherwise."""
    found = getattr(torchaudio.pipelines, name)
    small = dataclasses.replace(found, _params={**found._params, **TINY})
    monkeypatch.setattr(torchaudio.pipelines, name, small)
    torch.manual_seed(0)
    factory = torchaudio.models.wavlm_model if found._model_type == "WavLM" else torchaudio.models.wav2vec2_model
    return factory(**small._params).eval(), small


@pytest.mark.parametrize("name", ["WAV2VEC2_BASE", "HUBERT_LARGE", "WAVLM_BASE", "WAV2VEC2_ASR_BASE_960H"])
def test_a_pipeline_of_torchaudio_keeps_every_promise(name, tmp_path, monkeypatch):
    network, bundle = tiny(monkeypatch, name)
    safetensors.torch.save_file(network.state_dict(), tmp_path / "state.safetensors")
    torch.save(network.state_dict(), tmp_path / "state.pth")
    made = encoder("torchaudio_pipeline", bundle=name, state=tmp_path / "state.safetensors")
    assert (made.card.width, made.card.weights, made.card.licence) == (16, f"torchaudio {name}", "MIT")
    check(made)
    clips = [noise(0.5), noise(0.5, seed=1), noise(0.8, seed=2)]
    vectors = made.encode(clips)
    np.testing.assert_array_equal(
        encoder("torchaudio_pipeline", bundle=name, state=tmp_path / "state.pth").encode(clips), vectors
    )
    for layer in (1, 2):
        vectors = encoder("torchaudio_pipeline", bundle=name, state=tmp_path / "state.pth", layer=layer).encode(clips)
        for clip, vector in zip(clips, vectors, strict=True):
            samples = torch.from_numpy(clip.samples)
            if bundle._normalize_waveform:
                samples = torch.nn.functional.layer_norm(samples, samples.shape)
            with torch.inference_mode():
                expected = network.extract_features(samples)[0][layer - 1].mean(dim=1)[0].numpy()
            np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)
    with pytest.raises(EncoderError, match=f"layer of {name} must be from 1 to 2; given: 3"):
        encoder("torchaudio_pipeline", bundle=name, state=tmp_path / "state.pth", layer=3)


def test_torchs_own_cache_is_used_and_nothing_is_unpickled(tmp_path, monkeypatch):
    network, _ = tiny(monkeypatch, "WAV2VEC2_BASE")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    made = built("torchaudio_pipeline")
    reason = made.available()
    assert reason.startswith(f"WAV2VEC2_BASE: no wav2vec2_fairseq_base_ls960.pth in {tmp_path / 'hub' / 'checkpoints'} and ")
    assert reason.endswith("set init_args.state to that file, or connect to the network once")
    assert made.identity() is None
    file = tmp_path / "hub" / "checkpoints" / "wav2vec2_fairseq_base_ls960.pth"
    file.parent.mkdir(parents=True)
    torch.save(network.state_dict(), file)
    assert made.available() is None
    assert made.identity() is not None
    made.load()
    assert np.isfinite(made.encode([noise(1)])).all()
    torch.save({"encoder": tmp_path}, file)  # not a tensor: only unpickling could make it
    with pytest.raises(EncoderError, match="the weights of WAV2VEC2_BASE cannot be loaded; given: Weights only load failed"):
        built("torchaudio_pipeline").load()
    reason = built("torchaudio_pipeline", state=tmp_path / "none.pth").available()
    assert reason == f"no file {tmp_path / 'none.pth'}; set init_args.state to the weights of WAV2VEC2_BASE"
    with pytest.raises(
        EncoderError, match="bundle is none of torchaudio.pipelines; given: TACOTRON2; it is one of WAV2VEC2_BASE, "
    ):
        built("torchaudio_pipeline", bundle="TACOTRON2")


def test_the_table_of_pipelines_is_torchaudios():
    bundles = {name: getattr(torchaudio.pipelines, name) for name in torchaudio.pipelines.__all__}
    found = {
        name: one for name, one in bundles.items() if isinstance(one, torchaudio.pipelines.Wav2Vec2Bundle) and name != "MMS_FA"
    }
    stated = {name: (one.file, one.width) for name, one in known_sounds.PIPELINES.items()}
    assert stated == {name: (one._path, one._params["encoder_embed_dim"]) for name, one in found.items()}
    assert {one.sample_rate for one in found.values()} == {16_000}


def test_an_open_clip_without_clap_says_which_has_it():
    made = built("open_clip_audio")
    version = importlib.metadata.version("open-clip-torch")
    if hasattr(open_clip, "CLAP"):
        pytest.skip("this open_clip has CLAP")
    assert made.available().startswith(f"open_clip {version} has no CLAP; a release after 3.3.0 that has open_clip.clap_model")
    assert (made.identity(), made.repository()) == (None, None)
    with pytest.raises(EncoderError, match="has no CLAP; .*; use clap$"):
        made.load()


class StandIn(torch.nn.Module):
    """What open_clip's development branch promises of a CLAP model: ``audio.cfg``, ``embed_dim``, ``encode_audio``."""

    embed_dim = 6

    def __init__(self, enable_fusion=False):
        super().__init__()
        torch.manual_seed(0)
        self.audio = torch.nn.Linear(480, 6)
        self.audio.cfg = type("Config", (), {"sample_rate": 48_000, "clip_samples": 48_000, "enable_fusion": enable_fusion})

    def encode_audio(self, audio, normalize=False):
        assert audio["waveform"].shape[1] == 48_000
        assert audio["longer"].dtype == torch.bool
        found = self.audio(audio["waveform"].unflatten(1, (100, 480))).tanh().mean(dim=1)
        return torch.nn.functional.normalize(found, dim=-1) if normalize else found


def test_an_open_clip_with_clap_is_asked_as_its_branch_says(tmp_path, monkeypatch):
    (tmp_path / "open_clip_config.json").write_text("{}")
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(open_clip_audio, "_cannot", lambda: None)
    monkeypatch.setattr(open_clip, "create_model", lambda model, **settings: StandIn())
    made = encoder("open_clip_audio", model=f"local-dir:{tmp_path}")
    assert (made.card.width, made.card.input) == (6, "48000 Hz mono, windows of 48000")
    check(made)
    short = noise(0.4, 48_000)
    repeated = Sound(np.pad(np.tile(short.samples, 2), ((0, 0), (0, 9600))), 48_000)
    np.testing.assert_allclose(made.encode([short]), made.encode([repeated]), atol=1e-6)
    monkeypatch.setattr(open_clip, "create_model", lambda model, **settings: StandIn(enable_fusion=True))
    with pytest.raises(EncoderError, match="four views of a long sound, which is random; use a CLAP model without fusion"):
        encoder("open_clip_audio", model=f"local-dir:{tmp_path}")
    monkeypatch.setattr(open_clip, "create_model", lambda model, **settings: torch.nn.Linear(1, 1))
    with pytest.raises(EncoderError, match="has no audio tower"):
        encoder("open_clip_audio", model=f"local-dir:{tmp_path}")
