"""From media bytes to pixels, the same on every machine; bytes that are not wholly an image are an error."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from airflow_mlplat.errors import DataError

CHANNELS = {1: "L", 3: "RGB"}
"""Channels → Pillow's mode. Grey becomes equal colours, colours become luma (ITU-R 601-2), alpha is dropped."""
BILINEAR = 2
"""Pillow's number of its antialiasing bilinear filter; the name moved between its versions."""
NPY_MAGIC = b"\x93NUMPY"


def decode(media: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """The image in a given shape.

    An image of another size is resized by an antialiasing bilinear filter, without keeping its proportions; 16-bit
    grey is scaled to 8 bits; the orientation that a camera noted (EXIF) is applied.

    Args:
        media: A whole file that Pillow reads (JPEG, PNG, …), or a `.npy` of uint8 (H, W) or (H, W, C).
        shape: (height, width, channels), channels 1 or 3.

    Returns:
        uint8 (height, width, channels), contiguous, in [0, 255].

    Raises:
        DataError: Not an image, or only a part of one.
    """
    decoder = _npy if media[:6] == NPY_MAGIC else _pillow
    try:
        return decoder(media, shape)
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds: OSError, SyntaxError, ValueError, struct.error
        raise DataError("media does not decode", got=f"{len(media)} bytes: {type(error).__name__}: {error}") from error


def _pillow(media: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        # A picture that is suspiciously large, or whose metadata is broken, is bad media.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(media)) as image:
            image.load()  # all of it: a truncated file fails here
            upright = ImageOps.exif_transpose(image) if image.format in ("JPEG", "MPO", "TIFF", "WEBP") else image
            return _fit(upright, shape)


def _npy(media: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    array = np.load(io.BytesIO(media), allow_pickle=False)
    if array.dtype != np.uint8 or array.ndim not in (2, 3):
        raise DataError("array is no image", expected="uint8 (H, W) or (H, W, C)", got=f"{array.dtype} {array.shape}")
    image = array if array.ndim == 3 else array[..., None]
    if image.shape == tuple(shape):
        return np.ascontiguousarray(image)
    from PIL import Image

    if image.shape[2] not in CHANNELS:
        raise DataError("array has a wrong number of channels", expected="1 or 3", got=image.shape[2])
    return _fit(Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image)), shape)


def _fit(image: Any, shape: tuple[int, int, int]) -> np.ndarray:
    from PIL import Image

    height, width, channels = shape
    if image.mode.startswith("I"):  # 16 or 32 bits a pixel, of which PNG uses 16
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.mode != CHANNELS[channels]:
        image = image.convert(CHANNELS[channels])
    if image.size != (width, height):
        image = image.resize((width, height), BILINEAR)
    return np.asarray(image, np.uint8).reshape(height, width, channels)


DECODERS: dict[str, Callable[[bytes, tuple[int, int, int]], np.ndarray]] = {"pillow": decode}
"""Name → decoder. Pillow is always there; faster ones must give the same pixels."""
