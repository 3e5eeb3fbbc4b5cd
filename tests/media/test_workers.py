"""Files that kill, hang or bloat a decoder process cost themselves alone, whatever else it had in hand before."""

import io
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from media_made import write_video

from mmgraph.catalogue.importers.folder import Folder
from mmgraph.errors import MediaError, RunError
from mmgraph.media import workers
from mmgraph.media.clip import Frames, Sound, Source, Span, Words
from mmgraph.media.segments import cut
from mmgraph.media.wire import from_file, receive, send
from mmgraph.media.workers import DeadError, Workers, examined, rest
from mmgraph.settings import MediaSettings

KILLER = """
import json, os, sys, time
sys.path[:] = json.loads(sys.argv[1])
from mmgraph.media import examine, serve
real = examine.examine
def examined(path, kind, settings):
    if path.name == "killer.png":
        os._exit(7)
    if path.name == "hangs.png":
        time.sleep(60)
    if path.name == "bomb.png":
        return {"reason": str(len(bytearray(2 ** 30)))}
    if path.name == "poison.png":
        examine.poisoned = True
    elif getattr(examine, "poisoned", False):
        os._exit(8)
    return real(path, kind, settings)
examine.examine = examined
serve.main()
"""


@pytest.fixture
def killer(monkeypatch):
    rest()
    monkeypatch.setattr(workers, "_START", KILLER)
    yield
    rest()


def numbered(folder, picture, names):
    for number, name in enumerate(names):
        (folder / name).write_bytes(picture.read_bytes() + bytes([number]))
    return [(folder / name, "image") for name in names]


def test_a_file_that_kills_or_hangs_its_process_is_the_only_one_lost(made, tmp_path, killer, monkeypatch):
    root, cache = tmp_path / "data", tmp_path / "cache"
    root.mkdir()
    numbered(root, made / "red.png", ["a.png", "bomb.png", "hangs.png", "killer.png", "b.png", "poison.png", "z.png"])
    result = cut(Folder(root=root).read(), MediaSettings(workers=1, timeout_s=1.0, memory_mb=512), cache)
    assert result.items["id"].tolist() == ["a.png", "b.png", "poison.png", "z.png"]
    assert {one.id: one.reason for one in result.unread} == {
        "bomb.png": "it takes more memory than media.memory_mb = 512",
        "hangs.png": "the decoder hung on it and was stopped after 1 s",
        "killer.png": "the decoder crashed on it (exit status 7)",
    }
    monkeypatch.undo()  # a crash is not remembered: another machine, or more memory, may do better
    rest()
    assert not cut(Folder(root=root).read(), MediaSettings(workers=1), cache).unread


def test_processes_are_kept_for_the_next_files(made):
    rest()
    for _ in range(2):
        assert dict(examined([(made / "red.png", "image")], MediaSettings(workers=2))) == {
            0: {"duration_s": 0.0, "holds": ["still"]}
        }
    with Workers(MediaSettings()) as some:
        (clip,) = some.decode(Source("red", made / "red.png"), ["image"])
    assert clip.pixels.shape[0] == 1
    (one,) = workers._idle
    assert one.served == 3
    one.process.kill()  # while it waits: nobody's fault
    with Workers(MediaSettings()) as some:
        assert some.examine(made / "red.png", "image") == {"duration_s": 0.0, "holds": ["still"]}
    rest()
    assert not workers._idle


def test_sound_and_frames_come_together_and_what_is_wrong_with_one_leaves_the_other(made, tmp_path):
    path = write_video(tmp_path / "a.mp4", 50, sound=True)
    with Workers(MediaSettings()) as some:
        frames, sound = some.decode(Source("a", path, Span(0.5, 1.5)), ["image", "audio"])
        assert (frames.pixels.shape, sound.samples.shape[0], sound.rate_hz) == ((4, 48, 64, 3), 1, 16_000)
        late, silence = some.decode(Source("a", path, Span(7.0, 8.0)), ["image", "audio"])
        assert isinstance(late, MediaError)
        assert silence is None or isinstance(silence, MediaError)
        assert some.decode(Source("red", made / "red.png"), ["audio"]) == [None]


def test_stopping_ends_who_is_at_work(made, tmp_path, killer):
    path, _ = numbered(tmp_path, made / "red.png", ["hangs.png", "a.png"])
    answers = examined([path, path], MediaSettings(workers=1))
    some = Workers(MediaSettings())
    begun = time.monotonic()
    import threading

    thread = threading.Thread(target=lambda: some.examine(path[0], "image"))
    thread.start()
    while not any(worker.served >= 0 for worker in some._busy):
        time.sleep(0.01)
    some.close()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - begun < 50
    with pytest.raises(DeadError, match="the run was stopped"):
        some.decode(Source("a", path[0]), ["image"])
    answers.close()


def test_a_process_that_does_not_start_is_no_fault_of_a_file(made, monkeypatch):
    rest()
    monkeypatch.setattr(workers, "_START", "import sys; sys.exit('no such module')")
    with pytest.raises(RunError, match=r"a decoder process does not start; given: exit status 1, no such module"):
        list(examined([(made / "red.png", "image")], MediaSettings()))


def test_nothing_to_examine():
    assert list(examined([], MediaSettings())) == []


def test_a_child_of_a_fork_starts_its_own(made):
    with Workers(MediaSettings()) as some:
        some.examine(made / "red.png", "image")
    kept = list(workers._idle)
    assert kept
    child = os.fork()
    if child == 0:
        with Workers(MediaSettings()) as some:
            fine = some.examine(made / "red.png", "image")["duration_s"] == 0.0
        rest()
        os._exit(0 if fine and not set(kept) & set(workers._idle) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert kept[0].process.poll() is None
    rest()


def test_what_crosses_to_another_process_comes_back_as_it_was():
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 7)).astype(np.float32)
    pixels = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 3), np.uint8)[:, :, ::-1]
    error = MediaError("broken", given=Path("a"), todo="mend it")
    pipe = io.BytesIO()
    clips = [Sound(samples, 8000), Sound(samples[:, :0], 8000), Frames(pixels, (0.5, 1.0)), Words("grüße"), None, error]
    send(pipe, {"a": 1}, clips)
    send(pipe, {"b": 2})
    pipe.seek(0)
    message, (sound, silence, frames, words, nothing, wrong) = receive(from_file(pipe))
    assert message == {"a": 1}
    np.testing.assert_array_equal(sound.samples, samples)
    np.testing.assert_array_equal(frames.pixels, pixels)
    assert (sound.rate_hz, silence.samples.shape, frames.times_s) == (8000, (2, 0), (0.5, 1.0))
    assert (words, nothing, str(wrong)) == (Words("grüße"), None, "broken; given: a; mend it")
    assert receive(from_file(pipe)) == ({"b": 2}, [])
    with pytest.raises(EOFError):
        receive(from_file(pipe))


def test_interrupts_are_the_parents(made):
    with Workers(MediaSettings()) as some:
        some.examine(made / "red.png", "image")
        os.kill(workers._idle[-1].process.pid, signal.SIGINT)
        time.sleep(0.1)
        served = workers._idle[-1].served
        some.examine(made / "red.png", "image")
        assert workers._idle[-1].served == served + 1
