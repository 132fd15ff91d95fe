"""From media bytes to pixels, the same on every machine; bytes that are not wholly an image are an error.

The rules, whatever the file's format:

- Of several frames or pages the first counts.
- The orientation that a camera noted (EXIF) is applied.
- 16-bit grey keeps its upper 8 bits, as Pillow does with 16-bit colours; pixels of 32 bits are refused.
- Palettes become their colours; transparency is dropped, the colours below it show; colour profiles are not applied.
- Grey becomes three equal colours, colours become luma (ITU-R BT.601).
- Another size is resized, across first, without keeping the proportions.

All of this is exact, so pixels are equal wherever Pillow's JPEG decoder is libjpeg-turbo, as in its wheels since 9.0;
the IJG's own libjpeg enlarges the chroma of colour JPEGs in another way.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from airflow_mlplat.data.complete import check_complete
from airflow_mlplat.data.exif import TRANSPOSE, UPRIGHT, orientation
from airflow_mlplat.errors import DataError, SpecError

Shape = tuple[int, int, int]
"""(height, width, channels)."""
CHANNELS = {1: "L", 3: "RGB"}
"""Channels → Pillow's mode."""
FILTERS = {"nearest": 0, "box": 4, "bilinear": 2, "bicubic": 3, "lanczos": 1}
"""How to resize → Pillow's number, whose name moved between its versions. All but `nearest` are antialiased."""
MAX_PIXELS = 100_000_000
"""Of an image before it is resized: more is a decompression bomb, or fills the memory of a few threads."""
NPY_MAGIC = b"\x93NUMPY"


def decode(media: bytes, shape: Shape, resize: str = "bilinear") -> np.ndarray:
    """The image in a given shape, following the rules above.

    Args:
        media: A whole file that Pillow reads (JPEG, PNG, …), or a `.npy` of uint8 (H, W) or (H, W, C).
        shape: (height, width, channels), channels 1 or 3.
        resize: A key of `FILTERS`.

    Returns:
        uint8 (height, width, channels), contiguous, in [0, 255].

    Raises:
        DataError: Not an image, only a part of one, or a damaged one.
        SpecError: No such channels or filter.
    """
    check_target(shape, resize)
    read = _npy if media.startswith(NPY_MAGIC) else _pillow
    try:
        return read(media, shape, resize)
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds: OSError, SyntaxError, ValueError, struct.error
        raise DataError("media does not decode", got=f"{len(media)} bytes: {type(error).__name__}: {error}") from error


def check_target(shape: Shape, resize: str) -> None:
    """Raise a SpecError unless `decode` knows such a shape and filter."""
    if len(shape) != 3 or min(shape) < 1 or shape[2] not in CHANNELS:
        raise SpecError("shape is no image's", expected="(height, width, 1 or 3)", got=repr(shape))
    if resize not in FILTERS:
        raise SpecError("resize names no filter", expected=" | ".join(FILTERS), got=repr(resize))


def _pillow(media: bytes, shape: Shape, resize: str) -> np.ndarray:
    from PIL import Image

    check_complete(media)
    with Image.open(io.BytesIO(media)) as image:
        _check_size(image.size)
        image.load()
        held = orientation(image.info.get("exif", b""))  # Pillow itself turns a TIFF, which has no such data
        return _fit(image if held == UPRIGHT else image.transpose(TRANSPOSE[held]), shape, resize)


def _npy(media: bytes, shape: Shape, resize: str) -> np.ndarray:
    array = np.load(io.BytesIO(media), allow_pickle=False)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or 0 in array.shape:
        raise DataError("array is no image", expected="uint8 (H, W) or (H, W, C)", got=f"{array.dtype} {array.shape}")
    image = array if array.ndim == 3 else array[..., None]
    if image.shape[2] not in CHANNELS:
        raise DataError("array has a wrong number of channels", expected="1 or 3", got=image.shape[2])
    if image.shape == tuple(shape):
        return np.ascontiguousarray(image)
    from PIL import Image

    _check_size(image.shape[:2])
    return _fit(Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image)), shape, resize)


def _check_size(sides: tuple[int, ...]) -> None:
    if sides[0] * sides[1] > MAX_PIXELS:
        raise DataError("image is too large", expected=f"at most {MAX_PIXELS} pixels", got=f"{sides[0]} x {sides[1]}")


def _fit(image: Any, shape: Shape, resize: str) -> np.ndarray:
    height, width, channels = shape
    if image.mode.startswith(("I", "F")):
        image = _upper_bits(image)
    if image.mode != CHANNELS[channels]:
        image.info.pop("transparency", None)  # else Pillow warns of it while it drops it
        image = image.convert(CHANNELS[channels])
    # Across, then down: in which order Pillow does both at once depends on its version, and so do the pixels.
    for size in ((width, image.height), (width, height)):
        if image.size != size:
            image = image.resize(size, FILTERS[resize])
    return np.asarray(image, np.uint8).reshape(height, width, channels)


def _upper_bits(image: Any) -> Any:
    """16-bit grey, of mode `I;16` or, in older versions of Pillow, `I`, as 8-bit grey."""
    from PIL import Image

    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
        raise DataError("pixels have 32 bits", expected="8 or 16", got=f"values up to {values.max()}")
    return Image.fromarray((values.astype(np.uint16) >> 8).astype(np.uint8))


DECODERS: dict[str, Callable[[bytes, Shape, str], np.ndarray]] = {"pillow": decode}
"""Name → decoder, called as `decode` is. Pillow is always there; a faster one must give the same pixels."""
