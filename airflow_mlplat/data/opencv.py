"""OpenCV, where it is installed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from airflow_mlplat.errors import ConfigError

NEEDED = "IMREAD_COLOR_RGB"
"""Is there since version 4.10."""


def opencv(user: str) -> Any:
    """The module `cv2`.

    Args:
        user: What needs it: `resize 'linear'`.

    Raises:
        ConfigError: It is not installed.
    """
    cv2 = installed_opencv()
    if cv2 is None:
        raise ConfigError(
            f"{user} needs opencv-python-headless 4.10 or newer", fix="pip install 'airflow-mlplat[images]'"
        )
    return cv2


@lru_cache(maxsize=1)
def installed_opencv() -> Any:
    """The module `cv2`; None if it is absent or too old. Its threads are off: ours decode several images at once."""
    try:
        import cv2
    except ImportError:
        return None
    if not hasattr(cv2, NEEDED):
        return None
    cv2.setNumThreads(1)
    return cv2
