"""Files that were cut off anywhere, and PNGs with any byte changed, are refused."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from PIL import Image

from airflow_mlplat.data.complete import check_complete
from airflow_mlplat.errors import DataError


def encoded(kind, **how):
    noise = np.random.RandomState(0).randint(0, 256, (12, 20, 3)).astype(np.uint8)
    image = Image.fromarray(noise).convert("P" if kind == "GIF" else "RGB")
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


FILES = {
    "png": (encoded("PNG"), "PNG is cut off; expected an IEND chunk; got 40 bytes without one"),
    "jpeg": (encoded("JPEG"), "JPEG is cut off; expected an EOI marker; got 40 bytes without one"),
    "progressive": (encoded("JPEG", progressive=True), "JPEG is cut off"),
    "gif": (encoded("GIF"), "GIF is cut off; expected a trailer; got 40 bytes without one"),
}


@pytest.mark.parametrize("name", FILES)
def test_whole_files_pass_with_anything_behind_them(name):
    media, _ = FILES[name]
    assert check_complete(media) is None
    assert check_complete(media + b"\0\0\0") is None
    assert check_complete(media + b"\n") is None


@pytest.mark.parametrize("name", FILES)
def test_every_part_is_refused(name):
    media, message = FILES[name]
    with pytest.raises(DataError, match=message):
        check_complete(media[:40])
    for size in range(8, len(media)):
        with pytest.raises(DataError, match="is cut off"):
            check_complete(media[:size])


def test_a_thumbnail_does_not_end_its_jpeg():
    media = encoded("JPEG")
    thumbnail = b"\xff\xe1" + (2 + len(media)).to_bytes(2, "big") + media
    whole = media[:2] + thumbnail + media[2:]
    assert check_complete(whole) is None
    with pytest.raises(DataError, match="JPEG is cut off"):
        check_complete(whole[:-2])


def test_restart_marks_and_fill_bytes_are_no_end():
    head = b"\xff\xd8\xff\xda\x00\x02"
    assert check_complete(head + b"abc\xff\x00\xff\xd0\xff\xd7\xff\x01\xff\xff\xff\xd9") is None
    with pytest.raises(DataError, match="JPEG is cut off"):
        check_complete(head + b"abc\xff\x00\xff\xd0\xff\xd7\xff\x01\xff\xff")


def test_every_changed_byte_of_a_png_is_refused():
    media = FILES["png"][0]
    for at in [*range(8, 60), *random.Random(0).sample(range(60, len(media)), 40)]:
        changed = bytearray(media)
        changed[at] ^= 4
        with pytest.raises(DataError, match=r"PNG is (damaged|cut off)"):
            check_complete(bytes(changed))


def test_other_formats_are_left_alone():
    assert check_complete(b"BM whatever") is None
