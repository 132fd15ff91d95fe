"""Operations that move pixels. All take uint8 (H, W, C), C 1 or 3, leave it as it is, and give a new array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from airflow_mlplat.data.augment.draws import Draws
from airflow_mlplat.data.augment.exact import cosine, sine
from airflow_mlplat.data.augment.windows import Window, centred, cut, draw_window
from airflow_mlplat.data.opencv import opencv

AXES = ("horizontal", "vertical")
"""A horizontal flip changes left and right."""
LARGEST_SIDE = 16_000
"""Of an image that is augmented, in pixels: places within it and around it must fit into OpenCV's 16-bit maps."""
_ODD = np.float32(1 / 1024)


def flip(image: np.ndarray, draws: Draws, *, axis: str = "horizontal") -> np.ndarray:
    """Mirrored along an axis, one of `AXES`."""
    return opencv("augment 'flip'").flip(image, 1 - AXES.index(axis)).reshape(image.shape)


def crop(image: np.ndarray, draws: Draws, *, height: int, width: int) -> np.ndarray:
    """A random window of height x width pixels; an image that is smaller is put into the middle of black."""
    rows, columns = image.shape[:2]
    window = centred(rows, columns, height, width)
    top = draws.integer(rows - height + 1) if rows > height else window.top
    left = draws.integer(columns - width + 1) if columns > width else window.left
    return cut(image, Window(top, left, height, width))


def resized_crop(
    image: np.ndarray, draws: Draws, *, height: int, width: int, area: Sequence[float], aspect: Sequence[float]
) -> np.ndarray:
    """A random window by area and aspect, resized to height x width (Szegedy et al. 2015, "Going deeper with …").

    Args:
        image: uint8 (H, W, C).
        draws: Where chance comes from.
        height: Of the result.
        width: Of the result.
        area: The window's share of the image's area, from and to.
        aspect: Width : height of the window, from and to. If nothing fits: the largest window in the middle that does.
    """
    rows, columns = image.shape[:2]
    window = draw_window(draws, rows, columns, area, aspect)
    if window is None:
        ratio = min(max(columns / rows, aspect[0]), aspect[1])
        window = centred(
            rows, columns, max(1, min(rows, int(columns / ratio + 0.5))), max(1, min(columns, int(rows * ratio + 0.5)))
        )
    top, left, tall, wide = window
    return _resized(image[top : top + tall, left : left + wide], height, width)


def pad_and_crop(image: np.ndarray, draws: Draws, *, padding: int, fill: str = "zero") -> np.ndarray:
    """Moved by up to `padding` pixels each way, as from a padded image (He et al. 2015); fill: see `FILLS`."""
    down, right = draws.integer(2 * padding + 1) - padding, draws.integer(2 * padding + 1) - padding
    return cut(image, Window(down, right, image.shape[0], image.shape[1]), fill)


def translate(image: np.ndarray, draws: Draws, *, share: float, fill: str = "zero") -> np.ndarray:
    """Moved by whole pixels, up to a share of each side each way; fill: see `FILLS`."""
    rows, columns = image.shape[:2]
    most_down, most_right = int(rows * share), int(columns * share)
    down, right = draws.integer(2 * most_down + 1) - most_down, draws.integer(2 * most_right + 1) - most_right
    return cut(image, Window(down, right, rows, columns), fill)


def rotate(image: np.ndarray, draws: Draws, *, degrees: float, fill: str = "zero") -> np.ndarray:
    """Turned about its middle by up to `degrees` either way, bilinear to 1/32 pixel; fill: see `FILLS`."""
    return turned(image, draws.uniform(-degrees, degrees), fill)


def turned(image: np.ndarray, degrees: float, fill: str) -> np.ndarray:
    """Turned counter-clockwise about its middle. Not by OpenCV's `warpAffine`, whose floats differ between machines."""
    cv2 = opencv("augment 'rotate'")
    x, y = _places(image.shape[0], image.shape[1], degrees)
    beyond = cv2.BORDER_REFLECT_101 if fill == "reflect" else cv2.BORDER_CONSTANT
    maps = cv2.convertMaps(x, y, cv2.CV_16SC2)
    return cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=beyond).reshape(image.shape)


def _places(rows: int, columns: int, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel comes from: x and y, float32 (H, W).

    All are odd multiples of 1/1024, which these floats hold exactly for sides up to `LARGEST_SIDE`, and which never
    lie halfway between two of the places, 1/32 apart, that OpenCV's fixed-point maps hold.
    """
    cos, sin = cosine(degrees), sine(degrees)
    x, y = np.arange(1 - columns, columns, 2), np.arange(1 - rows, rows, 2)  # twice the distance from the middle
    x_across, x_down = _steps(cos * x / 2), _steps(-sin * y / 2 + (columns - 1) / 2) + _ODD
    y_across, y_down = _steps(sin * x / 2), _steps(cos * y / 2 + (rows - 1) / 2) + _ODD
    return x_across + x_down[:, None], y_across + y_down[:, None]


def _steps(places: np.ndarray) -> np.ndarray:
    """Rounded to even multiples of 1/1024, float32."""
    return (np.floor(places * 512 + 0.5) / 512).astype(np.float32)


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Halved while both sides are twice too long, then bilinear; OpenCV does both in whole numbers.

    Halving, which is the mean of 2 x 2 pixels, keeps fine patterns from becoming coarse ones.
    """
    cv2 = opencv("augment 'resized_crop'")
    rows, columns, channels = image.shape
    if (rows, columns) == (height, width):
        return image.copy()
    while rows >= 2 * height and columns >= 2 * width:
        rows, columns = rows // 2, columns // 2
        image = cv2.resize(image[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA)
    if (rows, columns) != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    return image.reshape(height, width, channels)
