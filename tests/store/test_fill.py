import logging
import multiprocessing
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mmgraph.encode.choose import Chosen
from mmgraph.errors import EncoderError, MediaError
from mmgraph.media import workers
from mmgraph.media.clip import Frames, Source, Span, Words
from mmgraph.settings import Component, MediaSettings
from mmgraph.store import ahead as ahead_module
from mmgraph.store import parts as parts_module
from mmgraph.store.ahead import Decoders, ahead, by_file
from mmgraph.store.fill import FillReport, Job, fill
from mmgraph.store.parts import Place, Want
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


def chosen(encoder):
    return Chosen(encoder.card, encoder.modality, Component(class_path="fake"), "cpu", (), encoder)


def fill_one(folder, encoder, sources, media, batch, **changed):
    (report,) = fill(Store(folder), [Job(chosen(encoder), sources)], media, batch, **changed)
    return report


def run(tmp_path, encoder, sources, batch=4, **changed):
    return fill_one(tmp_path, encoder, sources, MEDIA, batch, **{"decode": decode, "part": 4, **changed})


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


def place(source, *jobs):
    return Place(source, tuple(Want(job, "image", source.key) for job in jobs or (0,)))


def test_neighbours_of_one_file_go_to_one_worker():
    places = [place(Source(str(i), Path(name), Span(i))) for i, name in enumerate("aaabbaaaaaaaaac")]
    assert [[int(one.source.key) for one in group] for group in by_file(places)] == [
        [0, 1, 2],
        [3, 4],
        [5, 6, 7, 8, 9, 10, 11, 12],
        [13],
        [14],
    ]
    assert by_file([]) == []
    assert len(by_file([place(Source(text, text=text)) for text in "ab"])) == 2


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

    places = [place(Source(str(i), Path(f"{i}.png"))) for i in range(60)]
    with Decoders(MEDIA, {0: lambda clip: Frames(clip.pixels[:, :1])}, count) as decoders:
        for (result,) in ahead(places, decoders, 2, 8):
            assert result.pixels.shape == (1, 1, 10, 3)
            time.sleep(0.001)
            taken += 1
    assert decoded == 60
    assert most <= (4 if budget == 1 else 10)


def test_large_clips_are_encoded_before_the_part_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(parts_module, "WAITING_BYTES", 24)
    sizes = []

    class Counting(FakeEncoder):
        def _encode(self, clips):
            sizes.append(len(clips))
            return super()._encode(clips)

    run(tmp_path, Counting(), sources_of([f"{i}.png" for i in range(5)]), 100, part=100)
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
    return fill_one(folder, FakeEncoder(), sources, MEDIA, 8, decode=_slowly, part=8)


def test_kill_9_loses_at_most_a_part(tmp_path):
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
    report = fill_one(tmp_path / "store", Brightness(width=2), sources, ONE, 4)
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
        assert fill_one(tmp_path / "store", FakeEncoder(modality="audio"), sources, ONE, 4) == FillReport(0, 0, 1)


DIES = """
import json, os, sys
sys.path[:] = json.loads(sys.argv[1])
from mmgraph.media import decode, serve
real, decode.decode = decode.decode, lambda source, *how: os._exit(139) if source.path.name == "1.mp4" else real(source, *how)
serve.main()
"""


def test_a_decoder_that_dies_costs_one_file_and_starts_again(tmp_path, monkeypatch):
    _videos(tmp_path)
    workers.rest()
    monkeypatch.setattr(workers, "_START", DIES)
    spans = [(name, Span(start, start + 0.5)) for name in ("0.mp4", "1.mp4", "2.mp4") for start in (0.0, 0.5, 1.0)]
    sources = [(f"{name}{span}", Source(f"{name}#{span.start_s}", tmp_path / name, span)) for name, span in spans]
    report = fill_one(tmp_path / "store", FakeEncoder(), sources, ONE, 4)
    workers.rest()
    assert report.encoded == 6
    assert [one.id for one in report.unread] == ["1.mp4#0.0", "1.mp4#0.5", "1.mp4#1.0"]
    reasons = [one.reason for one in report.unread]
    assert reasons[0].startswith("the decoder crashed on it (exit status 139); given: ")
    assert reasons[2].startswith("the decoder died over it before; the rest of it is left out; given: ")


class Shape(FakeEncoder):
    """Frames or seconds, and brightness or loudness."""

    def prepare(self, clip):
        self.prepared = [*getattr(self, "prepared", []), threading.current_thread().name]
        return clip

    def _encode(self, clips):
        values = [clip.pixels if isinstance(clip, Frames) else clip.samples for clip in clips]
        return np.array([[len(value), np.abs(value).mean()] for value in values], np.float32)


def test_frames_and_sound_of_a_segment_are_decoded_once(tmp_path, monkeypatch):
    from media_made import write_video

    path = write_video(tmp_path / "a.mp4", 100, sound=True)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(path.read_bytes())
    asked = []
    real = workers.Workers.decode

    def decode(self, source, modalities):
        asked.append((source.path.name, source.span.start_s, list(modalities)))
        return real(self, source, modalities)

    monkeypatch.setattr(workers.Workers, "decode", decode)
    spans = [Span(0.0, 2.0), Span(2.0, 4.0)]
    names = [(name, span) for name in ("a.mp4", "copy.mp4") for span in spans]
    frames, sounds = Shape(width=2, name="frames"), Shape(width=2, name="sounds", modality="audio")
    prints = Shape(width=2, name="prints")

    def jobs(*some):
        return [
            Job(
                chosen(encoder),
                [(f"{encoder.modality}{span}", Source(f"{name}{span}", tmp_path / name, span)) for name, span in names],
            )
            for encoder in some
        ]

    store = Store(tmp_path / "store")
    assert fill(store, jobs(frames, sounds), ONE) == [FillReport(2, 0, 0), FillReport(2, 0, 0)]
    assert asked == [("a.mp4", 0.0, ["audio", "image"]), ("a.mp4", 2.0, ["audio", "image"])]
    assert {name.partition("_")[0] for name in frames.prepared[:2]} == {"decode"}
    keys = [f"audio{span}" for span in spans]
    loudness = store.read(sounds.card, keys)[0][:, 1]
    assert loudness[0] < loudness[1]  # silent for a second, then a tone
    asked.clear()
    assert fill(store, jobs(frames, sounds, prints), ONE) == [FillReport(0, 2, 0), FillReport(0, 2, 0), FillReport(2, 0, 0)]
    assert [modalities for _, _, modalities in asked] == [["image"], ["image"]]


def test_a_stored_corpus_loads_no_encoder(tmp_path):
    encoder, sources = FakeEncoder(), sources_of(["1.png", "2.png"])
    run(tmp_path, encoder, sources)
    known = Chosen(encoder.card, "image", Component(class_path="fake"), "cpu", (), FakeEncoder(fails="gone"), _loaded=False)
    assert fill(Store(tmp_path), [Job(known, sources)], MEDIA) == [FillReport(0, 2, 0)]


def test_an_encoder_that_cannot_prepare_a_clip_refuses_it_alone(tmp_path):
    class Odd(FakeEncoder):
        def prepare(self, clip):
            if clip.pixels.max() == 2:
                raise ZeroDivisionError("a bug")
            return clip

    report = run(tmp_path, Odd(), sources_of(["1.png", "2.png", "3.png"]))
    assert (report.encoded, [one.id for one in report.unread]) == (2, ["id1"])
    assert "ZeroDivisionError" in report.unread[0].reason
