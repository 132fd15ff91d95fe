"""The compiled linear resize gives OpenCV's pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_mlplat.compiled.linear import resized_linear
from airflow_mlplat.data.fit import fitted
from tests.compiled.walls import noise

sides = st.one_of(st.integers(1, 12), st.integers(1, 400))


pytestmark = pytest.mark.usefixtures("compiled")


def by_opencv(image, rows, columns):
    return cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)


@given(st.tuples(sides, sides), st.tuples(sides, sides), st.integers(0, 9))
@example((256, 311), (224, 224), 0)
@example((448, 448), (224, 224), 0)  # the mean of four
@example((448, 300), (224, 224), 0)
@example((1, 2), (5, 7), 0)
@example((4000, 2), (3, 2), 0)
@example((3, 5000), (2, 3), 0)
@example((2, 2), (2, 3001), 0)
def test_opencv_gives_the_same(size, target, seed):
    image, found = noise(*size, 3, seed=seed), np.empty((*target, 3), np.uint8)
    left = size[1] < 2 or size == (2 * target[0], 2 * target[1])
    assert resized_linear(image, found) is not left
    assert left or np.array_equal(found, by_opencv(image, *target))
    assert np.array_equal(fitted(image, (*target, 3), "linear"), by_opencv(image, *target))


@pytest.mark.parametrize("value", [0, 1, 254, 255])
def test_extremes_stay(value):
    image, found = np.full((37, 53, 3), value, np.uint8), np.empty((41, 29, 3), np.uint8)
    assert resized_linear(image, found)
    assert (found == value).all()


def test_read_only_images():
    image, found = noise(16, 16, 3), np.empty((7, 9, 3), np.uint8)
    image.flags.writeable = False
    assert resized_linear(image, found)
    assert np.array_equal(found, by_opencv(image, 7, 9))


@pytest.mark.parametrize("part", [np.s_[:, ::2], np.s_[::-1], np.s_[:, 1:]])
def test_images_with_gaps_are_left_to_opencv(part):
    image = noise(20, 30, 3)[part]
    assert not resized_linear(image, np.empty((7, 9, 3), np.uint8))
    assert not resized_linear(np.ascontiguousarray(image), np.empty((7, 18, 3), np.uint8)[:, ::2])
    assert np.array_equal(fitted(image, (7, 9, 3), "linear"), by_opencv(np.ascontiguousarray(image), 7, 9))


def test_grey_is_left_to_opencv():
    assert not resized_linear(noise(20, 30, 1), np.empty((7, 9, 1), np.uint8))
