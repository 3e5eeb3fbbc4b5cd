"""The real loading code of models for sound, on tiny models with random weights and on YAMNet's own."""

import dataclasses
import importlib.metadata
import json

import numpy as np
import open_clip
import pytest
import safetensors.torch
import soundfile
import torch
import torchaudio
import transformers

from mmgraph import registry
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Sound, Words
from mmgraph.settings import Component
from mmgraph.testing import awkward_clips, check_encoder
from mmgraph_encoders import known_sounds, open_clip_audio, waves
from mmgraph_encoders.log_mel import FRONT_ENDS, LogMel

TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
CONVOLUTIONS = {"conv_dim": [8, 8], "conv_stride": [10, 8], "conv_kernel": [20, 8], "num_feat_extract_layers": 2}
POSITIONS = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
WAVES = {"wav2vec2": ("Wav2Vec2Config", "Wav2Vec2Model"), "hubert": ("HubertConfig", "HubertModel")}
WAVES |= {"wavlm": ("WavLMConfig", "WavLMModel")}


def built(name, **arguments):
    return registry.create(
        "encoder",
        Component(class_path=name, init_args={k: str(v) if k in ("model", "state") else v for k, v in arguments.items()}),
    )


def encoder(name, **arguments):
    made = built(name, **arguments)
    assert made.available() is None
    made.load()
    return made


def noise(seconds, rate=16_000, channels=1, seed=0):
    return Sound(np.random.default_rng(seed).normal(0, 0.1, (channels, int(seconds * rate))).astype(np.float32), rate)


def every_kind_of_sound():
    """Ordinary and awkward: rates from 8 to 192 kHz, one channel to eight, empty, one sample, silent, far too loud."""
    made = [noise(0.5, rate, channels, rate) for rate, channels in ((8_000, 1), (44_100, 2), (96_000, 6), (192_000, 8))]
    loud = Sound(np.full((1, 4000), 1e30, np.float32), 16_000)
    return [*made, Sound(np.zeros((8, 0), np.float32), 48_000), Sound(np.zeros((1, 1), np.float32), 8_000), loud]


def check(made, tolerance=1e-5):
    """The contract, on sounds of all kinds, and that preparing twice is preparing once."""
    check_encoder(made, awkward_clips("audio"), tolerance)
    kinds = every_kind_of_sound()
    vectors = made.encode(kinds)
    assert np.isfinite(vectors).all()
    for clip in kinds[:5]:
        once = made.prepare(clip)
        assert once.samples.shape[0] == 1
        assert made.prepare(once) is once
    np.testing.assert_allclose(made.encode([made.prepare(clip) for clip in kinds]), vectors, atol=tolerance)


# --- resampling and windows


def test_preparing_is_the_mean_of_channels_resampled():
    clip = noise(0.3, 44_100, 2)
    expected = torchaudio.functional.resample(torch.from_numpy(clip.samples.mean(axis=0)), 44_100, 16_000)
    made = waves.prepared(clip, 16_000)
    assert (made.rate_hz, made.samples.shape) == (16_000, (1, len(expected)))
    np.testing.assert_allclose(made.samples[0], expected, atol=1e-6)
    assert waves._resampler(441, 160) is waves._resampler(441, 160)  # the kernel is computed once


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_101, 192_000])
def test_a_tone_keeps_its_pitch_and_its_length(rate):
    times = np.arange(rate) / rate
    made = waves.prepared(Sound(np.sin(2 * np.pi * 440 * times, dtype=np.float32)[None], rate), 16_000).samples[0]
    assert abs(len(made) - 16_000) <= 2
    assert np.abs(np.fft.rfft(made[:16_000])).argmax() == 440


@pytest.mark.parametrize("length", [0, 1, 4, 5, 10, 14, 15, 24, 25, 31])
@pytest.mark.parametrize("hop", [10, 4])
def test_windows_are_those_of_a_loop(length, hop):
    samples = torch.arange(length, dtype=torch.float32)
    expected, reached = [samples[:10]], min(10, length)
    for start in range(hop, length, hop):
        if min(length, start + 10) - reached >= hop / 2:
            expected.append(samples[start : start + 10])
        reached = min(length, start + 10)
    found = waves.windows(samples, 10, hop)
    assert [piece.tolist() for piece in found] == [piece.tolist() for piece in expected]


def test_pieces_of_like_length_are_computed_together_and_returned_in_order():
    pieces = [np.full(n, i, np.float32) for i, n in enumerate((3, 5, 3, 9, 5, 3))]
    calls = []

    def compute(some):
        calls.append([len(piece) for piece in some])
        return torch.tensor([[piece[0], len(piece)] for piece in some])

    for masked, longest, expected in ((False, 100, [[3, 3, 3], [5, 5], [9]]), (True, 15, [[3, 3, 3], [5, 5], [9]])):
        calls.clear()
        found = waves.by_length(pieces, compute, longest, masked=masked)
        np.testing.assert_array_equal(found, [[i, len(piece)] for i, piece in enumerate(pieces)])
        assert calls == expected
    calls.clear()
    waves.by_length(pieces, compute, 30, masked=True)
    assert calls == [[3, 3, 3, 5, 5], [9]]


def test_pooling_over_windows_is_that_of_a_loop():
    vectors, counts = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32), [1, 3, 2]
    parts = [vectors[:1], vectors[1:4], vectors[4:]]
    np.testing.assert_allclose(waves.over_windows(vectors, counts, "mean"), [p.mean(axis=0) for p in parts], atol=1e-6)
    np.testing.assert_array_equal(waves.over_windows(vectors, counts, "max"), [p.max(axis=0) for p in parts])


# --- CLAP


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    return clap_folder(tmp_path_factory.mktemp("clap"), enable_fusion=False)


def clap_folder(folder, *, enable_fusion):
    torch.manual_seed(0)
    audio = {"patch_embeds_hidden_size": 8, "hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2]}
    audio |= {"num_hidden_layers": 2, "spec_size": 64, "window_size": 4, "num_mel_bins": 16, "projection_hidden_size": 16}
    audio |= {"enable_fusion": enable_fusion, "aff_block_r": 2}
    text = {**TOWER, "vocab_size": 300, "max_position_embeddings": 40, "projection_hidden_size": 16, "pad_token_id": 1}
    transformers.ClapModel(transformers.ClapConfig(audio_config=audio, text_config=text, projection_dim=12)).save_pretrained(
        folder
    )
    transformers.ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=48_000,
        max_length_s=10,
        truncation="fusion" if enable_fusion else "rand_trunc",
        padding="repeatpad",
        hop_length=2400,
    ).save_pretrained(folder)
    letters = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "<mask>",
        *(chr(i) for i in range(33, 127)),
        *(chr(i) for i in range(0xA1, 0x144)),
    ]
    vocabulary = {letter: i for i, letter in enumerate(dict.fromkeys(letters))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    transformers.RobertaTokenizer(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt")).save_pretrained(folder)
    return folder


def test_clap_hears_every_kind_of_sound(clap):
    made = encoder("clap", model=clap)
    assert (made.card.width, made.card.precision, made.card.paper) == (12, "fp32", "Wu et al. 2023, arXiv:2211.06687")
    check(made, 1e-4)


def test_clap_with_fusion_draws_nothing_at_random(tmp_path):
    made = encoder("clap", model=clap_folder(tmp_path, enable_fusion=True))
    clips = [noise(23, 48_000), noise(3, 48_000, seed=1)]
    np.testing.assert_array_equal(made.encode(clips), made.encode(clips))
    np.testing.assert_allclose(made.encode(clips[1:]), made.encode(clips)[1:], atol=1e-4)


def test_windows_and_pooling_of_clap_are_arguments(clap):
    clip, rate = noise(6, 48_000), 48_000
    parts = [Sound(clip.samples[:, start * rate : (start + 2) * rate], rate) for start in range(5)]
    alone = encoder("clap", model=clap).encode(parts)
    for pooling, expected in (("mean", alone.mean(axis=0)), ("max", alone.max(axis=0))):
        made = encoder("clap", model=clap, window_s=2.0, hop_s=1.0, pooling=pooling)
        np.testing.assert_allclose(made.encode([clip])[0], expected / np.linalg.norm(expected), atol=1e-4)
    settings = [{}, {"window_s": 2.0}, {"window_s": 2.0, "hop_s": 1.0}, {"pooling": "max"}, {"precision": "bf16"}]
    made = [encoder("clap", model=clap, **one) for one in settings]
    assert len({one.card.key() for one in made}) == len({one.identity() for one in made}) == len(settings)
    for wrong, message in (
        ({"window_s": 11.0}, r"window_s must be at least 0.1 s and at most 10 s.*given: 11"),
        ({"window_s": 2.0, "hop_s": 3.0}, "hop_s must be more than 0 and at most window_s; given: 3"),
    ):
        with pytest.raises(EncoderError, match=message):
            encoder("clap", model=clap, **wrong)


def test_texts_of_clap_lie_in_the_space_of_its_sounds(clap):
    made = encoder("clap_text", model=clap)
    assert (made.card.width, made.card.modality) == (encoder("clap", model=clap).card.width, "text")
    assert made.card.revision == encoder("clap", model=clap).card.revision
    assert "38 tokens" in made.card.input  # as many as the model has positions for
    check_encoder(made, awkward_clips("text"))
    network = transformers.ClapModel.from_pretrained(clap).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(clap)(["a dog barks"], return_tensors="pt")
    with torch.inference_mode():
        expected = network.get_text_features(**tokens).pooler_output.numpy()
    np.testing.assert_allclose(made.encode([Words("a dog barks")]), expected, atol=1e-5)
    prefixed = encoder("clap_text", model=clap, prefix="a dog ").encode([Words("barks")])
    np.testing.assert_allclose(prefixed, expected, atol=1e-5)


# --- waveforms


def wave_folder(folder, kind, norm, masked):
    torch.manual_seed(0)
    config, model = (getattr(transformers, name) for name in WAVES[kind])
    made = config(feat_extract_norm=norm, do_stable_layer_norm=norm == "layer", **POSITIONS, **CONVOLUTIONS, **TOWER)
    model(made).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=masked).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("kind", "norm", "masked"),
    [
        ("wav2vec2", "group", False),
        ("wav2vec2", "layer", True),
        ("hubert", "group", False),
        ("hubert", "layer", True),
        ("wavlm", "layer", True),
    ],
)
def test_a_waveform_does_not_depend_on_its_batch(tmp_path, kind, norm, masked):
    made = encoder("audio_transformer", model=wave_folder(tmp_path, kind, norm, masked))
    assert made._masked is masked
    check(made)
    clips = [noise(0.2 + 0.13 * (i % 4), seed=i) for i in range(9)]
    together = made.encode(clips)
    network = getattr(transformers, WAVES[kind][1]).from_pretrained(tmp_path).eval()
    for clip, vector in zip(clips, together, strict=True):
        samples = clip.samples[0]
        wave = torch.from_numpy((samples - samples.mean()) / np.sqrt(samples.var() + 1e-7))[None]
        with torch.inference_mode():
            expected = network(wave).last_hidden_state.mean(dim=1)[0].numpy()
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)


def test_lengths_that_differ_cost_one_call_where_they_can_be_masked(tmp_path, monkeypatch):
    clips = [noise(0.2 + 0.05 * i, seed=i) for i in range(6)]
    for masked, expected in ((True, 1), (False, 6)):
        made = encoder("audio_transformer", model=wave_folder(tmp_path / str(masked), "wav2vec2", "layer", masked))
        calls = []
        forward = made._network.forward
        monkeypatch.setattr(
            made._network, "forward", lambda *a, forward=forward, calls=calls, **k: (calls.append(1), forward(*a, **k))[1]
        )
        made.encode(clips)
        assert len(calls) == expected


def test_long_waveforms_are_cut_into_windows(tmp_path):
    folder, clip = wave_folder(tmp_path, "hubert", "group", False), noise(2.6)
    alone = encoder("audio_transformer", model=folder)
    parts = [Sound(clip.samples[:, start : start + 16_000], 16_000) for start in (0, 16_000, 32_000)]
    expected = np.mean([v * n for v, n in zip(*lengths(alone, parts), strict=True)], axis=0)
    made = encoder("audio_transformer", model=folder, window_s=1.0)
    assert made.card.input == "16000 Hz mono, windows of 16000"
    assert made.card.paper == "Hsu et al. 2021, arXiv:2106.07447"
    np.testing.assert_allclose(made.encode([clip])[0], expected / np.linalg.norm(expected), atol=1e-5)


def lengths(made, clips):
    """Vectors of length one, and how long they were before."""
    raw = made._vectors(clips)
    return raw / np.linalg.norm(raw, axis=1, keepdims=True), np.linalg.norm(raw, axis=1)


def test_half_precision_is_near_and_has_its_own_key(tmp_path):
    folder = wave_folder(tmp_path, "wav2vec2", "layer", True)
    full, half = (encoder("audio_transformer", model=folder, precision=one) for one in ("fp32", "bf16"))
    clips = [noise(0.5), noise(0.7, seed=1)]
    near = (full.encode(clips) * half.encode(clips)).sum(axis=1)
    assert (near > 0.99).all()
    assert full.card.key() != half.card.key()


def test_a_spectrogram_transformer_hears_every_kind_of_sound(tmp_path):
    torch.manual_seed(0)
    config = transformers.ASTConfig(num_mel_bins=32, max_length=100, frequency_stride=16, time_stride=16, **TOWER)
    transformers.ASTModel(config).save_pretrained(tmp_path)
    transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=100).save_pretrained(tmp_path)
    made = encoder("audio_transformer", model=tmp_path)
    assert made.card.paper == "Gong et al. 2021, arXiv:2104.01778"
    check(made)
    with pytest.raises(EncoderError, match="at most 1 s, which is what the model hears at once; given: 2"):
        encoder("audio_transformer", model=tmp_path, window_s=2.0)


def test_a_model_that_needs_more_than_sound_is_one_clear_line(tmp_path):
    size = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    size |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "vocab_size": 10, "max_source_positions": 50}
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    config = transformers.WhisperConfig(**size, **tokens)
    transformers.WhisperModel(config).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match="is no model that turns sound alone into vectors"):
        encoder("audio_transformer", model=tmp_path)


# --- log-mel patches


def slow_patches(samples, front):
    """One frame, one band, one patch after another."""
    frames = []
    for start in range(0, len(samples) - front.window + 1, front.hop):
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(front.window) / front.window)
        spectrum = np.abs(np.fft.rfft(samples[start : start + front.window] * window, front.n_fft)) ** front.power
        frames.append(spectrum)
    hz = np.linspace(0, front.rate_hz / 2, front.n_fft // 2 + 1)
    mel = lambda f: 2595 * np.log10(1 + f / 700)  # noqa: E731
    edges = 700 * (10 ** (np.linspace(mel(front.low_hz), mel(front.high_hz), front.mels + 2) / 2595) - 1)
    banks = []
    for low, middle, high in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
        banks.append(np.maximum(0, np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle))))
    energies = np.log(np.array(frames) @ np.array(banks).T + front.floor)
    return [energies[i : i + front.patch_frames] for i in range(0, len(energies) - front.patch_frames + 1, front.patch_hop)]


@pytest.mark.parametrize(
    "settings",
    [{}, {"patch_hop": 96, "floor": 0.01}, {"mels": 32, "hop": 200, "power": 2.0, "low_hz": 60.0, "patch_frames": 30}],
)
def test_patches_are_those_of_a_loop(settings):
    front, clip = LogMel(**settings), noise(2.3)
    found = front.patches(torch.from_numpy(clip.samples[0]))
    expected = np.array(slow_patches(clip.samples[0].astype(np.float64), front))
    assert found.shape == (len(expected), 1, front.patch_frames, front.mels)
    np.testing.assert_allclose(found[:, 0], expected, atol=2e-3)
    assert LogMel().patches(torch.zeros(0)).shape == (1, 1, 96, 64)  # silence


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 600}, "n_fft must be at least window; given: 512 < 600"),
        ({"high_hz": 9000.0}, "low_hz and high_hz must rise from 0 to half of rate_hz; given: 125.0 to 9000.0"),
        ({"hop": 0}, "must be positive"),
    ],
)
def test_numbers_that_fit_no_spectrogram_are_refused(settings, message):
    with pytest.raises(EncoderError, match=message):
        LogMel(**settings).check()


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    folder = tmp_path_factory.mktemp("body")
    torch.manual_seed(0)
    network = transformers.MobileNetV1Model(transformers.MobileNetV1Config(num_channels=1, depth_multiplier=0.25))
    for weight in network.parameters():
        if weight.ndim == 4:
            torch.nn.init.kaiming_normal_(weight)  # as it is made, little of a sound is left after 27 layers
    network.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("front_end", list(FRONT_ENDS))
def test_models_of_log_mel_patches_hear_every_kind_of_sound(body, front_end):
    made = encoder("log_mel_model", model=body, front_end=front_end)
    assert made.card.input.startswith(f"{FRONT_ENDS[front_end].rate_hz} Hz mono, 64 ")
    check(made, 1e-4)


def test_each_number_of_a_front_end_is_an_argument_and_part_of_the_key(body):
    given = {"rate_hz": 22_050, "n_fft": 1024, "window": 512, "hop": 128, "mels": 48, "low_hz": 60.0, "high_hz": 7000.0}
    given |= {"floor": 0.01, "patch_frames": 64, "patch_hop": 64, "pooling": "max"}
    made = [encoder("log_mel_model", model=body, **dict([one])) for one in given.items()]
    made.append(encoder("log_mel_model", model=body))
    assert len({one.card.key() for one in made}) == len({one.identity() for one in made}) == len(given) + 1
    with pytest.raises(EncoderError, match="n_fft must be at least window"):
        encoder("log_mel_model", model=body, n_fft=256)
    assert "has no weights of its own; set init_args.model" in built("log_mel_model").available()
    with pytest.raises(EncoderError, match="use log_mel_model with patch_frames, patch_hop"):
        built("audio_transformer", model=body, front_end="yamnet", window_s=1.0)


@pytest.mark.real
def test_yamnet_is_the_same_by_both_names_and_as_it_was(shared):
    folder = shared / "weights" / "yamnet"
    samples, rate = soundfile.read(shared / "data" / "digits" / "0_george_0.wav", dtype="float32", always_2d=True)
    clips = [Sound(np.ascontiguousarray(samples.T), rate), *awkward_clips("audio")]
    old, new = encoder("audio_transformer", model=folder, front_end="yamnet"), encoder("log_mel_model", model=folder)
    vectors = old.encode(clips)
    np.testing.assert_array_equal(vectors, new.encode(clips))
    assert (old.card.width, old.card.licence, old.card.input) == (
        1024,
        "Apache-2.0",
        "16000 Hz mono, log-mel patches [96, 64]",
    )
    network = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = [network(pixel_values=waves.yamnet_patches(clip)).pooler_output.mean(dim=0) for clip in clips]
    expected = torch.stack(expected).numpy()
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
    check(old)


# --- torchaudio


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


# --- open_clip


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


# --- without weights


def test_sound_statistics_hear_every_kind_of_sound():
    check(encoder("sound_statistics"))
    long = noise(601, 22_050)
    made = encoder("sound_statistics")
    assert made.prepare(long).samples.shape == (1, 600 * 22_050)
