"""An item may have several modalities: a photo with a caption has both, and photos with one caption stay different."""

import numpy as np
from PIL import Image

from mmgraph.catalogue.contract import Catalogue, GivenFeatures, items_frame, labels_frame, links_frame
from mmgraph.encode.contract import Encoder
from mmgraph.graph.collect import collect, stand_ins
from mmgraph.media.segments import content_hashes, cut
from mmgraph.settings import EncoderSettings, MediaSettings


def catalogue(folder):
    colours = {"red": (200, 30, 30), "blue": (30, 30, 200), "plain": (90, 90, 90)}
    for name, colour in colours.items():
        Image.new("RGB", (40, 30), colour).save(folder / f"{name}.png")
    rows = [
        {"id": "red", "kind": "image", "path": str(folder / "red.png"), "text": "a wall"},
        {"id": "blue", "kind": "image", "path": str(folder / "blue.png"), "text": "a wall"},
        {"id": "plain", "kind": "image", "path": str(folder / "plain.png")},
        {"id": "note", "kind": "text", "text": "a wall"},
        {"id": "ann", "kind": "user"},
    ]
    return Catalogue(items_frame(rows), links_frame([]), labels_frame([]))


def collected(folder):
    media = MediaSettings(workers=1)
    whole = cut(catalogue(folder), media)
    return whole, collect(whole, content_hashes(whole), EncoderSettings(), media, folder / "store")


def test_a_photo_with_a_caption_has_both_modalities(tmp_path):
    whole, found = collected(tmp_path)
    assert not found.unread
    image, text = found.features["image", "image"], found.features["image", "text"]
    assert image.present.tolist() == [True, True, True]
    assert text.present.tolist() == [True, True, False]
    assert not np.allclose(image.vectors[0], image.vectors[1]), "one caption, two photos"
    np.testing.assert_array_equal(text.vectors[0], text.vectors[1])
    np.testing.assert_array_equal(text.vectors[0], found.features["text", "text"].vectors[0])
    assert not text.vectors[2].any()
    assert ("user", "image") not in found.features
    assert whole.kinds() == {"image": 3, "text": 1, "user": 1}


def test_a_broken_photo_is_set_aside_with_its_caption(tmp_path):
    made = catalogue(tmp_path)
    (tmp_path / "red.png").write_bytes(b"no picture")
    left = cut(made, MediaSettings(workers=1))
    assert [one.id for one in left.unread] == ["red"]
    assert "red" not in set(left.items["id"])


def test_encoding_again_costs_nothing(tmp_path, monkeypatch):
    _, first = collected(tmp_path)
    monkeypatch.setattr(Encoder, "encode", lambda *_: 1 / 0)
    _, second = collected(tmp_path)
    assert second.counts["image"] == {"encoded": 0, "cached": 3, "absent": 0}
    for key, features in first.features.items():
        np.testing.assert_array_equal(features.vectors, second.features[key].vectors)


def test_stand_ins_are_where_vectors_will_be(tmp_path):
    whole, found = collected(tmp_path)
    stands = stand_ins(whole)
    assert stands.keys() == found.features.keys()
    for key, one in stands.items():
        np.testing.assert_array_equal(one.present, found.features[key].present)
        assert one.vectors.shape == (len(one.present), 1)
        assert not one.vectors.any()


def test_stand_ins_of_a_video_that_was_cut_and_of_vectors_that_are_given(tmp_path):
    rows = [{"id": "v", "kind": "video", "path": "/v.mp4"}, {"id": "w", "kind": "video", "path": "/w.mp4"}]
    rows += [{"id": f"v{i}", "kind": "segment", "path": "/v.mp4", "parent": "v", "start_s": i, "end_s": i + 1} for i in (0, 1)]
    rows += [{"id": "ann", "kind": "user"}, {"id": "bob", "kind": "user"}]
    given = GivenFeatures("user", "text", tmp_path / "users.npy", ("bob",))
    made = Catalogue(items_frame(rows), links_frame([]), labels_frame([]), features=(given,))
    present = {key: one.present.tolist() for key, one in stand_ins(made).items()}
    assert present == {
        ("segment", "image"): [True, True],
        ("segment", "audio"): [True, True],
        ("video", "image"): [True, True],
        ("video", "audio"): [True, True],
        ("user", "text"): [False, True],
    }
    only = Catalogue(items_frame(rows[-2:]), links_frame([]), labels_frame([]), features=(given,))
    assert stand_ins(only) == {}, "nothing is encoded"
