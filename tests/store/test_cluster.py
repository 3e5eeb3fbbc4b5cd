"""The same parts over a Ray cluster of two local workers: the same store, byte for byte; and what is said when it cannot be."""

import importlib
import sys

import pytest
from media_made import write_sound
from PIL import Image
from runs_made import contents

from mmgraph.encode.choose import choose
from mmgraph.errors import EncoderError, SettingsError
from mmgraph.media.clip import Source, Span
from mmgraph.settings import ClusterSettings, EncoderSettings, MediaSettings
from mmgraph.store.cluster import Worker, _packed, _plan, _unpacked, _unpacked_results, over_ray
from mmgraph.store.fill import Job, fill
from mmgraph.store.parts import Part, Place, Want
from mmgraph.store.store import Store

MEDIA = MediaSettings(workers=1)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Seven pictures, one of them broken, three sounds, a text in two names."""
    folder = tmp_path_factory.mktemp("media")
    pictures = []
    for i in range(7):
        path = folder / f"{i} ü.png"
        Image.linear_gradient("L").rotate(50 * i).resize((64, 40 + i)).save(path)
        pictures.append((f"picture{i}", Source(f"i{i}", path)))
    pictures[3][1].path.write_bytes(b"\x89PNG\r\n nothing")
    sounds = [
        (f"sound{i}", Source(f"s{i}", write_sound(folder / f"{i}.wav", codec="pcm_s16le"), Span(0.2 * i, None)))
        for i in range(3)
    ]
    texts = [(f"text{i % 2}", Source(f"t{i}", text=f"a walk by the sea {i % 2}")) for i in range(3)]
    return {"image": pictures, "audio": sounds, "text": texts}


def jobs(sources):
    names = {"image": "image_statistics", "audio": "sound_statistics", "text": "hashed_ngrams"}
    return [Job(choose(modality, [name], "error", "cpu"), sources[modality]) for modality, name in names.items()]


def test_two_workers_leave_the_same_store(sources, tmp_path):
    pytest.importorskip("ray", reason="the extra cluster is not installed")
    here = fill(Store(tmp_path / "here"), jobs(sources), MEDIA, part=3)
    seen = []

    def engine(*arguments):
        for part, results in over_ray(EncoderSettings(cluster=ClusterSettings(actors=2)), *arguments):
            seen.append(part.number)
            yield part, results

    there = fill(Store(tmp_path / "there"), jobs(sources), MEDIA, part=3, engine=engine)
    assert there == here
    assert [report.encoded for report in there] == [6, 3, 2]
    assert [len(report.unread) for report in there] == [1, 0, 0]
    assert seen == sorted(seen)
    assert len(seen) > 3
    files = contents(tmp_path / "here")
    assert files
    assert contents(tmp_path / "there") == files
    again = fill(Store(tmp_path / "there"), jobs(sources)[1:], MEDIA, part=3, engine=None)
    assert [report.cached for report in again] == [3, 2]


def test_a_part_survives_the_way_to_a_worker_and_back(sources):
    wanted = Want(0, "image", "k"), Want(1, "audio", "k")
    part = Part(5, (Place(Source("a ü", sources["image"][0][1].path, Span(1.0, 2.5), None, True), wanted),))
    assert _unpacked(_packed(part)) == part


def test_a_worker_says_what_a_node_lacks(sources):
    """As on a node with another release: its card is not the driver's."""
    made = jobs(sources)
    plan = _plan(EncoderSettings(), made, MEDIA, [0]).replace(b"image_statistics", b"image_statisticz", 1)
    worker = Worker(plan)
    assert "no encoder of this name; given: image_statisticz" in worker._failed
    (answer,) = worker._answers([b""])
    with pytest.raises(EncoderError, match="no encoder of this name"):
        _unpacked_results(answer)


def test_another_card_on_a_node_is_refused(sources, monkeypatch):
    plan = _plan(EncoderSettings(), jobs(sources), MEDIA, [2])
    from mmgraph_encoders.hashed_ngrams import HashedNgrams

    card = HashedNgrams().card
    monkeypatch.setattr(HashedNgrams, "card", property(lambda self: type(card)(**{**vars(card), "revision": "another"})))
    assert "hashed_ngrams of a node differs from this machine's" in Worker(plan)._failed


def test_without_ray_the_extra_is_named(sources, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r"encoders.engine: ray needs Ray; given: .*; pip install 'mmgraph\[cluster\]'"):
        list(over_ray(EncoderSettings(), jobs(sources), [Part(0, ())], MEDIA, [0]))


def test_an_address_where_no_cluster_answers_is_one_line(sources):
    pytest.importorskip("ray", reason="the extra cluster is not installed")
    settings = EncoderSettings(cluster=ClusterSettings(address="no-such-cluster"))
    with pytest.raises(SettingsError, match="encoders.cluster.address: no Ray cluster answers; given: no-such-cluster"):
        list(over_ray(settings, jobs(sources), [Part(0, ())], MEDIA, [0]))
    assert not importlib.import_module("ray").is_initialized()
