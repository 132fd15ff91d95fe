"""Raw arrays: `.npy` files of uint8."""

from __future__ import annotations

import io

import numpy as np

from airflow_mlplat.data.decoders.channels import CHANNELS, with_channels
from airflow_mlplat.data.decoders.size import check_size
from airflow_mlplat.errors import DataError

MAGIC = b"\x93NUMPY"


def read(media: bytes, channels: int) -> np.ndarray | None:
    """The image of a `.npy` of uint8 (H, W) or (H, W, C); None if the media are none."""
    if not media.startswith(MAGIC):
        return None
    array = np.load(io.BytesIO(media), allow_pickle=False)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or 0 in array.shape:
        raise DataError("array is no image", expected="uint8 (H, W) or (H, W, C)", got=f"{array.dtype} {array.shape}")
    image = array if array.ndim == 3 else array[..., None]
    if image.shape[2] not in CHANNELS:
        raise DataError("array has a wrong number of channels", expected="1 or 3", got=image.shape[2])
    check_size(image.shape[:2])
    return np.ascontiguousarray(with_channels(image, channels))
