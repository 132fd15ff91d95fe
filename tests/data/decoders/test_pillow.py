"""What Pillow reads is upright, of as many channels as asked for, and whole."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from airflow_mlplat.data.decoders import pillow
from airflow_mlplat.errors import DataError
from tests.data.decoders.files import JPEGS, NOISE, PNGS, SMOOTH


def test_lossless_pixels():
    assert np.array_equal(pillow.read(PNGS["colours"], 3), NOISE)
    assert np.array_equal(pillow.read(PNGS["grey"], 1), NOISE[..., :1])


@pytest.mark.parametrize("value", range(1, 9))
def test_upright(value):
    turned = pillow.read(JPEGS[f"held {value}"], 3)
    assert turned.shape == ((61, 47, 3) if value < 5 else (47, 61, 3))
    assert SMOOTH.shape == (61, 47, 3)
    assert turned.flags.c_contiguous


def test_a_part_is_refused():
    with pytest.raises(DataError, match="JPEG is cut off"):
        pillow.read(JPEGS["grey"][:-2], 1)


def test_postscript_is_refused_wherever_it_could_be_drawn(tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {ran}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    file = io.BytesIO()
    Image.fromarray(SMOOTH).save(file, "EPS")
    with pytest.raises(DataError, match="PostScript"):
        pillow.read(file.getvalue(), 3)
    assert not ran.exists()
