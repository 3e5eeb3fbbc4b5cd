"""The written files: real decoders read them, and what they hold is what was planned."""

import csv
import itertools
import re

import av
import decord
import numpy as np
import pytest
import soundfile
from PIL import Image, UnidentifiedImageError
from scenedetect import ContentDetector, detect

from mmgraph.corpus import CATEGORIES
from mmgraph.corpus.ambience import RATE_HZ
from mmgraph.corpus.words import TOPICS


def _rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def decoded(corpus, truth):
    """Every frame of every whole video, at half the size."""
    return [_decoded(corpus / video.path)[:, ::2, ::2].astype(np.int16) for video in truth.videos]


def _decoded(path):
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def test_every_planned_file_is_there_and_no_other(corpus, truth):
    there = {path.relative_to(corpus).as_posix() for path in corpus.rglob("*") if path.is_file()}
    planned = {one.path for kind in (truth.videos, truth.images, truth.music, truth.texts) for one in kind}
    side_cars = {video.path.replace(".mp4", video.side_car) for video in truth.videos if video.side_car}
    tables = {"items.csv", "links.csv", "labels.csv", ".mmgraph-sample.json"}
    assert there == planned | side_cars | tables | set(truth.broken)
    assert side_cars


def test_decord_reads_frames_and_sound_of_every_video(corpus, truth):
    for video in truth.videos:
        reader = decord.VideoReader(str(corpus / video.path))
        assert len(reader) == round(video.end_s * 10)
        assert reader.get_avg_fps() == pytest.approx(10)
        assert reader[0].shape == (120, 160, 3)
        sound = decord.AudioReader(str(corpus / video.path), sample_rate=RATE_HZ, mono=True)
        assert sound.shape[1] / RATE_HZ == pytest.approx(video.end_s, abs=0.15)
        assert 0.001 < np.abs(sound[:].asnumpy()).max() <= 1


def test_codecs_are_the_promised_ones(corpus, truth):
    with av.open(str(corpus / truth.videos[0].path)) as file:
        assert [stream.codec_context.name for stream in file.streams] == ["h264", "aac"]
    assert {video.path[-4:] for video in truth.videos} == {".mp4"}
    assert {piece.path[-4:] for piece in truth.music} == {".ogg", ".wav"}
    assert {image.path[-4:] for image in truth.images} == {".png", ".jpg"}


def test_music_has_its_length_and_no_silence(corpus, truth):
    for piece in truth.music:
        sound, rate_hz = soundfile.read(corpus / piece.path, dtype="float32")
        assert len(sound) / rate_hz == pytest.approx(piece.length_s, abs=0.05)
        assert 0.2 < np.abs(sound).max() <= 1
        assert np.sqrt((sound**2).mean()) > 0.01


def test_images_open(corpus, truth):
    for image in truth.images:
        with Image.open(corpus / image.path) as opened:
            pixels = np.asarray(opened)
        assert pixels.shape == (150, 200, 3)
        assert pixels.std() > 10


def test_texts_hold_common_and_topical_words_and_no_category(corpus, truth):
    topical = {word for topic in TOPICS for word in topic.split()}
    words = []
    for text in truth.texts:
        words += re.findall(r"[a-z]+", (corpus / text.path).read_text(encoding="utf-8").lower())
    assert 0.05 < np.mean([word in topical for word in words]) < 0.4
    assert not set(words) & {*CATEGORIES}


def test_subtitles_have_one_cue_a_shot(corpus, truth):
    subtitled = [video for video in truth.videos if video.side_car == ".srt"]
    assert subtitled
    for video in subtitled:
        text = (corpus / video.path).with_suffix(".srt").read_text(encoding="utf-8")
        assert len(re.findall(r"^\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}$", text, re.MULTILINE)) == len(video.shots)


def test_four_files_are_broken_and_stand_in_no_table(corpus, truth):
    video, image, sound, text = (corpus / path for path in truth.broken)
    with pytest.raises(RuntimeError, match="Error reading"):
        decord.VideoReader(str(video))
    with pytest.raises(av.error.InvalidDataError):
        av.open(str(video))
    with pytest.raises(UnidentifiedImageError):
        Image.open(image)
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(sound)
    assert set(text.read_bytes()) == {0}
    tables = "".join((corpus / name).read_text() for name in ("items.csv", "links.csv", "labels.csv"))
    assert not [path for path in truth.broken if path in tables]


def test_tables_hold_the_plan_and_nothing_more(corpus, truth):
    assert _rows(corpus / "items.csv") == [{"id": user.id, "kind": "user"} for user in truth.users]
    labels = {row["id"]: row["value"] for row in _rows(corpus / "labels.csv")}
    assert labels == {video.path: CATEGORIES[video.category] for video in truth.videos}
    links = _rows(corpus / "links.csv")
    assert list(links[0]) == ["source", "relation", "target", "time", "weight"]
    assert {(row["source"], row["relation"], row["target"]) for row in links} == {
        (link.source, link.relation, link.target) for link in truth.links
    }
    assert all(bool(row["time"]) == bool(row["weight"]) == (row["relation"] == "watched") for row in links)
    known = {user.id for user in truth.users} | {path.relative_to(corpus).as_posix() for path in corpus.glob("*/*")}
    assert {end for row in links for end in (row["source"], row["target"])} <= known


@pytest.mark.parametrize("name", ["items.csv", "labels.csv", "links.csv"])
def test_rows_are_sorted_so_that_their_order_tells_nothing(corpus, name):
    rows = [[row.get(key, "") for key in ("relation", "source", "target", "id")] for row in _rows(corpus / name)]
    assert rows == sorted(rows)


def test_shot_detection_finds_the_cuts_also_in_busy_motion(corpus, truth):
    missed, invented, count = 0, 0, 0
    for video in truth.videos:
        found = [start.seconds for start, _ in detect(str(corpus / video.path), ContentDetector(threshold=27))][1:]
        cuts = [shot.start_s for shot in video.shots[1:]]
        missed += sum(min((abs(cut - one) for one in found), default=9) > 0.11 for cut in cuts)
        invented += sum(min(abs(cut - one) for cut in cuts) > 0.11 for one in found)
        count += len(cuts)
    assert count > 20
    assert missed <= 0.03 * count
    assert invented <= 1


def test_mood_shows_in_brightness_and_motion(decoded, truth):
    """The brightest of the glad and sad, and the busiest of the calm and excited, by the plainest statistics."""
    brightness, motion = [], []
    for frames in decoded:
        brightness.append(frames.max(axis=3).mean())
        motion.append(np.median(np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))))
    assert np.corrcoef(brightness, [video.mood.valence for video in truth.videos])[0, 1] > 0.8
    assert np.corrcoef(motion, [video.mood.arousal for video in truth.videos])[0, 1] > 0.8


def test_next_shot_does_not_look_like_this_one(decoded, truth):
    for video, frames in zip(truth.videos, decoded, strict=True):
        middles = [frames[round((shot.start_s + shot.end_s) * 5)] for shot in video.shots]
        for shot, (before, after) in zip(video.shots, itertools.pairwise(middles), strict=False):
            inside = np.abs(frames[round(shot.end_s * 10) - 1] - before).mean()
            assert np.abs(before - after).mean() > 1.5 * inside
