"""Windows: what is cut out, inside and outside the image, and how they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.data.augment.draws import Draws
from airflow_mlplat.data.augment.windows import Window, centred, cut, draw_window

PLACE = st.integers(-60, 60)


def reflected(places, size):
    """The same as numpy's reflect padding, which cannot pad an axis of one by more than nothing in all versions."""
    period = max(1, 2 * (size - 1))
    places = places % period
    return np.where(places < size, places, period - places)


@given(st.data())
def test_cut(images, data):
    image = data.draw(images)
    before = image.copy()
    window = Window(data.draw(PLACE), data.draw(PLACE), data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60)))
    rows, columns = np.arange(window.height) + window.top, np.arange(window.width) + window.left
    height, width = image.shape[:2]
    mirrored = image[reflected(rows, height)][:, reflected(columns, width)]
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    assert np.array_equal(cut(image, window, "reflect"), mirrored)
    assert np.array_equal(cut(image, window, "zero"), np.where(inside[..., None], mirrored, 0))
    assert np.array_equal(image, before)


def test_cut_is_a_copy(picture):
    image = picture(8, 9, 3)
    whole = cut(image, Window(0, 0, 8, 9))
    whole[...] = 0
    assert image.any()
    assert cut(image, Window(2, 3, 4, 5)).flags.c_contiguous


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 10**6))
def test_a_drawn_window_lies_inside(rows, columns, row):
    window = draw_window(Draws(0, 0, row), rows, columns, (0.1, 0.9), (0.5, 2.0))
    if window is not None:
        assert 0 <= window.top <= window.top + window.height <= rows
        assert 0 <= window.left <= window.left + window.width <= columns
        assert window.height > 0 < window.width


def test_area_and_aspect_are_as_told():
    windows = [draw_window(Draws(0, 0, row), 1000, 1000, (0.1, 0.5), (0.5, 2.0)) for row in range(2000)]
    areas = np.array([w.height * w.width / 1e6 for w in windows])
    aspects = np.log2([w.width / w.height for w in windows])
    assert 0.099 < areas.min() < 0.105
    assert 0.49 < areas.max() < 0.505
    assert abs(areas.mean() - 0.3) < 4 * 0.4 / np.sqrt(12 * 2000)
    assert -1.01 < aspects.min() < -0.98
    assert 0.98 < aspects.max() < 1.01
    assert abs(aspects.mean()) < 4 * 2 / np.sqrt(12 * 2000)
    middles = np.mean([(w.top / (1000 - w.height), w.left / (1000 - w.width)) for w in windows], axis=0)
    assert middles == pytest.approx([0.5, 0.5], abs=4 / np.sqrt(12 * 2000))


def test_none_fits():
    assert draw_window(Draws(0, 0, 0), 10, 1000, (0.9, 1.0), (1.0, 1.0)) is None


def test_centred():
    assert centred(10, 9, 4, 5) == (3, 2, 4, 5)
    assert centred(4, 4, 10, 4) == (-3, 0, 10, 4)
