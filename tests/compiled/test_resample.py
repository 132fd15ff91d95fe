"""The compiled antialiased resize gives Pillow's pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from airflow_mlplat.compiled.resample import BITS, FILTERS, LONGEST, places, resampled
from airflow_mlplat.data.fit import FILTERS as PILLOWS
from tests.compiled.walls import noise

sides = st.one_of(st.integers(1, 12), st.integers(1, 400))


pytestmark = pytest.mark.usefixtures("compiled")


def by_pillow(image, rows, columns, resize):
    """Across, then down."""
    made = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    for size in ((columns, made.height), (columns, rows)):
        made = made if made.size == size else made.resize(size, PILLOWS[resize])
    return np.asarray(made).reshape(rows, columns, image.shape[2])


@given(
    st.tuples(sides, sides), st.tuples(sides, sides), st.sampled_from([1, 3]), st.sampled_from(list(FILTERS)),
    st.integers(0, 9),
)  # fmt: skip
@example((256, 311), (224, 224), 3, "bilinear", 0)
@example((32, 32), (32, 32), 3, "bicubic", 0)
@example((1, 1), (5, 7), 3, "bicubic", 0)
@example((4000, 2), (3, 2), 1, "box", 0)
@example((3, 5000), (2, 3), 3, "bicubic", 0)
@example((49, 49), (2, 2), 3, "box", 0)  # a place before the first is less than half a pixel away, by rounding
@example((784, 98), (32, 4), 1, "box", 0)
@example((2, 2), (2, 3001), 3, "bilinear", 0)
def test_pillow_gives_the_same(size, target, channels, resize, seed):
    image, found = noise(*size, channels, seed=seed), np.empty((*target, channels), np.uint8)
    assert resampled(image, found, resize)
    assert np.array_equal(found, by_pillow(image, *target, resize))


@pytest.mark.parametrize("resize", FILTERS)
def test_edges_beyond_black_and_white_are_cut(resize):
    """Cubic weights are below 0 in parts."""
    image, found = noise(9, 9, 3) // 128 * 255, np.empty((31, 33, 3), np.uint8)
    assert resampled(image, found, resize)
    assert np.array_equal(found, by_pillow(image, 31, 33, resize))


def test_read_only_images():
    image, found = noise(16, 16, 3), np.empty((7, 9, 3), np.uint8)
    image.flags.writeable = False
    assert resampled(image, found, "bilinear")
    assert np.array_equal(found, by_pillow(image, 7, 9, "bilinear"))


def test_what_is_left_to_pillow():
    image, found = noise(20, 30, 3), np.empty((7, 9, 3), np.uint8)
    for resize in ("nearest", "lanczos"):
        assert not resampled(image, found, resize)
    assert not resampled(image[:, ::2], found, "box")
    assert not resampled(image, np.empty((7, 18, 3), np.uint8)[:, ::2], "box")
    assert not resampled(noise(1, LONGEST + 1, 1), np.empty((7, 9, 1), np.uint8), "box")
    assert not resampled(noise(20, 30, 2), np.empty((7, 9, 2), np.uint8), "box")


@pytest.mark.parametrize("resize", FILTERS)
@pytest.mark.parametrize(("source", "target"), [(1, 1), (5, 3), (3, 5), (311, 224), (10_000, 7)])
def test_places_lie_within_and_weigh_one(resize, source, target):
    first, weights = places(source, target, resize)
    assert (np.diff(first) >= 0).all() and first[0] >= 0 and first[-1] + weights.shape[1] <= source
    assert np.abs(weights.sum(axis=1) - (1 << BITS)).max() <= weights.shape[1]
