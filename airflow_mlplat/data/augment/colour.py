"""Brightness, contrast, saturation and hue, all in one linear map of the colours."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.data.augment.draws import Draws
from airflow_mlplat.data.augment.exact import cosine, sine
from airflow_mlplat.data.opencv import opencv

MIDDLE = 128
"""The grey that contrast leaves as it is."""

# The matrices of feColorMatrix (W3C Filter Effects Module Level 1, "saturate" and "hueRotate"): luma, and how colours
# differ from it, at their own hue and at a quarter of the circle from it.
_LUMA = (0.213, 0.715, 0.072)
_OWN = ((0.787, -0.715, -0.072), (-0.213, 0.285, -0.072), (-0.213, -0.715, 0.928))
_QUARTER = ((-0.213, -0.715, 0.928), (0.143, 0.140, -0.283), (-0.787, 0.715, 0.072))
_STEPS = 512  # of the map's coefficients in one


def colour(
    image: np.ndarray,
    draws: Draws,
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> np.ndarray:
    """Colours changed, the same way in the whole image; saturation and hue leave an image of one channel as it is.

    Args:
        image: uint8 (H, W, C), C 1 or 3: RGB.
        draws: Where chance comes from.
        brightness: The factor is within 1 ± this, 0 … 1.
        contrast: The factor of the distance from `MIDDLE` is within 1 ± this, 0 … 1.
        saturation: The factor of the distance from grey is within 1 ± this, 0 … 1.
        hue: Degrees on the colour circle either way, 0 … 180.

    Returns:
        uint8 (H, W, C); what is beyond 0 … 255 is cut off once, at the end.
    """
    light, spread = draws.uniform(1 - brightness, 1 + brightness), draws.uniform(1 - contrast, 1 + contrast)
    vivid, turn = draws.uniform(1 - saturation, 1 + saturation), draws.uniform(-hue, hue)
    rows = colour_map(image.shape[2], light, spread, vivid, turn)
    return opencv("augment 'colour'").transform(image, rows).reshape(image.shape)


def colour_map(channels: int, brightness: float, contrast: float, saturation: float, hue: float) -> np.ndarray:
    """float32 (C, C + 1): what each channel becomes, of the channels and of one.

    Coefficients are multiples of 1/512, and the constant lies halfway between two of those: so every sum is exact in
    32-bit floats and in OpenCV's fixed point, and never halfway between two pixel values, where these round
    differently. Each row's coefficients add up to the same, so grey stays grey.
    """
    gain = round(brightness * contrast * _STEPS)
    constant = 2 * round((1 - contrast) * MIDDLE * _STEPS) + 1
    if channels == 1:
        return np.array([[gain / _STEPS, constant / (2 * _STEPS)]], np.float32)
    own, quarter = saturation * cosine(hue), saturation * sine(hue)
    rows = []
    for i in range(3):
        row = [round(gain * (_LUMA[j] + own * _OWN[i][j] + quarter * _QUARTER[i][j])) for j in range(3)]
        row[i] += gain - sum(row)
        rows.append([value / _STEPS for value in row] + [constant / (2 * _STEPS)])
    return np.array(rows, np.float32)
