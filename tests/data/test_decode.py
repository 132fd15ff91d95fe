"""Every kind of image becomes the pixels that the rules say, on every version of Pillow; damaged ones do not."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features

from airflow_mlplat.data import decode
from airflow_mlplat.data.decoders import DECODERS
from airflow_mlplat.data.fit import FILTERS, OPENCV_FILTERS
from airflow_mlplat.errors import DataError, SpecError

RED, DARK = (200, 40, 60), (10, 20, 30)
COLOURS = np.tile(np.array([[RED, DARK], [DARK, RED]], np.uint8), (5, 9, 1))  # (10, 18, 3)
LUMA = np.where(COLOURS[..., :1] == 200, 90, 18).astype(np.uint8)  # 0.299 R + 0.587 G + 0.114 B
SHAPE, GREY = (10, 18, 3), (10, 18, 1)


def encode(image, kind="PNG", **how):
    buffer = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(buffer, kind, **how)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def tiff32(value):
    return encode(np.full((2, 2), value), "TIFF")


def png16(values, kind):
    """A 16-bit PNG, which not every Pillow can write. values: uint16 (H, W, C); kind: the PNG's colour type."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def with_alpha(image):
    return np.concatenate([image, np.arange(180, dtype=np.uint8).reshape(10, 18, 1)], axis=2)


def palette(**how):
    image = Image.fromarray((COLOURS[..., 0] == 200).astype(np.uint8), "L")
    image.putpalette([*DARK, *RED] + [0] * 762)
    return encode(image, **how)


@pytest.mark.parametrize(
    "media",
    [
        pytest.param(encode(COLOURS), id="png"),
        pytest.param(encode(COLOURS, "BMP"), id="bmp"),
        pytest.param(encode(COLOURS, "PPM"), id="ppm"),
        pytest.param(encode(COLOURS, "TIFF"), id="tiff"),
        pytest.param(encode(COLOURS, "WEBP", lossless=True), id="webp"),
        pytest.param(encode(with_alpha(COLOURS)), id="alpha is dropped"),
        pytest.param(encode(COLOURS, transparency=RED), id="a transparent colour shows"),
        pytest.param(palette(), id="palette"),
        pytest.param(palette(transparency=b"\0\x80"), id="a transparent palette shows"),
        pytest.param(palette(kind="GIF"), id="gif"),
        pytest.param(png16(COLOURS.astype(np.uint16) * 256 + 255, 2), id="16-bit colours: upper bits"),
        pytest.param(npy(COLOURS), id="npy"),
    ],
)
def test_colours(media):
    assert np.array_equal(decode(media, SHAPE), COLOURS)
    assert np.array_equal(decode(media, GREY), LUMA)


@pytest.mark.parametrize(
    "media",
    [
        pytest.param(encode(LUMA[..., 0]), id="grey"),
        pytest.param(encode(Image.fromarray(with_alpha(LUMA), "LA")), id="grey with alpha"),
        pytest.param(png16(LUMA.astype(np.uint16) * 256 + 255, 0), id="16-bit grey: upper bits"),
        pytest.param(png16(np.repeat(LUMA.astype(np.uint16) * 256, 2, axis=2), 4), id="16-bit grey with alpha"),
        pytest.param(npy(LUMA), id="npy of one channel"),
        pytest.param(npy(LUMA[..., 0]), id="npy without channels"),
    ],
)
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_grey(media):
    assert np.array_equal(decode(media, GREY), LUMA)
    assert np.array_equal(decode(media, SHAPE), np.repeat(LUMA, 3, axis=2))


def test_one_bit():
    bits = Image.fromarray(LUMA[..., 0]).point(lambda value: 255 * (value > 50)).convert("1")
    assert np.array_equal(decode(encode(bits), GREY), np.where(LUMA > 50, 255, 0))


def test_first_frame():
    frames = [Image.fromarray(np.full((10, 18), value, np.uint8)) for value in (7, 9)]
    assert (decode(encode(frames[0], "TIFF", save_all=True, append_images=frames[1:]), GREY) == 7).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_orientation(kind):
    exif = Image.Exif()
    exif[274] = 6  # the camera was held with its right side up
    how = {"lossless": True} if kind == "WEBP" else {}
    how = {"tiffinfo": {274: 6}} if kind == "TIFF" else {**how, "exif": exif.tobytes()}
    turned = np.ascontiguousarray(np.rot90(COLOURS[:, :7], 1))
    assert np.array_equal(decode(encode(turned, kind, **how), (10, 7, 3)), COLOURS[:, :7])


def test_orientation_of_a_jpeg():
    exif = Image.Exif()
    exif[274] = 3
    ramp = np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[:, None], 16, axis=1)
    upside_down = decode(encode(ramp, "JPEG", exif=exif.tobytes(), quality=95), (24, 16, 1))[..., 0]
    assert np.abs(upside_down.astype(int) - ramp[::-1]).max() < 6


@pytest.mark.parametrize("size", [(5, 9), (20, 30), (33, 7), (10, 40), (3, 18), (1, 1)])
@pytest.mark.parametrize("resize", [*FILTERS, *OPENCV_FILTERS])
def test_resized_pixels_are_in_range_of_the_image(size, resize):
    flat = np.full((10, 18, 3), 77, np.uint8)
    found = decode(encode(flat), (*size, 3), resize)
    assert found.shape == (*size, 3)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert (found == 77).all()


def test_resize_means():
    stripes = np.repeat(np.array([[0], [100]], np.uint8), 4, axis=1)
    assert decode(encode(stripes), (1, 1, 1), "box").item() == 50
    assert decode(npy(stripes), (1, 4, 1), "bilinear").tolist() == [[[50]] * 4]
    assert decode(encode(stripes), (4, 2, 1), "nearest")[..., 0].tolist() == [[0, 0], [0, 0], [100, 100], [100, 100]]


GOLDEN = {
    "nearest": "eb8cf825b1bac4a8",
    "box": "7aaaf32132bf6d69",
    "bilinear": "5bbc2ed0c8c26a80",
    "bicubic": "4764774f677adc20",
    "lanczos": "829b806908f05619",
}


@pytest.mark.parametrize("resize", GOLDEN)
def test_resized_pixels_are_golden(resize):
    """The same bytes with Pillow 8.4 and 13, which differ where both sides are resized at once."""
    noise = np.random.RandomState(0).randint(0, 256, (100, 77, 3)).astype(np.uint8)
    found = [decode(encode(noise), shape, resize) for shape in ((33, 91, 3), (224, 224, 3), (28, 28, 1))]
    assert hashlib.sha256(b"".join(image.tobytes() for image in found)).hexdigest()[:16] == GOLDEN[resize]


GREY_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8yb"
    "qmx5moq6T/wAALCAAVABMBAREA/8QAGAAAAgMAAAAAAAAAAAAAAAAAAwQAAgX/xAAaEAADAQEBAQAAAAAAAAAAAAAAAQNhITER/9oACAEBAAA/"
    "AMSccGpxwOo88JOODU44HUeeFZzQ1OaDqa+H/9k="
)
COLOUR_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8yb"
    "qmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAAV"
    "ABMDASIAAhEBAxEB/8QAGAABAQEBAQAAAAAAAAAAAAAAAAQDBQL/xAAaEAEBAQEBAQEAAAAAAAAAAAAAAwFhITER/8QAFwEAAwEAAAAAAAAAAA"
    "AAAAAAAAMEBf/EABgRAQEBAQEAAAAAAAAAAAAAAAACEgER/9oADAMBAAIRAxEAPwDiTjxVOPG848VTjwRYmkuR8+Do5Hz4KNmaeZzxVOeAzY6m"
    "lvk8/AFPpj//2Q=="
)


@pytest.mark.parametrize(
    ("media", "golden"),
    [
        pytest.param(GREY_JPEG, "ca784f41487b7c8d", id="grey"),
        # How chroma of less resolution is enlarged is left to the library: IJG's own since version 7 does it otherwise.
        *([pytest.param(COLOUR_JPEG, "d8f43f6657dda949", id="colour")] if features.check("libjpeg_turbo") else []),
    ],
)
def test_jpeg_is_golden(media, golden):
    assert hashlib.sha256(decode(media, (21, 19, 3)).tobytes()).hexdigest()[:16] == golden


def test_jpeg_is_near():
    smooth = np.add.outer(np.arange(40) * 3, np.arange(60) * 2).astype(np.uint8)
    found = decode(encode(smooth, "JPEG", quality=95), (40, 60, 1))[..., 0]
    assert np.abs(found.astype(int) - smooth).max() <= 4


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"quality": 30}, {"optimize": True}], ids=repr)
def test_every_part_of_a_jpeg_fails(how):
    media = encode(np.random.RandomState(0).randint(0, 256, (24, 24, 3)).astype(np.uint8), "JPEG", **how)
    assert decode(media, (24, 24, 3)).shape == (24, 24, 3)
    for size in range(0, len(media), 3):
        with pytest.raises(DataError):
            decode(media[:size], (24, 24, 3))
    with pytest.raises(DataError, match="JPEG is cut off; expected an EOI marker; got"):
        decode(media[:-1], (24, 24, 3))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM"])
def test_every_part_of_others_fails(kind):
    media = encode(np.random.RandomState(0).randint(0, 256, (16, 16)).astype(np.uint8), kind)
    assert decode(media, (16, 16, 1)).shape == (16, 16, 1)
    for size in range(0, len(media), 3):
        with pytest.raises(DataError):
            decode(media[:size], (16, 16, 1))


@pytest.mark.parametrize(
    ("media", "message"),
    [
        (b"", r"media does not decode; got 0 bytes: UnidentifiedImageError: "),
        (b"<html>404</html>", r"media does not decode; got 16 bytes: UnidentifiedImageError: "),
        (npy(COLOURS.astype(np.float32)), r"array is no image; .*; got float32 \(10, 18, 3\)"),
        (npy(COLOURS[0, 0]), r"array is no image; expected uint8 \(H, W\) or \(H, W, C\); got uint8 \(3,\)"),
        (npy(COLOURS[:0]), r"array is no image; expected uint8 \(H, W\) or \(H, W, C\); got uint8 \(0, 18, 3\)"),
        (npy(with_alpha(COLOURS)), r"array has a wrong number of channels; expected 1 or 3; got 4"),
        (npy(COLOURS)[:-1], r"media does not decode; got 667 bytes: ValueError: "),
        (npy(np.array([{}], object)), r"media does not decode; .* Object arrays cannot be loaded"),
        (tiff32(np.float32(0.5)), r"pixels have 32 bits; .*; got values up to 0\.5"),
        (tiff32(np.int32(200)), r"pixels have 32 bits; .*; got values up to 200"),
        (tiff32(np.int32(70000)), r"pixels have 32 bits; .*; got values up to 70000"),
    ],
)
def test_refuses(media, message):
    with pytest.raises(DataError, match=message):
        decode(media, SHAPE)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_refuses_a_bomb_without_unpacking_it():
    media = png16(np.zeros((1, 1, 1), np.uint16), 0)
    head = media[12:29].replace(struct.pack(">II", 1, 1), struct.pack(">II", 12_000, 12_000))
    bomb = media[:12] + head + struct.pack(">I", zlib.crc32(head)) + media[33:]
    with pytest.raises(DataError, match="image is too large; expected at most 100000000 pixels; got 12000 x 12000"):
        decode(bomb, GREY)


@pytest.mark.parametrize(
    ("shape", "resize", "message"),
    [
        ((10, 18, 2), "bilinear", r"shape is no image's; expected \(height, width, 1 or 3\); got \(10, 18, 2\)"),
        (SHAPE, "sinc", r"resize names no filter; expected nearest \| .*; got 'sinc'"),
    ],
)
def test_refuses_targets(shape, resize, message):
    with pytest.raises(SpecError, match=message):
        decode(encode(COLOURS), shape, resize)


@pytest.mark.parametrize("error", [MemoryError, ImportError])
def test_what_is_not_the_images_fault_is_no_verdict_on_it(monkeypatch, error):
    def fail(media, channels):
        raise error("of the machine")

    monkeypatch.setitem(DECODERS, "pillow", fail)
    with pytest.raises(error, match="of the machine"):
        decode(encode(COLOURS), SHAPE, decoder="pillow")
