"""What every test may use. Imports nothing heavy: these tests also run on Python 3.9 without Airflow."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits, real 8x8 grey images: (uint8 (1797, 8, 8), int64 (1797,))."""
    with np.load(ROOT / "tests/data/digits.npz") as file:
        return file["images"], file["labels"]


@pytest.fixture(scope="session")
def png():
    """A function from a uint8 image, (H, W) or (H, W, 3), to PNG bytes."""
    from PIL import Image

    def encode(image: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        return buffer.getvalue()

    return encode
