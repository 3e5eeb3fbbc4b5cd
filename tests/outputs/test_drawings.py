"""Small pictures and the geometry of charts."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmgraph.outputs.charts import gap, line_charts, matrix, nice_ticks
from mmgraph.outputs.examples import evenly
from mmgraph.outputs.pictures import SHEET_PX, TALL_PX, sheet, spectrogram, waveform


def picture(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 90, 160), (4, 90, 160), (3, 160, 90), (5, 2, 900), (1, 900, 2), (16, 64, 64)]
)
def test_sheets_stay_small(shape):
    pixels = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    before = pixels.copy()
    found = picture(sheet(pixels))
    assert found.width <= SHEET_PX
    assert found.height <= TALL_PX + 40
    np.testing.assert_array_equal(pixels, before)


def test_frames_read_from_left_to_right_then_down():
    pixels = np.zeros((4, 60, 80, 3), np.uint8)
    pixels[:] = np.array([0, 80, 160, 240], np.uint8)[:, None, None, None]
    found = np.asarray(picture(sheet(pixels)))[..., 0]
    height, width = found.shape
    seen = [found[y, x] for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    np.testing.assert_allclose(seen, [0, 80, 160, 240], atol=6)


@pytest.mark.parametrize("samples", [1, 2, 159, 1000, 50_000])
@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_sound_of_any_length_and_silence(samples, scale):
    sound = (scale * np.random.default_rng(0).normal(size=(2, samples))).astype(np.float32)
    drawn = waveform(sound)
    assert drawn.startswith("M")
    assert "nan" not in drawn
    assert picture(spectrogram(sound, 8000)).width == SHEET_PX


def test_a_higher_tone_is_drawn_higher():
    def loudest_row(hertz):
        tone = np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000).astype(np.float32)[None]
        return int(np.asarray(picture(spectrogram(tone, 16_000)).convert("L"), dtype=float).mean(axis=1).argmax())

    assert loudest_row(200) > loudest_row(1000) > loudest_row(6000)


def test_curves_that_differ_only_in_split_share_a_chart():
    names = ("train/loss", "valid/loss", "train_acc", "rate")
    found = line_charts([(e, n, 1.0 / (e + 1)) for e in range(1000) for n in names] + [(0, "bad", float("nan"))])
    assert [(chart.title, len(chart.lines)) for chart in found] == [("loss", 2), ("train_acc", 1), ("rate", 1)]
    assert len(found[0].lines[0].points.split()) <= 400
    assert found[0].lines[0].last == pytest.approx(0.001)
    assert line_charts([]) == []
    assert len(line_charts([(3, "loss", 2.0)])[0].lines[0].points.split()) == 1


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_surround_the_values(low, span):
    ticks = nice_ticks(low, low + span)
    assert len(ticks) <= 6 or low + span == low
    assert ticks == sorted(ticks)
    step = abs(ticks[-1] - ticks[0]) / max(len(ticks) - 1, 1)
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= low + span - 1e-6 * step


def test_a_gap_without_interval_and_of_nothing():
    assert gap(0.1, None, None) is None
    flat = gap(0.0, 0.0, 0.0)
    assert flat is not None
    assert (flat.low, flat.value, flat.high) == (50, 50, 50)
    wide = gap(0.1, -0.1, 0.3)
    assert wide is not None
    assert 0 < wide.low < 50 < wide.value < wide.high < 100


def test_confusion_shares():
    found = matrix({"target": "a.b", "method": "m", "classes": ["x", "y"], "counts": [[3, 1], [0, 0]]})
    assert found.cells == (((3, 0.75), (1, 0.25)), ((0, 0.0), (0, 0.0)))
    assert (found.right, found.total, found.worst) == (0.75, 4, (("x", "y", 1),))


@given(st.lists(st.integers(), max_size=40), st.integers(0, 20))
def test_evenly_keeps_order_and_ends(things, count):
    found = evenly(things, count)
    assert len(found) == min(len(things), count)
    if found:
        assert found[0] == things[0]
        assert count == 1 or found[-1] == things[-1]
