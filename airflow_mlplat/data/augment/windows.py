"""Rectangles of an image: drawn by area and aspect, and cut out, where they reach beyond the image too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from airflow_mlplat.data.augment.draws import Draws
from airflow_mlplat.data.augment.exact import exp, log
from airflow_mlplat.data.opencv import opencv

FILLS = ("zero", "reflect")
"""What lies beyond the image: black, or the image mirrored at its outermost pixels, which are not repeated."""
_ATTEMPTS = 10  # as in the published code of both papers that draw so


class Window(NamedTuple):
    """A rectangle in pixels; it may begin before the image, at a negative place, and end behind it."""

    top: int
    left: int
    height: int
    width: int


def cut(image: np.ndarray, window: Window, fill: str = "zero") -> np.ndarray:
    """The pixels of a window.

    Args:
        image: uint8 (H, W, C).
        window: Of any size and place.
        fill: One of `FILLS`.

    Returns:
        uint8 (window.height, window.width, C), contiguous; never the image itself.
    """
    top, left, height, width = window
    rows, columns = image.shape[:2]
    first, last = min(max(top, 0), rows), min(max(top + height, 0), rows)
    start, stop = min(max(left, 0), columns), min(max(left + width, 0), columns)
    if last - first == height and stop - start == width:
        return image[first:last, start:stop].copy()
    if fill == "reflect":
        return _mirrored(image, window)
    cut_out = np.zeros((height, width, image.shape[2]), np.uint8)
    if first < last and start < stop:
        cut_out[first - top : last - top, start - left : stop - left] = image[first:last, start:stop]
    return cut_out


def _mirrored(image: np.ndarray, window: Window) -> np.ndarray:
    cv2 = opencv("augment with fill 'reflect'")
    top, left, height, width = window
    above, before = max(0, -top), max(0, -left)
    below, after = max(0, top + height - image.shape[0]), max(0, left + width - image.shape[1])
    wide = cv2.copyMakeBorder(image, above, below, before, after, cv2.BORDER_REFLECT_101)
    wide = wide.reshape(wide.shape[0], wide.shape[1], image.shape[2])
    return wide[top + above : top + above + height, left + before : left + before + width].copy()


def draw_window(
    draws: Draws, rows: int, columns: int, area: Sequence[float], aspect: Sequence[float]
) -> Optional[Window]:
    """A window inside an image: its share of the area uniform, its aspect log-uniform, its place uniform.

    Args:
        draws: Where chance comes from.
        rows: Height of the image.
        columns: Width of the image.
        area: Share of the image's area, from and to.
        aspect: Width : height, from and to.

    Returns:
        None if none of ten fits into the image.
    """
    low, high = log(aspect[0]), log(aspect[1])
    for _ in range(_ATTEMPTS):
        size = rows * columns * draws.uniform(area[0], area[1])
        ratio = exp(draws.uniform(low, high))
        height, width = int(math.sqrt(size / ratio) + 0.5), int(math.sqrt(size * ratio) + 0.5)
        if 0 < height <= rows and 0 < width <= columns:
            return Window(draws.integer(rows - height + 1), draws.integer(columns - width + 1), height, width)
    return None


def centred(rows: int, columns: int, height: int, width: int) -> Window:
    """A window of a size, in an image's middle."""
    return Window((rows - height) // 2, (columns - width) // 2, height, width)
