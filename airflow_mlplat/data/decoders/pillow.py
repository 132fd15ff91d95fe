"""Every format of pixels by Pillow, which is always there."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from airflow_mlplat.data.complete import check_complete
from airflow_mlplat.data.decoders.channels import CHANNELS
from airflow_mlplat.data.decoders.size import check_size
from airflow_mlplat.data.exif import orientation, upright
from airflow_mlplat.errors import DataError


def read(media: bytes, channels: int) -> np.ndarray:
    """The image of whatever Pillow reads by itself."""
    from PIL import Image

    check_complete(media)
    with Image.open(io.BytesIO(media)) as image:
        if image.format == "EPS":  # a program, which Pillow has Ghostscript run where that is installed
            raise DataError(
                "media is PostScript, not pixels", expected="JPEG, PNG or another format of pixels", got="EPS"
            )
        check_size(image.size)
        image.load()
        held = orientation(image.info.get("exif", b""))  # Pillow itself turns a TIFF, which has no such data
        return upright(_array(image, CHANNELS[channels]), held)


_BITS_PER_SAMPLE = 258  # TIFF 6.0, section 8


def _array(image: Any, mode: str) -> np.ndarray:
    if image.mode.startswith(("I", "F")):
        image = _upper_bits(image)
    if image.mode != mode:
        image.info.pop("transparency", None)  # else Pillow warns of it while it drops it
        image = image.convert(mode)
    array = np.asarray(image, np.uint8)
    return array if array.ndim == 3 else array[..., None]


def _upper_bits(image: Any) -> Any:
    """16-bit grey, of mode `I;16` or, in older versions of Pillow, `I`, as 8-bit grey."""
    from PIL import Image

    values, bits = np.asarray(image), getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))
    if image.mode == "F" or 32 in np.ravel(bits) or values.min() < 0 or values.max() > 0xFFFF:
        raise DataError("pixels have 32 bits", expected="8 or 16", got=f"values up to {values.max()}")
    return Image.fromarray((values.astype(np.uint16) >> 8).astype(np.uint8))
