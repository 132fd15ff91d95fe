"""The orientation is read from EXIF data of either byte order; what cannot be read is upright."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from airflow_mlplat.data.exif import TURNS, orientation, upright


def exif(value, order="<", tag=274, kind=3, before=0):
    """EXIF data with some other entries before the orientation's."""
    other = struct.pack(order + "HHIHH", 256, 3, 1, 9, 0) * before
    entry = struct.pack(order + "HHIHH", tag, kind, 1, value, 0)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, before + 1)
    return head + other + entry + bytes(4)


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_reads(value, order):
    assert orientation(exif(value, order, before=3)) == value
    assert orientation(b"Exif\0\0" + exif(value, order)) == value


@pytest.mark.parametrize("value", range(1, 9))
def test_reads_what_pillow_writes(value):
    data = Image.Exif()
    data[274], data[271] = value, "maker"
    assert orientation(data.tobytes()) == value


@pytest.mark.parametrize(
    "data", [b"", b"Exif\0\0", b"II*\0", exif(0), exif(9), exif(6, tag=275), exif(6, kind=4), exif(6)[:15]]
)
def test_else_upright(data):
    assert orientation(data) == 1


@given(st.binary(max_size=60), st.sampled_from([b"", b"II*\0", b"MM\0*", b"Exif\0\0II*\0\x08\0\0\0"]))
def test_any_bytes_have_an_orientation(data, head):
    assert 1 <= orientation(head + data) <= 8


def test_turns_make_upright():
    """TIFF 6.0: what the 0th row and the 0th column of the stored pixels are of the picture."""
    whole = np.arange(6, dtype=np.uint8).reshape(2, 3)
    stored = {
        2: whole[:, ::-1],  # top, right
        3: whole[::-1, ::-1],  # bottom, right
        4: whole[::-1],  # bottom, left
        5: whole.T,  # left, top
        6: whole[:, ::-1].T,  # right, top
        7: whole[::-1, ::-1].T,  # right, bottom
        8: whole[::-1].T,  # left, bottom
    }
    assert set(stored) == set(TURNS)
    for held, pixels in stored.items():
        turned = upright(pixels[..., None], held)
        assert np.array_equal(turned[..., 0], whole), held
        assert turned.flags.c_contiguous
    assert upright(whole, 1) is whole
