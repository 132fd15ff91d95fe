"""An image of any size in a given shape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from airflow_mlplat.compiled.linear import resized_linear
from airflow_mlplat.compiled.resample import resampled
from airflow_mlplat.data.decoders.size import MAX_PIXELS
from airflow_mlplat.data.opencv import installed_opencv, opencv
from airflow_mlplat.errors import SpecError

Shape = tuple[int, int, int]
"""(height, width, channels)."""
FILTERS = {"nearest": 0, "box": 4, "bilinear": 2, "bicubic": 3, "lanczos": 1}
"""How Pillow resizes → its number, whose name moved between its versions. All but `nearest` are antialiased."""
OPENCV_FILTERS = {"linear": 1, "area": 3}
"""How OpenCV resizes → its number: `linear` is not antialiased, and several times as fast as Pillow's."""


def check_target(shape: Shape, resize: str, fit: str = "stretch") -> None:
    """Raise a SpecError unless `fitted` knows such a shape, filter and way."""
    sides = shape if isinstance(shape, (tuple, list)) else ()
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides)
    if len(sides) != 3 or not whole or sides[2] not in (1, 3):
        raise SpecError("shape is no image's", expected="(height, width, 1 or 3)", got=repr(shape))
    if sides[0] * sides[1] > MAX_PIXELS:
        raise SpecError("shape is too large", expected=f"at most {MAX_PIXELS} pixels", got=f"{sides[0]} x {sides[1]}")
    if not isinstance(resize, str) or resize not in {**FILTERS, **OPENCV_FILTERS}:
        known = " | ".join([*FILTERS, *OPENCV_FILTERS])
        raise SpecError("resize names no filter", expected=known, got=repr(resize))
    if not isinstance(fit, str) or fit not in FITS:
        raise SpecError("fit names no way to fit an image into a shape", expected=" | ".join(FITS), got=repr(fit))


def fitted(
    image: np.ndarray, shape: Shape, resize: str = "bilinear", fit: str = "stretch", out: np.ndarray | None = None
) -> np.ndarray:
    """The image in a shape, of the channels that it has.

    Args:
        image: uint8 (H, W, channels).
        shape: (height, width, channels).
        resize: A key of `FILTERS` or `OPENCV_FILTERS`.
        fit: A key of `FITS`.
        out: uint8 of that shape, contiguous, to write to.

    Returns:
        uint8 of that shape, contiguous: `out` if it is given.

    Raises:
        ConfigError: The filter is OpenCV's, which is not installed.
    """
    target = np.empty(shape, np.uint8) if out is None else out
    FITS[fit](image, target, resize)
    return target


def resized(image: np.ndarray, target: np.ndarray, resize: str) -> None:
    """Resize all of an image, uint8 (H, W, channels), into another of as many channels."""
    if image.shape == target.shape:
        target[...] = image
    elif resize in OPENCV_FILTERS:
        _by_opencv(image, target, resize)
    else:
        _by_pillow(image, target, resize)


def _by_opencv(image: np.ndarray, target: np.ndarray, resize: str) -> None:
    height, width, _ = target.shape
    how = OPENCV_FILTERS[resize]
    cv2 = installed_opencv() or opencv(f"resize {resize!r}")
    if resize == "linear" and resized_linear(image, target):
        return
    found = cv2.resize(image, (width, height), dst=target, interpolation=how)
    if found is not target:  # it does not take every array as it is
        target[...] = found.reshape(target.shape)


def _by_pillow(image: np.ndarray, target: np.ndarray, resize: str) -> None:
    if resampled(image, target, resize):
        return
    from PIL import Image

    height, width, channels = target.shape
    made = Image.fromarray(np.ascontiguousarray(image[..., 0] if channels == 1 else image))
    # Across, then down: in which order Pillow does both at once depends on its version, and so do the pixels.
    for size in ((width, made.height), (width, height)):
        if made.size != size:
            made = made.resize(size, FILTERS[resize])
    target[...] = np.asarray(made, np.uint8).reshape(target.shape)


def _crop(image: np.ndarray, target: np.ndarray, resize: str) -> None:
    rows, columns = _scaled(target.shape, image.shape)
    top, left = (image.shape[0] - rows) // 2, (image.shape[1] - columns) // 2
    resized(np.ascontiguousarray(image[top : top + rows, left : left + columns]), target, resize)


def _pad(image: np.ndarray, target: np.ndarray, resize: str) -> None:
    rows, columns = _scaled(image.shape, target.shape)
    top, left = (target.shape[0] - rows) // 2, (target.shape[1] - columns) // 2
    inner = np.empty((rows, columns, target.shape[2]), np.uint8)
    resized(image, inner, resize)
    target[...] = 0
    target[top : top + rows, left : left + columns] = inner


def _scaled(proportions: tuple[int, ...], within: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of the largest rectangle of these proportions within a rectangle; whole numbers from 1."""
    (height, width), (rows, columns) = proportions[:2], within[:2]
    if rows * width <= columns * height:
        return rows, max(1, (2 * rows * width + height) // (2 * height))
    return max(1, (2 * columns * height + width) // (2 * width)), columns


FITS: dict[str, Callable[[np.ndarray, np.ndarray, str], None]] = {"stretch": resized, "crop": _crop, "pad": _pad}
"""How an image of other proportions is fitted: stretched; its middle is cut out; or black is put around it."""
