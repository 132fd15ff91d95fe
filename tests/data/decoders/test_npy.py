"""Arrays of every version and order of the format are read."""

from __future__ import annotations

import ast
import io

import numpy as np
import pytest

from airflow_mlplat.data.decoders import npy
from airflow_mlplat.errors import DataError

IMAGE = np.random.RandomState(0).randint(0, 256, (7, 5, 3)).astype(np.uint8)


def file(array, version=(1, 0)):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version)
    return buffer.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("image", [IMAGE, np.asfortranarray(IMAGE), IMAGE[..., :1], IMAGE[..., 0]], ids="CF1G")
def test_reads(image, version):
    found = npy.read(file(image, version), 3)
    expected = image if image.ndim == 3 else image[..., None]
    assert np.array_equal(found, np.repeat(expected, 3 // expected.shape[2], axis=2))
    assert found.flags.c_contiguous
    assert npy.read(file(image, version) + b"behind", 3).shape == (7, 5, 3)


def test_without_pythons_parser(monkeypatch):
    """Which fails now and then in threads: see `npy_header`."""
    monkeypatch.setattr(ast, "literal_eval", lambda text: pytest.fail("asked"))
    npy._header.cache_clear()
    assert np.array_equal(npy.read(file(IMAGE), 3), IMAGE)


def test_a_header_that_is_written_otherwise():
    text = b"{'shape':(7,5,3),'fortran_order':False,'descr':'|u1'}\n"
    media = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + IMAGE.tobytes()
    assert np.array_equal(npy.read(media, 3), IMAGE)


def test_no_copy_of_an_image_of_the_right_channels():
    media = file(IMAGE)
    assert np.shares_memory(npy.read(media, 3), np.frombuffer(media, np.uint8))


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_refuses(version):
    with pytest.raises(DataError, match=r"array is no image; expected uint8 .*; got float64 \(2, 2\)"):
        npy.read(file(np.zeros((2, 2)), version), 3)
    with pytest.raises(DataError, match=r"wrong number of channels; expected 1 or 3; got 4"):
        npy.read(file(np.zeros((2, 2, 4), np.uint8), version), 3)
    with pytest.raises(ValueError, match=r".+"):
        npy.read(file(IMAGE, version)[:-1], 3)


def test_other_media():
    assert npy.read(b"\xff\xd8\xff", 3) is None
