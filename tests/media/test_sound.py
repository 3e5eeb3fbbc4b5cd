"""Sound at its own rate, right to 10 ms."""

import av
import numpy as np
import pytest
import soundfile
from media_made import ONSET_S, RATE_HZ, tone

from mmgraph.errors import MediaError
from mmgraph.media import sound
from mmgraph.media.clip import Sound, Source, Span
from mmgraph.media.container import timeline
from mmgraph.media.decode import decode, probe
from mmgraph.settings import MediaSettings

SETTINGS = MediaSettings()
FILES = ["tone.wav", "tone.flac", "tone.ogg", "plain.mp4", "plain.mkv", "plain.ts", "heard.mp4"]


def onset_s(clip: Sound) -> float:
    return int(np.argmax(np.abs(clip.samples[0]) > 0.1)) / clip.rate_hz


def lead_in_s(path) -> float:
    """A transport stream begins with the lead-in of its sound; its pictures come that much later."""
    return float(timeline(path).times_s[0]) if path.suffix == ".ts" else 0.0


def heard(path, span=None, settings=SETTINGS) -> Sound:
    clip = decode(Source("a", path, span or Span()), "audio", settings)
    assert isinstance(clip, Sound)
    assert clip.samples.dtype == np.float32
    assert clip.samples.shape[0] == 1
    assert clip.rate_hz == RATE_HZ
    return clip


@pytest.mark.parametrize("name", FILES)
def test_the_whole(made, name):
    clip = heard(made / name)
    assert onset_s(clip) == pytest.approx(ONSET_S + lead_in_s(made / name), abs=0.01)
    wanted = 3.0 if name.startswith("tone") else 2.0
    assert clip.samples.shape[1] / clip.rate_hz == pytest.approx(wanted, abs=0.15)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("start", "end"), [(0.75, 1.5), (0.9, 1.1)])
def test_a_span(made, name, start, end):
    lead = lead_in_s(made / name)
    clip = heard(made / name, Span(start + lead, end + lead))
    assert onset_s(clip) == pytest.approx(ONSET_S - start, abs=0.01)
    assert clip.samples.shape[1] == pytest.approx((end - start) * RATE_HZ, abs=1)


def test_no_more_than_the_setting_allows(made):
    short = MediaSettings(max_sound_s=1.25)
    assert heard(made / "tone.ogg", settings=short).samples.shape[1] == 1.25 * RATE_HZ
    assert heard(made / "plain.mp4", settings=short).samples.shape[1] == 1.25 * RATE_HZ
    assert heard(made / "tone.wav", Span(1.0, 2.9), short).samples.shape[1] == 1.25 * RATE_HZ


def test_soundfile_and_pyav_give_the_same(made, monkeypatch):
    by_soundfile = heard(made / "tone.flac", Span(0.5, 2.0)).samples
    monkeypatch.setattr(sound, "_by_soundfile", lambda *_: None)
    np.testing.assert_allclose(heard(made / "tone.flac", Span(0.5, 2.0)).samples, by_soundfile, atol=2e-4)


def test_stereo_keeps_its_channels(tmp_path):
    both = np.stack([tone(2.0), np.zeros(2 * RATE_HZ, np.float32)], axis=1)
    soundfile.write(tmp_path / "a.wav", both, RATE_HZ)
    clip = decode(Source("a", tmp_path / "a.wav"), "audio", SETTINGS)
    assert isinstance(clip, Sound)
    assert clip.samples.shape == (2, 2 * RATE_HZ)
    assert not clip.samples[1].any()


def test_a_video_without_a_sound_track_has_none(made):
    assert decode(Source("a", made / "silent.mp4"), "audio", SETTINGS) is None
    assert not probe(made / "silent.mp4").has_sound


def test_a_span_behind_the_sound_has_none(made):
    assert decode(Source("a", made / "tone.ogg", Span(10.0, 11.0)), "audio", SETTINGS) is None
    assert decode(Source("a", made / "plain.mkv", Span(10.0, 11.0)), "audio", SETTINGS) is None


def test_music_and_pictures_have_nothing_of_the_other(made):
    assert decode(Source("a", made / "tone.ogg"), "image", SETTINGS) is None
    assert decode(Source("a", made / "red.png"), "audio", SETTINGS) is None
    assert decode(Source("a", made / "heard.mp4"), "image", SETTINGS) is None
    assert decode(Source("a", made / "tone.ogg"), "text", SETTINGS) is None


def test_a_wave_file_cut_short(made, tmp_path):
    raw = (made / "tone.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(MediaError, match=r"cut short: it states .* bytes and holds .*; given: .*a.wav"):
        probe(tmp_path / "a.wav")


def test_a_wave_file_without_samples(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0, np.float32), RATE_HZ)
    with pytest.raises(MediaError, match=r"its sound is empty"):
        decode(Source("a", tmp_path / "a.wav"), "audio", SETTINGS)


def test_numbers_that_are_not_finite(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([0.0, np.nan, 1.0], np.float32), RATE_HZ, subtype="FLOAT")
    with pytest.raises(MediaError, match=r"its sound holds numbers that are not finite"):
        decode(Source("a", tmp_path / "a.wav"), "audio", SETTINGS)


def test_loud_samples_are_clipped(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([0.0, 3.0, -3.0], np.float32), RATE_HZ, subtype="FLOAT")
    assert heard(tmp_path / "a.wav").samples.tolist() == [[0.0, 1.0, -1.0]]


@pytest.mark.real
def test_the_real_music(shared):
    for path in sorted((shared / "data/music").glob("*.ogg"))[:4]:
        clip = decode(Source("a", path, Span(0.0, 2.0)), "audio", SETTINGS)
        assert isinstance(clip, Sound)
        assert clip.samples.shape[1] == 2 * clip.rate_hz
        assert np.abs(clip.samples).max() > 0.01


@pytest.mark.real
def test_the_real_sounds_agree_with_decoding_all_of_them(shared):
    """Slow and obvious: the whole file by PyAV, shifted until it fits: a stretch of it lies within 10 ms of where it should."""
    music = sorted((shared / "data/music").glob("*.ogg"))
    videos = [path for path in sorted((shared / "data/videos").glob("*.mp4")) if probe(path).has_sound]
    loud = 0
    for path in music[:6] + videos[:3]:
        whole, rate = decoded_in_order(path, 6.0)
        end_s = min(3.0, probe(path).duration_s)
        clip = decode(Source("a", path, Span(1.0, end_s)), "audio", SETTINGS)
        assert isinstance(clip, Sound)
        assert clip.rate_hz == rate
        assert clip.samples.shape[1] == pytest.approx((end_s - 1.0) * rate, abs=0.01 * rate)
        if np.abs(clip.samples).max() > 0.01:
            loud += 1
            assert abs(shift(whole, clip.samples.mean(0), rate)) <= 0.01 * rate
    assert loud > 5


def decoded_in_order(path, until_s: float) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as file:
        track = file.streams.audio[0]
        begun = (file.start_time or 0) / av.time_base
        found = np.zeros(round(until_s * track.rate), np.float32)
        for frame in file.decode(track):
            at = round((frame.time - begun) * track.rate)
            if at >= len(found):
                break
            piece = frame.to_ndarray().astype(np.float32)
            piece = piece.mean(0) if frame.format.is_planar else piece.reshape(-1, len(frame.layout.channels)).mean(1)
            found[max(0, at) : at + len(piece)] = piece[max(0, -at) :][: len(found) - max(0, at)]
        return found, track.rate


def shift(whole: np.ndarray, part: np.ndarray, rate: int) -> int:
    """By how many samples ``part`` lies beside second 1 of ``whole``, by cross-correlation."""
    spectrum = np.fft.rfft(whole) * np.conj(np.fft.rfft(part, len(whole)))
    return int(np.fft.irfft(spectrum, len(whole)).argmax()) - rate
