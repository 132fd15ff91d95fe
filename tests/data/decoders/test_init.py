"""Every decoder but `fast` gives the same pixels, whatever is installed; `fast` gives nearly the same."""

from __future__ import annotations

import io
import struct
import sys
import zlib

import numpy as np
import PIL
import pytest
from PIL import Image

from airflow_mlplat.data.decode import read_image
from airflow_mlplat.data.decoders import DECODERS, jpeg, opencv, pillow
from airflow_mlplat.data.opencv import installed_opencv
from airflow_mlplat.errors import ConfigError, DataError

RANDOM = np.random.RandomState(0)
SMOOTH = (np.add.outer(np.arange(61) * 3, np.arange(47) * 2)[..., None] * [1, 2, 3] % 256).astype(np.uint8)
NOISE = RANDOM.randint(0, 256, (50, 33, 3)).astype(np.uint8)


def encoded(image, kind, **how):
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **how)
    return buffer.getvalue()


def held(value):
    exif = Image.Exif()
    exif[274] = value
    return exif.tobytes()


def with_chunk(png, name, data):
    """A PNG with one more chunk behind its header."""
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return png[:33] + chunk + png[33:]


JPEGS = {
    "4:2:0": encoded(SMOOTH, "JPEG", quality=80),
    "4:2:2": encoded(NOISE, "JPEG", subsampling=1),
    "4:4:4": encoded(NOISE, "JPEG", subsampling=0, quality=95),
    "progressive": encoded(SMOOTH, "JPEG", progressive=True),
    "optimised": encoded(NOISE, "JPEG", optimize=True, quality=20),
    "grey": encoded(SMOOTH[..., 0], "JPEG"),
    "one pixel": encoded(NOISE[:1, :1], "JPEG"),
    "inks": encoded(Image.fromarray(NOISE).convert("CMYK"), "JPEG"),
    "RGB": encoded(NOISE, "JPEG", keep_rgb=True),
    "with bytes behind it": encoded(SMOOTH, "JPEG") + b"\0\0\0",
    **{f"held {value}": encoded(SMOOTH, "JPEG", exif=held(value)) for value in range(1, 9)},
}
PNGS = {
    "colours": encoded(NOISE, "PNG"),
    "grey": encoded(NOISE[..., 0], "PNG"),
    "alpha": encoded(np.dstack([NOISE, NOISE[..., :1]]), "PNG"),
    "palette": encoded(Image.fromarray(NOISE).convert("P"), "PNG"),
    "one bit": encoded(Image.fromarray(NOISE[..., 0]).convert("1"), "PNG"),
    "16 bits": encoded(Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257), "PNG"),
    "a transparent colour": encoded(NOISE, "PNG", transparency=(1, 2, 3)),
    "a transparent grey": encoded(NOISE[..., 0], "PNG", transparency=7),
    "held 6": encoded(NOISE, "PNG", exif=held(6)),
    "gamma": with_chunk(encoded(NOISE, "PNG"), b"gAMA", struct.pack(">I", 22_222)),
    "background": with_chunk(encoded(NOISE, "PNG"), b"bKGD", bytes(6)),
}
FILES = {**{f"jpeg, {name}": media for name, media in JPEGS.items()}, **{f"png, {k}": v for k, v in PNGS.items()}}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("decoder", [name for name in DECODERS if name not in ("fast", "pillow")])
@pytest.mark.parametrize("name", FILES)
def test_pixels_are_pillows(name, decoder, channels):
    expected = pillow.read(FILES[name], channels)
    found = read_image(FILES[name], channels, decoder)
    assert np.array_equal(found, expected)
    assert (found.dtype, found.shape[2], found.flags.c_contiguous) == (np.uint8, channels, True)


def test_each_library_reads_what_it_is_for():
    """Else the test above compares Pillow with itself."""
    left = {"inks", "RGB"} if int(PIL.__version__.split(".")[0]) >= 10 else {"inks"}  # older ones cannot write it
    assert {name for name, media in JPEGS.items() if jpeg.read(media, 3) is None} == left
    assert {name for name, media in JPEGS.items() if opencv.read(media, 3) is None} == {"inks"}
    ordinary = {"colours", "grey", "a transparent colour", "a transparent grey", "gamma", "background"}
    assert {name for name, media in PNGS.items() if opencv.read_png(media, 3) is not None} == ordinary
    assert opencv.read_png(PNGS["grey"], 1) is not None
    assert opencv.read_png(PNGS["colours"], 1) is None


@pytest.mark.parametrize("name", JPEGS)
def test_fast_is_near(name):
    exact, fast = (read_image(JPEGS[name], 3, decoder).astype(int) for decoder in ("exact", "fast"))
    assert exact.shape == fast.shape
    assert np.abs(exact - fast).mean() < 16


def test_fast_differs():
    exact = read_image(JPEGS["4:2:0"], 3, "exact").copy()
    assert not np.array_equal(exact, read_image(JPEGS["4:2:0"], 3, "fast"))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", ["jpeg, 4:2:0", "jpeg, progressive", "png, colours", "png, palette"])
def test_every_part_of_a_file_is_refused(name, decoder):
    media = FILES[name]
    for size in [*range(0, len(media), 41), len(media) - 1]:
        with pytest.raises(DataError):
            read_image(media[:size], 3, decoder)


@pytest.mark.parametrize("decoder", DECODERS)
def test_changed_bytes_are_refused_by_all_or_by_none(decoder):
    for name in ("jpeg, 4:2:0", "png, colours"):
        media = FILES[name]
        for at in RANDOM.randint(20, len(media) - 2, 60):
            changed = bytearray(media)
            changed[at] ^= 1 << int(at) % 8
            outcomes = [outcome(bytes(changed), each) for each in ("pillow", decoder)]
            assert outcomes[0] == outcomes[1] or decoder == "fast", at


def outcome(media, decoder):
    try:
        return read_image(media, 3, decoder).tobytes()
    except DataError:
        return None


@pytest.fixture
def without(monkeypatch):
    """A function that hides packages."""

    def hide(*names):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)
        for cache in (jpeg._simplejpeg, installed_opencv):
            cache.cache_clear()

    yield hide
    for cache in (jpeg._simplejpeg, installed_opencv):
        cache.cache_clear()


def test_pillow_is_always_there(without):
    expected = {name: read_image(media, 3).copy() for name, media in FILES.items()}
    without("simplejpeg", "cv2")
    for name, media in FILES.items():
        assert np.array_equal(read_image(media, 3), expected[name]), name
    with pytest.raises(
        ConfigError, match=r"decoder 'fast' needs simplejpeg. pip install 'airflow-mlplat\[images\]', or"
    ):
        read_image(JPEGS["grey"], 3, "fast")
    with pytest.raises(ConfigError, match=r"decoder 'opencv' needs opencv-python-headless. pip install 'airflow-mlpl"):
        read_image(JPEGS["grey"], 3, "opencv")


def test_an_exif_behind_other_segments():
    """What only looks like EXIF data, in a comment or behind the scan, does not count."""
    plain = JPEGS["4:2:0"]
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(held(6))) + held(6)
    for media in (plain[:2] + comment + plain[2:], plain + held(6)):
        assert read_image(media, 3).shape == SMOOTH.shape
        assert np.array_equal(read_image(media, 3), pillow.read(media, 3))
