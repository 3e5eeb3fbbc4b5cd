"""The real loading code of models for sound, on tiny models with random weights and on YAMNet's own."""

import json

import numpy as np
import pytest
import soundfile
import torch
import transformers
from sounds_made import built, check, encoder, noise

from mmgraph.errors import EncoderError
from mmgraph.media.clip import Sound, Words
from mmgraph.testing import awkward_clips, check_encoder
from mmgraph_encoders import waves
from mmgraph_encoders.log_mel import FRONT_ENDS

TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
CONVOLUTIONS = {"conv_dim": [8, 8], "conv_stride": [10, 8], "conv_kernel": [20, 8], "num_feat_extract_layers": 2}
POSITIONS = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
WAVES = {"wav2vec2": ("Wav2Vec2Config", "Wav2Vec2Model"), "hubert": ("HubertConfig", "HubertModel")}
WAVES |= {"wavlm": ("WavLMConfig", "WavLMModel")}


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


@pytest.mark.parametrize(("kind", "norm", "masked"), [("hubert", "group", False), ("wav2vec2", "layer", True)])
def test_a_layer_of_a_waveform_model_is_an_argument(tmp_path, kind, norm, masked):
    folder = wave_folder(tmp_path, kind, norm, masked)
    clips = [noise(0.3 + 0.2 * (i % 2), seed=i) for i in range(4)]
    network = getattr(transformers, WAVES[kind][1]).from_pretrained(folder).eval()
    made = [encoder("audio_transformer", model=folder, layer=layer) for layer in (1, 2)]
    assert made[0].card.input.endswith(", layer 1")
    assert len({one.card.key() for one in made}) == len({one.identity() for one in made}) == 2
    for layer, one in enumerate(made, start=1):
        check(one)
        for clip, vector in zip(clips, one.encode(clips), strict=True):
            samples = clip.samples[0]
            wave = torch.from_numpy((samples - samples.mean()) / np.sqrt(samples.var() + 1e-7))[None]
            with torch.inference_mode():
                states = network(wave, output_hidden_states=True).hidden_states
            expected = states[layer][0].mean(dim=0).numpy()  # state 0 is before the first layer
            np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)
    for wrong in (0, 3, -1):
        with pytest.raises(EncoderError, match=f"init_args.layer of this model must be from 1 to 2; given: {wrong}"):
            encoder("audio_transformer", model=folder, layer=wrong)


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


def test_a_layer_of_a_log_mel_model_is_an_argument(body):
    network = transformers.AutoModel.from_pretrained(body).eval()
    clip = noise(0.5, 16_000)
    with torch.inference_mode():
        states = network(pixel_values=waves.yamnet_patches(clip), output_hidden_states=True).hidden_states
    for layer in (1, 11, 26):
        made = encoder("log_mel_model", model=body, layer=layer)
        expected = states[layer - 1][0].mean(dim=(1, 2)).numpy()  # there are no embeddings before the first
        assert (made.card.width, made.about().width) == (len(expected), None)
        np.testing.assert_allclose(made.encode([clip])[0], expected / np.linalg.norm(expected), atol=1e-5)
        check(made, 1e-4)
    keys = {encoder("log_mel_model", model=body, layer=layer).identity() for layer in (None, 1, 2)}
    assert len(keys) == 3
    both = (
        encoder("audio_transformer", model=body, front_end="yamnet", layer=11),
        encoder("log_mel_model", model=body, layer=11),
    )
    np.testing.assert_array_equal(*(one.encode([clip]) for one in both))
    assert both[0].card.input == "16000 Hz mono, log-mel patches [96, 64], layer 11"
    with pytest.raises(EncoderError, match="init_args.layer of this model must be from 1 to 26; given: 27"):
        encoder("log_mel_model", model=body, layer=27)


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


def test_sound_statistics_hear_every_kind_of_sound():
    check(encoder("sound_statistics"))
    long = noise(601, 22_050)
    made = encoder("sound_statistics")
    assert made.prepare(long).samples.shape == (1, 600 * 22_050)
