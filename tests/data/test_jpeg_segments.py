"""What the segments of a JPEG tell."""

from __future__ import annotations

import struct

import pytest

from airflow_mlplat.data.jpeg_segments import END, frame, head, segments
from tests.data.decoders.files import JPEGS, NOISE, SMOOTH, held


@pytest.mark.parametrize(("name", "colours"), [("4:2:0", 3), ("grey", 1), ("inks", 4), ("progressive", 3), ("RGB", 3)])
def test_colours(name, colours):
    assert head(JPEGS[name]) == (colours, b"")
    assert frame(JPEGS[name])[2] == colours


def test_exif():
    colours, exif = head(JPEGS["held 6"])
    assert (colours, exif.startswith(b"Exif\0\0")) == (3, True)
    more = b"\xff\xe1" + struct.pack(">H", 2 + 6 + 3) + b"Exif\0\0abc"
    media = JPEGS["held 6"]
    assert head(media[:2] + more + media[2:]) == (3, b"Exif\0\0abc" + exif[6:])  # of all segments, as one


def test_size():
    assert frame(JPEGS["4:2:0"])[:2] == SMOOTH.shape[:2]
    assert frame(JPEGS["4:4:4"])[:2] == NOISE.shape[:2]
    assert frame(b"\xff\xd8\xff\xd9") == (0, 0, 0)


def test_segments_up_to_the_end():
    found = [marker for marker, _, _ in segments(JPEGS["4:2:0"])]
    assert (found[0], found[-1]) == (0xD8, END)


@pytest.mark.parametrize("size", range(2, 30))
def test_a_part_has_what_it_has(size):
    colours, exif = head(JPEGS["4:2:0"][:size])
    assert (colours, exif) == (0, b"")
    assert head(JPEGS["held 6"][:size] + held(3))[0] == 0
