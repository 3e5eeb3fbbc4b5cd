import io
import logging
import multiprocessing
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mmgraph.errors import EncoderError, MediaError
from mmgraph.media.clip import Frames, Sound, Source, Span, Words
from mmgraph.settings import MediaSettings
from mmgraph.store import ahead as ahead_module
from mmgraph.store import fill as fill_module
from mmgraph.store import worker
from mmgraph.store.ahead import Decoders, ahead, by_file
from mmgraph.store.fill import FillReport, fill
from mmgraph.store.store import Store
from mmgraph.testing import FakeEncoder

MEDIA, ONE = MediaSettings(workers=2), MediaSettings(workers=1)


def decode(source, modality, settings):
    """A fake: the name of the file decides."""
    name = source.path.name
    if name.startswith("bad"):
        raise MediaError(f"cannot read {name}", given="header", todo="mend it")
    if name.startswith("odd"):
        raise ZeroDivisionError("a decoder's bug")
    if name.startswith("silent"):
        return None
    return Frames(np.full((1, 2, 2, 3), int(name.split(".")[0]), np.uint8))


def sources_of(names):
    return [(f"content of {name}", Source(f"id{i}", Path("media") / name)) for i, name in enumerate(names)]


def run(tmp_path, encoder, sources, batch=4, **changed):
    return fill(Store(tmp_path), encoder, sources, MEDIA, batch, **{"decode": decode, **changed})


def expected(sources):
    return FakeEncoder().encode([decode(source, "image", MEDIA) for _, source in sources])


def test_nothing_to_do(tmp_path):
    assert run(tmp_path, FakeEncoder(), []) == FillReport(0, 0, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_everything_is_encoded_once_and_read_as_it_was(tmp_path, batch):
    encoder, sources = FakeEncoder(), sources_of([f"{i}.png" for i in range(11)])
    assert run(tmp_path, encoder, sources, batch) == FillReport(11, 0, 0)
    vectors, present = Store(tmp_path).read(encoder.card, [key for key, _ in sources])
    assert present.all()
    np.testing.assert_array_equal(vectors, expected(sources))


def test_encoding_again_costs_nothing(tmp_path, monkeypatch):
    encoder, sources = FakeEncoder(), sources_of(["1.png", "silent.png", "2.png"])
    assert run(tmp_path, encoder, sources) == FillReport(2, 0, 1)

    def refuse(*_):
        raise AssertionError("nothing may be decoded or encoded")

    monkeypatch.setattr(encoder, "_encode", refuse)
    assert run(tmp_path, encoder, sources, decode=refuse) == FillReport(0, 2, 1)


def test_the_same_content_under_two_ids_is_encoded_once(tmp_path):
    encoder, source = FakeEncoder(), Source("a", Path("3.png"))
    sources = [("same", source), ("same", Source("b", Path("3.png"))), ("other", Source("c", Path("4.png")))]
    assert run(tmp_path, encoder, sources) == FillReport(2, 0, 0)
    assert encoder.encoded == 2


def test_bad_files_end_nothing_and_are_tried_again(tmp_path):
    sources = [*sources_of(["1.png", "bad.png", "odd.png", "2.png"]), ("content of bad.png", Source("twin", Path("bad.png")))]
    for cached in (0, 2):
        report = run(tmp_path, FakeEncoder(), sources)
        assert (report.encoded, report.cached, report.absent) == (2 - cached, cached, 0)
        assert [(one.id, Path(one.path).name) for one in report.unread] == [
            ("id1", "bad.png"),
            ("id2", "odd.png"),
            ("twin", "bad.png"),
        ]
        assert report.unread[0].reason == "cannot read bad.png; given: header; mend it"
        assert "ZeroDivisionError" in report.unread[1].reason


class Picky(FakeEncoder):
    def _encode(self, clips):
        if any(clip.pixels.max() == 3 for clip in clips):
            raise EncoderError("this one I cannot read", given=3)
        return super()._encode(clips)


def test_a_clip_that_the_encoder_refuses_takes_no_other_with_it(tmp_path):
    sources = sources_of([f"{i}.png" for i in range(6)])
    report = run(tmp_path, Picky(), sources, 6)
    assert (report.encoded, [one.id for one in report.unread]) == (5, ["id3"])
    assert report.unread[0].reason == "this one I cannot read; given: 3"
    vectors, present = Store(tmp_path).read(FakeEncoder().card, [key for key, _ in sources])
    np.testing.assert_array_equal(present, np.arange(6) != 3)
    np.testing.assert_array_equal(vectors[present], expected(sources)[present])


def test_an_encoder_that_refuses_everything_is_an_error(tmp_path):
    with pytest.raises(EncoderError, match="this one I cannot read"):
        run(tmp_path, Picky(), sources_of(["3.png", "bad.png"]))


def test_sources_of_one_file_go_to_one_worker_and_keep_their_order():
    parts = [Source(str(i), Path(name), Span(i)) for i, name in enumerate("abacaaba")]
    groups = by_file(parts)
    assert groups == [[0, 2, 4, 5], [7], [1, 6], [3]]
    assert by_file([]) == []


@pytest.mark.parametrize("budget", [1, 10**9])
def test_few_clips_wait_in_memory(monkeypatch, budget):
    monkeypatch.setattr(ahead_module, "BUDGET_BYTES", budget)
    decoded, taken, most, lock = 0, 0, 0, threading.Lock()

    def count(source, modality, settings):
        nonlocal decoded, most
        with lock:
            decoded += 1
            most = max(most, decoded - taken)
        return Frames(np.zeros((1, 10, 10, 3), np.uint8))

    sources = [Source(str(i), Path(f"{i}.png")) for i in range(60)]
    with Decoders("image", MEDIA, count) as decoders:
        for number, (position, result) in enumerate(ahead(sources, decoders, 2, 8)):
            assert (position, result.pixels.shape) == (number, (1, 10, 10, 3))
            time.sleep(0.001)
            taken += 1
    assert decoded == 60
    assert most <= (4 if budget == 1 else 10)


def test_large_clips_close_a_batch_early(tmp_path, monkeypatch):
    monkeypatch.setattr(fill_module, "BUDGET_BYTES", 24)
    sizes = []

    class Counting(FakeEncoder):
        def _encode(self, clips):
            sizes.append(len(clips))
            return super()._encode(clips)

    run(tmp_path, Counting(), sources_of([f"{i}.png" for i in range(5)]), 100)
    assert sizes == [2, 2, 1]  # 12 bytes each


def test_ctrl_c_keeps_what_was_committed(tmp_path):
    def interrupted(source, modality, settings):
        if source.path.name == "9.png":
            raise KeyboardInterrupt
        return decode(source, modality, settings)

    sources = sources_of([f"{i}.png" for i in range(12)])
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, FakeEncoder(), sources, decode=interrupted)
    assert run(tmp_path, FakeEncoder(), sources) == FillReport(4, 8, 0)


def _slowly(source, modality, settings):
    time.sleep(0.005)
    return Frames(np.full((1, 2, 2, 3), int(source.key), np.uint8))


def _fill_slowly(folder):
    sources = [(f"key{i}", Source(str(i), Path(f"{i}.png"))) for i in range(200)]
    return fill(Store(folder), FakeEncoder(), sources, MEDIA, 8, decode=_slowly)


def test_kill_9_loses_at_most_a_batch(tmp_path):
    keys, card = [f"key{i}" for i in range(200)], FakeEncoder().card
    vectors = FakeEncoder().encode([Frames(np.full((1, 2, 2, 3), i, np.uint8)) for i in range(200)])
    for wanted in (1, 60, 120):  # killed three times, at whatever it was doing then
        child = multiprocessing.get_context("fork").Process(target=_fill_slowly, args=(tmp_path,))
        child.start()
        while child.is_alive() and len(keys) - len(Store(tmp_path).missing(card, keys)) < wanted:
            time.sleep(0.002)
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        found, present = Store(tmp_path).read(card, keys)
        assert wanted <= present.sum() < 200
        assert present.sum() % 8 == 0
        np.testing.assert_array_equal(found, vectors * present[:, None])
    cached = int(present.sum())
    assert _fill_slowly(tmp_path) == FillReport(200 - cached, cached, 0)
    found, present = Store(tmp_path).read(card, keys)
    assert present.all()
    np.testing.assert_array_equal(found, vectors)
    assert not list(tmp_path.rglob("*.part"))


def test_texts_without_a_file(tmp_path, caplog):
    sources = [(text, Source(text, text=text)) for text in ("one", "two")]
    with caplog.at_level(logging.INFO):
        report = run(tmp_path, FakeEncoder(modality="text"), sources, decode=lambda source, *_: Words(source.text))
    assert report == FillReport(2, 0, 0)


def _videos(tmp_path):
    """Three tiny videos of one colour each, without sound; one broken one."""
    import av

    for i, shade in enumerate((40, 120, 200)):
        with av.open(str(tmp_path / f"{i}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=5)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(10):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    (tmp_path / "broken.mp4").write_bytes(b"no video" * 100)
    return [tmp_path / name for name in ("0.mp4", "broken.mp4", "1.mp4", "2.mp4")]


class Brightness(FakeEncoder):
    def _encode(self, clips):
        return np.array([[len(clip.pixels), clip.pixels.mean()] for clip in clips], np.float32)


def test_videos_are_decoded_in_processes_and_a_broken_one_ends_nothing(tmp_path):
    paths = _videos(tmp_path)
    sources = [
        (f"{path.name}/{start}", Source(f"{path.stem}{start}", path, Span(start, start + 1)))
        for path in paths
        for start in (0, 1)
    ]
    report = fill(Store(tmp_path / "store"), Brightness(width=2), sources, ONE, 4)
    assert (report.encoded, report.absent) == (6, 0)
    assert [(one.id, Path(one.path).name) for one in report.unread] == [("broken0", "broken.mp4"), ("broken1", "broken.mp4")]
    assert "broken.mp4" in report.unread[0].reason
    vectors, present = Store(tmp_path / "store").read(Brightness(width=2).card, [key for key, _ in sources])
    assert present.sum() == 6
    assert (vectors[present, 0] == 4).all()
    np.testing.assert_allclose(vectors[present, 1], np.repeat([40, 120, 200], 2), atol=6)


def test_videos_without_sound_are_remembered(tmp_path):
    paths = [path for path in _videos(tmp_path) if path.name != "broken.mp4"][:1]
    sources = [(path.name, Source(path.stem, path)) for path in paths]
    for _ in range(2):
        assert fill(Store(tmp_path / "store"), FakeEncoder(modality="audio"), sources, ONE, 4) == FillReport(0, 0, 1)


def test_what_crosses_to_another_process_comes_back_as_it_was():
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 7)).astype(np.float32)
    pixels = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 3), np.uint8)[:, :, ::-1]
    pipe = io.BytesIO()
    for clip in (Sound(samples, 8000), Sound(samples[:, :0], 8000), Frames(pixels, (0.5, 1.0)), Words("grüße"), None):
        worker._send_clip(pipe, clip)
    pipe.seek(0)
    sound, silence, frames, words, nothing = (worker._read_clip(pipe) for _ in range(5))
    np.testing.assert_array_equal(sound.samples, samples)
    assert (sound.rate_hz, silence.samples.shape, frames.times_s, words, nothing) == (
        8000,
        (2, 0),
        (0.5, 1.0),
        Words("grüße"),
        None,
    )
    np.testing.assert_array_equal(frames.pixels, pixels)
    worker._send(pipe, {"is": "sound", "shape": [2, 3], "rate_hz": 1}, b"short")
    pipe.seek(-5, io.SEEK_END)
    with pytest.raises(EOFError):
        worker._read_clip(pipe)


def test_a_decoder_that_dies_costs_one_file_and_starts_again(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "_COMMAND", (sys.executable, "-c", "import os, sys; sys.stderr.write('boom'); os._exit(139)"))
    sources = [(f"{i}", Source(f"id{i}", tmp_path / f"{i}.mp4")) for i in range(3)]
    report = fill(Store(tmp_path / "store"), FakeEncoder(), sources, MEDIA, 4)
    assert [one.id for one in report.unread] == ["id0", "id1", "id2"]
    assert "the decoder died over" in report.unread[0].reason
    assert "exit status 139" in report.unread[0].reason
