"""OpenCV's linear resize of colour images: see `linear.c`."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.compiled.library import address, library_for


def resized_linear(image: np.ndarray, target: np.ndarray) -> bool:
    """Resize all of an image into another.

    Args:
        image: (H, W, C).
        target: (height, width, C), to write to.

    Returns:
        False if that is left to OpenCV, and nothing was written.

    Raises:
        MemoryError: There is no memory for a few rows.
    """
    compiled = library_for(image, target)
    height, width, channels = image.shape
    rows, columns, _ = target.shape
    if compiled is None or channels != 3 or width < 2 or (height == 2 * rows and width == 2 * columns):
        return False  # at exactly half the size OpenCV takes the mean of four pixels, which rounds in another way
    if compiled.mlplat_resize_linear(address(image), height, width, address(target), rows, columns):
        raise MemoryError("no memory to resize an image")
    return True
