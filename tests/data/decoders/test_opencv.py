"""What OpenCV reads, and what it leaves to others."""

from __future__ import annotations

import zlib

import pytest

from airflow_mlplat.data.decoders import opencv
from airflow_mlplat.errors import DataError
from tests.data.decoders.files import JPEGS, PNGS, with_chunk


def test_jpegs():
    assert {name for name, media in JPEGS.items() if opencv.read(media, 3) is None} == {"inks", "inks in a JFIF"}
    assert opencv.read(JPEGS["4:2:0"], 1) is None  # its luma is another


def test_ordinary_pngs():
    ordinary = {"colours", "grey", "a transparent colour", "a transparent grey", "gamma", "background", "text"}
    assert {name for name, media in PNGS.items() if opencv.read_png(media, 3) is not None} == ordinary
    assert opencv.read_png(PNGS["grey"], 1) is not None
    assert opencv.read_png(PNGS["colours"], 1) is None
    assert opencv.read(PNGS["grey"], 1) is not None
    assert opencv.read_png(PNGS["grey"][:20], 1) is None


def test_what_pillow_refuses_is_not_read():
    """Whether a sample decodes must not depend on what is installed."""
    packed = b"a\0\0" + zlib.compress(bytes(2 << 20))
    for chunk, data in ((b"zTXt", packed), (b"iCCP", packed), (b"pHYs", b"ab"), (b"tRNS", b"ab")):
        media = with_chunk(PNGS["colours"], chunk, data)
        assert opencv.read_png(media, 3) is None
        assert opencv.read(media, 3) is None


def test_a_bomb_is_not_unpacked():
    media = bytearray(JPEGS["grey"])
    at = media.index(b"\xff\xc0") + 5
    media[at : at + 4] = (60_000).to_bytes(2, "big") * 2
    with pytest.raises(DataError, match="image is too large; expected at most 100000000 pixels; got 60000 x 60000"):
        opencv.read(bytes(media), 3)
