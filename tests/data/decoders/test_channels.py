"""Grey three times, or luma with Pillow's rounding."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.data.decoders.channels import with_channels


def test_grey_to_colours():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert np.array_equal(with_channels(grey, 3), np.dstack([grey[..., 0]] * 3))
    assert with_channels(grey, 1) is grey


def test_colours_to_grey():
    """ITU-R BT.601 in Pillow's whole numbers: (19595 R + 38470 G + 7471 B + 32768) >> 16."""
    colours = np.random.RandomState(0).randint(0, 256, (50, 60, 3)).astype(np.uint8)
    luma = (colours.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32) + 0x8000) >> 16
    assert np.array_equal(with_channels(colours, 1)[..., 0], luma)
