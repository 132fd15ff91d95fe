"""Blur, noise and erasing: how much, where, and on average."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.data.augment.draws import Draws
from airflow_mlplat.data.augment.noise import blur, erase, noise, noise_table

ANY = {"area": (0.02, 0.4), "aspect": (0.3, 1 / 0.3)}


def test_blur_of_an_edge():
    """Its slope becomes the bell curve, cut off at three deviations."""
    image = np.zeros((9, 40, 1), np.uint8)
    image[:, 20:] = 255
    result = blur(image, Draws(0, 0, 0), sigma=(2.0, 2.0))[..., 0].astype(float)
    assert (result == result[0]).all()
    slope, x = np.diff(result[0]) / 255, np.arange(39) - 19
    assert slope[19] == pytest.approx(1 / np.sqrt(2 * np.pi * 4), abs=0.01)
    assert (slope * x).sum() == pytest.approx(0, abs=0.02)
    assert (slope * x * x).sum() == pytest.approx(4, rel=0.06)


def test_blur_between():
    image = np.zeros((21, 21, 3), np.uint8)
    image[10, 10] = 255
    peaks = [int(blur(image, Draws(0, 0, row), sigma=(0.1, 2.0))[10, 10, 0]) for row in range(100)]
    assert max(peaks) == 255
    assert min(peaks) < 15
    assert (blur(np.full((5, 5, 3), 77, np.uint8), Draws(0, 0, 0), sigma=(1, 1)) == 77).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_noise(channels):
    image = np.full((100, 100, channels), 128, np.uint8)
    added = noise(image, Draws(0, 0, 0), sigma=(10, 10)).astype(int) - 128
    assert abs(added.mean()) < 4 * 10 / np.sqrt(added.size)
    assert added.std() == pytest.approx(10, rel=0.03)
    assert (np.abs(added) <= 29).all()
    assert (np.abs(added) > 25).any()
    assert not np.array_equal(added[:, :50], added[:, 50:])


def test_noise_stays_within_bytes():
    dark = noise(np.zeros((50, 50, 3), np.uint8), Draws(0, 0, 0), sigma=(50, 50))
    light = noise(np.full((50, 50, 3), 255, np.uint8), Draws(0, 0, 0), sigma=(50, 50))
    assert 0.4 < (dark == 0).mean() < 0.6
    assert dark.max() < 150
    assert 0.4 < (light == 255).mean() < 0.6


def test_no_noise(picture):
    image = picture(9, 8, 3)
    assert np.array_equal(noise(image, Draws(0, 0, 0), sigma=(0, 0)), image)


@pytest.mark.parametrize("sigma", [3.0, 20.0, 255.0])
def test_noise_table(sigma):
    table = noise_table(sigma)
    assert table.dtype == np.int16
    assert (np.diff(table.astype(int)) >= 0).all()
    assert np.abs(table + table[::-1].astype(int)).max() <= 1
    assert table.astype(float).std() == pytest.approx(sigma, rel=0.02)


def test_erase(picture):
    image = picture(50, 60, 3)
    areas = []
    for row in range(300):
        result = erase(image, Draws(0, 0, row), **ANY)
        changed = (result != image).any(2)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        box = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
        assert changed.sum() > 0.98 * box  # a rectangle, of which few pixels may happen to stay
        areas.append(box / 3000)
    assert 0.015 < min(areas) < 0.05
    assert 0.37 < max(areas) < 0.42
    assert abs(np.mean(areas) - 0.21) < 4 * 0.38 / np.sqrt(12 * 300)


def test_erase_fills():
    image = np.full((40, 40, 1), 200, np.uint8)
    black = erase(image, Draws(0, 0, 1), **ANY, fill="zero")
    noisy = erase(image, Draws(0, 0, 1), **ANY)
    assert set(black.ravel().tolist()) == {0, 200}
    assert np.array_equal(noisy != 200, black == 0) or (noisy[black == 200] == 200).all()
    assert noisy[black == 0].astype(float).std() > 50
    assert (image == 200).all()


def test_erase_where_nothing_fits():
    image = np.full((1, 1, 3), 9, np.uint8)
    assert np.array_equal(erase(image, Draws(0, 0, 0), area=(0.01, 0.02), aspect=(1, 1)), image)
