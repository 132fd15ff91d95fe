"""What simplejpeg reads, and what it leaves to Pillow."""

from __future__ import annotations

import struct

import numpy as np
import PIL
import pytest
import simplejpeg

from airflow_mlplat.data.decode import read_image
from airflow_mlplat.data.decoders import jpeg, pillow
from airflow_mlplat.errors import DataError
from tests.data.decoders.files import JPEGS, PNGS, SMOOTH, held


def test_it_reads_all_but_inks():
    """Else the comparison with Pillow compares Pillow with itself."""
    left = {"inks", "inks in a JFIF"}
    left |= {"RGB"} if int(PIL.__version__.split(".")[0]) >= 10 else set()  # older ones cannot write it
    assert {name for name, media in JPEGS.items() if jpeg.read(media, 3) is None} == left


def test_what_is_damaged_or_no_jpeg_is_left_to_others():
    assert jpeg.read(PNGS["grey"], 1) is None
    assert jpeg.read(JPEGS["4:2:0"][:-2], 3) is None
    assert jpeg.read_fast(JPEGS["4:2:0"][:-2], 3) is None


def test_a_bomb_is_not_unpacked():
    media = bytearray(JPEGS["grey"])
    at = media.index(b"\xff\xc0") + 5
    media[at : at + 4] = struct.pack(">HH", 60_000, 60_000)
    with pytest.raises(DataError, match="image is too large; expected at most 100000000 pixels; got 60000 x 60000"):
        jpeg.read(bytes(media), 3)


def test_an_exif_behind_other_segments():
    """What only looks like EXIF data, in a comment or behind the scan, does not count."""
    plain = JPEGS["4:2:0"]
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(held(6))) + held(6)
    for media in (plain[:2] + comment + plain[2:], plain + held(6)):
        assert read_image(media, 3).shape == SMOOTH.shape
        assert np.array_equal(read_image(media, 3), pillow.read(media, 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_larger_than_the_threads_memory(channels):
    media = simplejpeg.encode_jpeg(np.random.RandomState(0).randint(0, 256, (900, 1300, 3)).astype(np.uint8))
    for _ in range(2):
        assert np.array_equal(jpeg.read(media, channels), pillow.read(media, channels))
