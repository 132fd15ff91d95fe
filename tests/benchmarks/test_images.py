"""The generated set is the same every time, and has the shape that it says."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks import prepare
from benchmarks.images import CLASSES, LONG, SHORT, Images
from tests.benchmarks.conftest import COUNT


def test_the_same_bytes_again_and_others_with_another_seed(images, tmp_path):
    prepare.run("bench", "images", tmp_path / "again", COUNT)
    assert (tmp_path / "again/media.bin").read_bytes() == (images / "media.bin").read_bytes()
    assert np.array_equal(Images(tmp_path / "again").labels, Images(images).labels)


def test_the_shape_of_the_set(images):
    found = Images(images)
    media = [found.media(number) for number in range(len(found))]
    sizes = [Image.open(io.BytesIO(file)).size for file in media]
    assert len(set(media)) == len(found) == COUNT
    assert {min(size) for size in sizes} == {SHORT}
    assert min(max(size) for size in sizes) >= SHORT and max(max(size) for size in sizes) <= LONG
    assert 10_000 < np.mean([len(file) for file in media]) < 22_000
    assert 0 <= found.labels.min() <= found.labels.max() < CLASSES


def test_an_unknown_module_is_told(needs):
    needs("bench")
    with pytest.raises(RuntimeError, match=r"nothing \(\) in bench ended with 1: .*No module named benchmarks.nothing"):
        prepare.run("bench", "nothing")
