"""Where pixels go."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.data.augment.draws import Draws
from airflow_mlplat.data.augment.geometry import (
    LARGEST_SIDE,
    crop,
    flip,
    pad_and_crop,
    resized_crop,
    rotate,
    translate,
    turned,
)  # fmt: skip

CHANNELS = pytest.mark.parametrize("channels", [1, 3])


def moved(image, down, right):
    """By whole pixels, black where nothing came from."""
    result, (rows, columns) = np.zeros_like(image), image.shape[:2]
    for y in range(rows):
        for x in range(columns):
            if 0 <= y + down < rows and 0 <= x + right < columns:
                result[y, x] = image[y + down, x + right]
    return result


@CHANNELS
def test_flip(picture, channels):
    image = picture(5, 7, channels)
    assert np.array_equal(flip(image, Draws(0, 0, 0)), image[:, ::-1])
    assert np.array_equal(flip(image, Draws(0, 0, 0), axis="vertical"), image[::-1])


@CHANNELS
def test_crop(picture, channels):
    image = picture(6, 9, channels)
    windows = {image[y : y + 4, x : x + 5].tobytes(): (y, x) for y in range(3) for x in range(5)}
    found = {windows[crop(image, Draws(0, 0, row), height=4, width=5).tobytes()] for row in range(300)}
    assert found == set(windows.values())


def test_crop_of_a_smaller_image(picture):
    image = picture(3, 12, 3)
    result = crop(image, Draws(0, 0, 0), height=6, width=5)
    assert not result[[0, 1, 5]].any()
    assert any(np.array_equal(result[2:5], image[:, x : x + 5]) for x in range(8))


@CHANNELS
def test_pad_and_crop(picture, channels):
    image = picture(8, 9, channels)
    places = {moved(image, y, x).tobytes(): (y, x) for y in range(-2, 3) for x in range(-2, 3)}
    found = {places[pad_and_crop(image, Draws(0, 0, row), padding=2).tobytes()] for row in range(300)}
    assert found == set(places.values())
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect")
    windows = {padded[y : y + 8, x : x + 9].tobytes() for y in range(5) for x in range(5)}
    assert {pad_and_crop(image, Draws(0, 0, row), padding=2, fill="reflect").tobytes() for row in range(300)} == windows


def test_translate(picture):
    image = picture(8, 20, 3)  # 0.15 of 8 is one pixel, of 20 three
    places = {moved(image, y, x).tobytes(): (y, x) for y in range(-1, 2) for x in range(-3, 4)}
    found = {places[translate(image, Draws(0, 0, row), share=0.15).tobytes()] for row in range(300)}
    assert found == set(places.values())
    assert np.array_equal(translate(image, Draws(0, 0, 0), share=0.01), image)


def test_resized_crop_keeps_what_it_shows(picture):
    """A picture that slopes evenly still does, less and less steeply the smaller the window."""
    y, x = np.mgrid[:200, :240]
    image = np.stack([y, x, np.full_like(x, 9)], -1).astype(np.uint8)
    slopes = []
    for row in range(50):
        result = resized_crop(image, Draws(0, 0, row), height=40, width=40, area=(0.1, 0.6), aspect=(0.75, 4 / 3))
        assert (result[..., 2] == 9).all()
        down = np.diff(result[:, 20, 0].astype(int))
        slopes.append(down.mean())
        assert down.max() - down.min() <= 2
    assert min(slopes) < 2
    assert max(slopes) > 3


def test_resized_crop_of_everything(picture):
    image = picture(30, 40, 3)
    same = resized_crop(image, Draws(0, 0, 0), height=30, width=40, area=(1, 1), aspect=(4 / 3, 4 / 3))
    assert np.array_equal(same, image)
    assert not np.shares_memory(same, image)


def test_resized_crop_means_what_it_halves():
    """Fine stripes become grey, not coarse stripes."""
    image = np.zeros((160, 160, 1), np.uint8)
    image[:, ::2] = 255
    result = resized_crop(image, Draws(0, 0, 0), height=20, width=20, area=(1, 1), aspect=(1, 1))
    assert set(result.ravel().tolist()) == {128}


@pytest.mark.parametrize(("columns", "rows"), [(1000, 10), (10, 1000), (1, 1)])
def test_resized_crop_where_nothing_fits(columns, rows):
    """The middle, as large as the aspect lets it be."""
    y, x = np.mgrid[:rows, :columns]
    image = ((x - columns // 2 + y - rows // 2) + 128).astype(np.uint8)[..., None]
    result = resized_crop(image, Draws(0, 0, 0), height=4, width=4, area=(1, 1), aspect=(1, 1))
    assert np.abs(result.astype(int) - 128).max() <= 10


@CHANNELS
def test_rotate_by_right_angles(picture, channels):
    for image in (picture(9, 9, channels), picture(8, 8, channels)):
        assert np.array_equal(turned(image, 0, "zero"), image)
        assert np.array_equal(turned(image, 90, "zero"), np.rot90(image))
        assert np.array_equal(turned(image, 180, "zero"), image[::-1, ::-1])
        assert np.array_equal(turned(image, -90, "zero"), np.rot90(image, -1))
    wide = turned(picture(4, 8, channels), 90, "zero")
    assert np.array_equal(wide[:, 2:6], np.rot90(picture(4, 8, channels)[:, 2:6]))
    assert not wide[:, :2].any()


def test_rotate_there_and_back():
    y, x = np.mgrid[:101, :101]
    image = (128 + 60 * np.sin(x / 9) * np.cos(y / 11)).astype(np.uint8)[..., None]
    back = turned(turned(image, 33, "reflect"), -33, "reflect")
    middle = slice(25, 76)
    assert np.abs(back.astype(int) - image)[middle, middle].max() <= 4


def test_rotate_fills():
    image = np.full((50, 50, 3), 200, np.uint8)
    assert (turned(image, 30, "reflect") == 200).all()
    corner = turned(image, 30, "zero")[0, 0]
    assert corner.tolist() == [0, 0, 0]


def test_rotate_both_ways(picture):
    image = picture(16, 16, 1)
    found = [rotate(image, Draws(0, 0, row), degrees=20) for row in range(50)]
    expected = [turned(image, Draws(0, 0, row).uniform(-20, 20), "zero") for row in range(50)]
    assert np.array_equal(found, expected)
    assert len({image.tobytes() for image in found}) > 40


@pytest.mark.parametrize("shape", [(LARGEST_SIDE, 3, 1), (3, LARGEST_SIDE, 1)])
def test_rotate_the_largest(shape):
    image = np.full(shape, 7, np.uint8)
    assert (turned(image, 45, "reflect") == 7).all()
    assert (turned(image, 180, "zero") == 7).all()
