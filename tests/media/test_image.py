"""Stills of every mode come upright, opaque and RGB."""

import numpy as np
import pytest
from PIL import Image

from mmgraph.errors import MediaError
from mmgraph.media.clip import Frames, Source
from mmgraph.media.decode import decode
from mmgraph.settings import MediaSettings

SETTINGS = MediaSettings()


def shown(path, settings=SETTINGS) -> np.ndarray:
    clip = decode(Source("a", path), "image", settings)
    assert isinstance(clip, Frames)
    assert clip.times_s == (0.0,)
    assert clip.pixels.dtype == np.uint8
    return clip.pixels[0]


def test_a_plain_picture(made):
    pixels = shown(made / "red.png")
    assert pixels.shape == (20, 40, 3)
    assert (pixels == (200, 30, 30)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns(tmp_path, orientation):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 255  # bright corner above left, once upright
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # the transpose that undoes the turn
    stored = Image.fromarray(upright)
    stored = stored if undo is None else stored.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(shown(tmp_path / "a.png"), upright)


def test_see_through_is_white(tmp_path):
    pixels = np.zeros((1, 2, 4), np.uint8)
    pixels[0, 1] = (10, 20, 30, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert shown(tmp_path / "a.png").tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_a_palette_with_a_see_through_colour(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    assert shown(tmp_path / "a.png").tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_sixteen_bits_keep_their_scale(tmp_path):
    Image.fromarray(np.array([[0, 32896, 65535, 257]], np.uint16)).save(tmp_path / "a.png")
    assert shown(tmp_path / "a.png")[0, :, 0].tolist() == [0, 128, 255, 1]


@pytest.mark.parametrize(
    ("mode", "ending"), [("L", "png"), ("LA", "png"), ("1", "png"), ("CMYK", "jpg"), ("F", "tiff"), ("I", "tiff")]
)
def test_other_modes(tmp_path, mode, ending):
    Image.new(mode, (5, 3)).save(tmp_path / f"a.{ending}")
    assert shown(tmp_path / f"a.{ending}").shape == (3, 5, 3)


def test_of_an_animation_the_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert shown(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


def test_a_bomb_is_not_decoded(tmp_path, made):
    with pytest.raises(MediaError, match=r"40 x 20 pixels are more than media.max_pixels = 799; given: .*red.png"):
        shown(made / "red.png", MediaSettings(max_pixels=799))
    Image.new("1", (14_000, 14_000)).save(tmp_path / "bomb.png")
    with pytest.raises(MediaError, match=r"14000 x 14000 pixels are more than media.max_pixels = 100000000"):
        shown(tmp_path / "bomb.png")


def test_the_limit_is_ours_not_pillows(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    Image.new("RGB", (2000, 100)).save(tmp_path / "a.jpg")
    assert shown(tmp_path / "a.jpg").shape == (51, 1024, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_wrong_ending_does_not_matter(made, tmp_path):
    (tmp_path / "a.mp4").write_bytes((made / "red.png").read_bytes())
    assert shown(tmp_path / "a.mp4").shape == (20, 40, 3)
