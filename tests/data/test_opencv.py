"""OpenCV where it is installed, with threads of its own turned off, and a clear word where it is not."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from airflow_mlplat.data.fit import fitted
from airflow_mlplat.data.opencv import installed_opencv, opencv
from airflow_mlplat.errors import ConfigError


def test_its_own_threads_are_off():
    assert opencv("a test") is installed_opencv()
    assert opencv("a test").getNumThreads() == 1


def test_without_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    installed_opencv.cache_clear()
    try:
        image = np.zeros((2, 2, 3), np.uint8)
        with pytest.raises(
            ConfigError, match=r"resize 'linear' needs opencv-python-headless 4.10 or newer. pip install 'airflow-m"
        ):
            fitted(image, (4, 4, 3), "linear")
        assert fitted(image, (4, 4, 3), "bilinear").shape == (4, 4, 3)
    finally:
        installed_opencv.cache_clear()


def test_an_old_one_counts_as_absent(monkeypatch):
    """It has not all that is used: colours would fail one by one, as if images were damaged."""
    monkeypatch.setitem(sys.modules, "cv2", types.ModuleType("cv2"))
    installed_opencv.cache_clear()
    try:
        assert installed_opencv() is None
    finally:
        installed_opencv.cache_clear()
