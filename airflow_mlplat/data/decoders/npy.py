"""Raw arrays: `.npy` files of uint8."""

from __future__ import annotations

import io
import math
from functools import lru_cache
from typing import Literal

import numpy as np

from airflow_mlplat.data.decoders.channels import CHANNELS, with_channels
from airflow_mlplat.data.decoders.size import check_size
from airflow_mlplat.errors import DataError
from airflow_mlplat.store.npy_header import parsed

MAGIC = b"\x93NUMPY"
_VERSION_1 = MAGIC + b"\x01\x00"


def read(media: bytes, channels: int) -> np.ndarray | None:
    """The image of a `.npy` of uint8 (H, W) or (H, W, C); None if the media are none."""
    if not media.startswith(MAGIC):
        return None
    array = _array(media)
    image = array if array.ndim == 3 else array[..., None]
    return np.ascontiguousarray(with_channels(image, channels))


def _array(media: bytes) -> np.ndarray:
    """The array, without a copy where its file is of version 1."""
    if not media.startswith(_VERSION_1):
        array = np.load(io.BytesIO(media), allow_pickle=False)
        _check(array.dtype, array.shape)
        return array
    start = 10 + int.from_bytes(media[8:10], "little")
    shape, order = _header(media[10:start])
    return np.frombuffer(media, np.uint8, math.prod(shape), start).reshape(shape, order=order)


@lru_cache(maxsize=64)  # images of a dataset mostly have one, and to parse it takes longer than to copy the image
def _header(text: bytes) -> tuple[tuple[int, ...], Literal["C", "F"]]:
    """Shape, and `C` or `F` for the order of the axes."""
    found = parsed(text)
    if found is None:
        size = len(text).to_bytes(2, "little")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(size + text))
    else:
        dtype, shape, fortran = found
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded")
    _check(dtype, shape)
    return shape, "F" if fortran else "C"


def _check(dtype: np.dtype, shape: tuple[int, ...]) -> None:
    if dtype != np.uint8 or len(shape) not in (2, 3) or 0 in shape:
        raise DataError("array is no image", expected="uint8 (H, W) or (H, W, C)", got=f"{dtype} {shape}")
    if len(shape) == 3 and shape[2] not in CHANNELS:
        raise DataError("array has a wrong number of channels", expected="1 or 3", got=shape[2])
    check_size(shape[:2])
