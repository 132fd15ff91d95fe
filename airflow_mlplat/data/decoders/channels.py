"""Grey to colours and back."""

from __future__ import annotations

import numpy as np

CHANNELS = {1: "L", 3: "RGB"}
"""Channels → Pillow's mode."""


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """An image of 1 or 3 channels in another number of them: grey three times, or luma (ITU-R BT.601) by Pillow.

    Args:
        image: uint8 (H, W, 1 or 3).
        channels: 1 or 3.

    Returns:
        uint8 (H, W, channels).
    """
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    from PIL import Image

    # Pillow's own rounding: OpenCV's differs by a level here and there.
    return np.asarray(Image.fromarray(image).convert(CHANNELS[1]))[..., None]
