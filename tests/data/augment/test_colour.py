"""Colours change as told, greys stay grey, and no sum is one that machines round differently."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.data.augment.colour import colour, colour_map
from airflow_mlplat.data.augment.draws import Draws

FACTOR = st.floats(0, 2)


def applied(image, **factors):
    """By the book, in whole numbers: multiples of 1/1024, rounded."""
    rows = np.round(colour_map(image.shape[2], **factors).astype(float) * 1024).astype(int)
    values = np.concatenate([image.astype(int), np.ones((*image.shape[:2], 1), int)], 2) @ rows.T
    return np.clip((values + 512) >> 10, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_to_do(picture, channels):
    image = picture(20, 30, channels)
    assert np.array_equal(colour(image, Draws(0, 0, 0)), image)


@given(brightness=FACTOR, contrast=FACTOR, saturation=FACTOR, hue=st.floats(-180, 180))
def test_the_map(brightness, contrast, saturation, hue):
    """Exact in 32-bit floats, never a tie, and grey stays grey."""
    for channels in (1, 3):
        rows = colour_map(channels, brightness, contrast, saturation, hue)
        exact = np.round(rows.astype(float) * 1024)
        assert np.array_equal(exact / 1024, rows)
        assert (exact[:, :-1] % 2 == 0).all()
        assert (exact[:, -1] % 2 == 1).all()
        assert np.abs(rows).max() < 32 * 1024
        assert (np.abs(exact[:, :-1]).sum(1) * 255 + np.abs(exact[:, -1])).max() < 2**24
        assert len(set(exact[:, :-1].sum(1))) == 1


@given(st.integers(0, 10**6), st.sampled_from([1, 3]))
def test_is_its_map(picture, row, channels):
    """OpenCV's vectors and what is left over at a row's end give the same."""
    image = picture(17, 43, channels)
    draws = Draws(0, 0, row)
    factors = {
        "brightness": draws.uniform(0.5, 1.5), "contrast": draws.uniform(0.5, 1.5),
        "saturation": draws.uniform(0.0, 2.0), "hue": draws.uniform(-90, 90),
    }  # fmt: skip
    how = {"brightness": 0.5, "contrast": 0.5, "saturation": 1.0, "hue": 90.0}
    assert np.array_equal(colour(image, Draws(0, 0, row), **how), applied(image, **factors))


def test_brightness_and_contrast():
    image = np.array([[[0], [100], [128], [200], [255]]], np.uint8)
    assert applied(image, brightness=0.5, contrast=1, saturation=1, hue=0).ravel().tolist() == [0, 50, 64, 100, 128]
    assert applied(image, brightness=1, contrast=0.5, saturation=1, hue=0).ravel().tolist() == [64, 114, 128, 164, 192]
    assert applied(image, brightness=2, contrast=1, saturation=1, hue=0).ravel().tolist() == [0, 200, 255, 255, 255]


def test_saturation_and_hue():
    image = np.array([[[200, 60, 60]]], np.uint8)
    grey = applied(image, brightness=1, contrast=1, saturation=0, hue=0).ravel()
    assert grey.tolist() == [90] * 3  # 0.213 · 200 + 0.787 · 60
    for hue, expected in ((120, 1 / 3), (-120, 2 / 3), (60, 1 / 6)):
        turned = applied(image, brightness=1, contrast=1, saturation=1, hue=hue).ravel()
        assert colorsys.rgb_to_hsv(*(turned / 255))[0] == pytest.approx(expected, abs=0.07)


def test_strength_is_drawn():
    image = np.full((2, 2, 1), 100, np.uint8)
    found = [int(colour(image, Draws(0, 0, row), brightness=0.4)[0, 0, 0]) for row in range(500)]
    assert 60 <= min(found) < 64
    assert 136 < max(found) <= 140
    assert abs(np.mean(found) - 100) < 4 * 80 / np.sqrt(12 * 500)
