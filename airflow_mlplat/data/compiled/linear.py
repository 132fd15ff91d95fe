"""OpenCV's linear resize of colour images: see `linear.c`."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.data.compiled.library import address, library


def resized_linear(image: np.ndarray, target: np.ndarray) -> bool:
    """Resize all of an image into another.

    Args:
        image: uint8 (H, W, C), contiguous.
        target: uint8 (height, width, C), contiguous, to write to.

    Returns:
        False if that is left to OpenCV, and nothing was written.

    Raises:
        MemoryError: There is no memory for a few rows.
    """
    compiled = library()
    height, width, channels = image.shape
    rows, columns, _ = target.shape
    if compiled is None or channels != 3 or width < 2 or (height == 2 * rows and width == 2 * columns):
        return False  # at exactly half the size OpenCV takes the mean of four pixels, which rounds in another way
    if not (image.flags.c_contiguous and target.flags.c_contiguous):
        return False
    if compiled.mlplat_resize_linear(address(image), height, width, address(target), rows, columns):
        raise MemoryError("no memory to resize an image")
    return True
