"""Operations that take detail away: blur, noise, erase. All take uint8 (H, W, C), leave it, and give a new array."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from airflow_mlplat.data.augment.draws import Draws
from airflow_mlplat.data.augment.windows import draw_window
from airflow_mlplat.data.opencv import opencv

ERASED = ("noise", "zero")
"""What an erased rectangle becomes: random pixels, which the paper found best, or black."""
_TABLE_UNIT = 4096


def blur(image: np.ndarray, draws: Draws, *, sigma: Sequence[float]) -> np.ndarray:
    """Gaussian blur; its standard deviation in pixels is drawn between two. The image goes on mirrored."""
    cv2 = opencv("augment 'blur'")
    width = draws.uniform(sigma[0], sigma[1])
    # "Accurate" is OpenCV's fixed-point way, whose kernel is made by software floats.
    blurred = cv2.GaussianBlur(image, (0, 0), width, borderType=cv2.BORDER_REFLECT_101, hint=cv2.ALGO_HINT_ACCURATE)
    return blurred.reshape(image.shape)


def noise(image: np.ndarray, draws: Draws, *, sigma: Sequence[float]) -> np.ndarray:
    """Gaussian noise for each value; its standard deviation in levels of 255 is drawn between two."""
    cv2 = opencv("augment 'noise'")
    table = noise_table(draws.uniform(sigma[0], sigma[1]))
    added = cv2.LUT(draws.octets(image.size).reshape(image.shape), table).reshape(image.shape)
    return cv2.add(image, added, dtype=cv2.CV_8U).reshape(image.shape)


def noise_table(sigma: float) -> np.ndarray:
    """int16 (256,): equally likely values of a normal distribution with this standard deviation, up to 2.9 of it."""
    return np.floor(_normal() * (sigma / _TABLE_UNIT) + 0.5).astype(np.int16)


@lru_cache(maxsize=1)
def _normal() -> np.ndarray:
    """int64 (256,): the middles of 256 equally likely parts, in 1/4096 of the standard deviation.

    Whole numbers, because the last bit of the inverse differs between machines. The middles' own deviation is a
    little below 1, and made up for.
    """
    from statistics import NormalDist  # which loads half a dozen modules

    middles = np.array([NormalDist().inv_cdf((2 * k + 1) / 512) for k in range(256)])
    return np.floor(middles * (_TABLE_UNIT / 0.9975) + 0.5).astype(np.int64)


def erase(
    image: np.ndarray, draws: Draws, *, area: Sequence[float], aspect: Sequence[float], fill: str = "noise"
) -> np.ndarray:
    """A rectangle erased (Zhong et al. 2017, "Random erasing data augmentation").

    Args:
        image: uint8 (H, W, C).
        draws: Where chance comes from.
        area: The rectangle's share of the image's area, from and to.
        aspect: Its width : height, from and to. If nothing fits, nothing is erased.
        fill: One of `ERASED`.
    """
    erased = image.copy()
    window = draw_window(draws, image.shape[0], image.shape[1], area, aspect)
    if window is not None:
        part = erased[window.top : window.top + window.height, window.left : window.left + window.width]
        part[...] = draws.octets(part.size).reshape(part.shape) if fill == "noise" else 0
    return erased
