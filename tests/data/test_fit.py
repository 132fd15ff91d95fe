"""An image fitted into a shape: stretched, cut or padded."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.data.fit import FILTERS, FITS, OPENCV_FILTERS, check_target, fitted
from airflow_mlplat.errors import SpecError

sides = st.integers(1, 40)


@given(
    st.tuples(sides, sides), st.tuples(sides, sides), st.sampled_from([1, 3]), st.sampled_from(list(FITS)),
    st.sampled_from([*FILTERS, *OPENCV_FILTERS]),
)  # fmt: skip
def test_any_size_into_any_shape(size, target, channels, fit, resize):
    image, (rows, columns) = np.full((*size, channels), 77, np.uint8), target
    found = fitted(image, (rows, columns, channels), resize, fit)
    assert (found.shape, found.dtype, found.flags.c_contiguous) == ((rows, columns, channels), np.uint8, True)
    inside = found[found > 0]
    assert (inside == 77).all()
    assert inside.size == found.size if fit != "pad" else inside.size >= min(rows, columns)


def test_crop_takes_the_middle():
    image = np.arange(12, dtype=np.uint8).reshape(2, 6, 1)
    assert fitted(image, (2, 2, 1), fit="crop")[..., 0].tolist() == [[2, 3], [8, 9]]
    tall = np.arange(10, dtype=np.uint8).reshape(10, 1, 1).repeat(2, axis=1)
    assert fitted(tall, (1, 1, 1), "nearest", "crop").item() in (4, 5)


def test_pad_puts_black_around():
    image = np.full((2, 4, 1), 9, np.uint8)
    assert fitted(image, (4, 4, 1), fit="pad")[..., 0].tolist() == [[0] * 4, [9] * 4, [9] * 4, [0] * 4]
    assert fitted(image, (2, 6, 1), fit="pad")[..., 0].tolist() == [[0, 9, 9, 9, 9, 0]] * 2


def test_writes_into_out():
    out = np.zeros((2, 5, 5, 3), np.uint8)
    image = np.random.RandomState(0).randint(0, 256, (9, 7, 3)).astype(np.uint8)
    for resize in [*FILTERS, *OPENCV_FILTERS]:
        assert np.shares_memory(fitted(image, (5, 5, 3), resize, out=out[1]), out)
        assert np.array_equal(out[1], fitted(image, (5, 5, 3), resize))
    assert (out[0] == 0).all()


GOLDEN = {"linear": "cf461542519d9fdc", "area": "9fcfb0de785186c5"}


@pytest.mark.parametrize("resize", GOLDEN)
def test_opencv_is_golden(resize):
    """The same bytes on every Python and numpy: OpenCV's version is pinned."""
    noise = np.random.RandomState(0).randint(0, 256, (100, 77, 3)).astype(np.uint8)
    found = [fitted(noise, (h, w, 3), resize) for h, w in ((33, 91), (224, 224), (28, 28), (50, 38))]
    found.append(fitted(np.ascontiguousarray(noise[..., :1]), (28, 28, 1), resize))
    assert hashlib.sha256(b"".join(image.tobytes() for image in found)).hexdigest()[:16] == GOLDEN[resize]


@pytest.mark.parametrize(
    ("shape", "resize", "fit", "message"),
    [
        ((4, 4, 2), "linear", "crop", r"shape is no image's; expected \(height, width, 1 or 3\); got \(4, 4, 2\)"),
        ((4, 4), "linear", "crop", r"shape is no image's"),
        ((4, 0, 3), "linear", "crop", r"shape is no image's"),
        ((4, 4, 3), "sinc", "crop", r"resize names no filter; expected nearest \| .* \| area; got 'sinc'"),
        ((4, 4, 3), "linear", "zoom", r"fit names no way .*; expected stretch \| crop \| pad; got 'zoom'"),
    ],
)
def test_refuses(shape, resize, fit, message):
    with pytest.raises(SpecError, match=message):
        check_target(shape, resize, fit)
