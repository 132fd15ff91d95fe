"""Every decoder but `fast` gives the same pixels, whatever is installed; `fast` gives nearly the same."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from airflow_mlplat.data.decode import read_image
from airflow_mlplat.data.decoders import DECODERS, jpeg, pillow
from airflow_mlplat.data.opencv import installed_opencv
from airflow_mlplat.errors import ConfigError, DataError
from tests.data.decoders.files import FILES, JPEGS


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("decoder", [name for name in DECODERS if name not in ("fast", "pillow")])
@pytest.mark.parametrize("name", FILES)
def test_pixels_are_pillows(name, decoder, channels):
    expected = pillow.read(FILES[name], channels)
    found = read_image(FILES[name], channels, decoder)
    assert np.array_equal(found, expected)
    assert (found.dtype, found.shape[2], found.flags.c_contiguous) == (np.uint8, channels, True)


@pytest.mark.parametrize("name", JPEGS)
def test_fast_is_near(name):
    exact, fast = (read_image(JPEGS[name], 3, decoder).astype(int) for decoder in ("exact", "fast"))
    assert exact.shape == fast.shape
    assert np.abs(exact - fast).mean() < 16


def test_fast_differs():
    exact = read_image(JPEGS["4:2:0"], 3, "exact").copy()
    assert not np.array_equal(exact, read_image(JPEGS["4:2:0"], 3, "fast"))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", ["jpeg, 4:2:0", "jpeg, progressive", "png, colours", "png, palette"])
def test_every_part_of_a_file_is_refused(name, decoder):
    media = FILES[name]
    for size in [*range(0, len(media), 41), len(media) - 1]:
        with pytest.raises(DataError):
            read_image(media[:size], 3, decoder)


@pytest.mark.parametrize("decoder", DECODERS)
def test_changed_bytes_are_refused_by_all_or_by_none(decoder):
    random = np.random.RandomState(1)
    for name in ("jpeg, 4:2:0", "png, colours"):
        media = FILES[name]
        for at in random.randint(20, len(media) - 2, 60):
            changed = bytearray(media)
            changed[at] ^= 1 << int(at) % 8
            outcomes = [outcome(bytes(changed), each) for each in ("pillow", decoder)]
            assert outcomes[0] == outcomes[1] or decoder == "fast", at


def outcome(media, decoder):
    try:
        return read_image(media, 3, decoder).tobytes()
    except DataError:
        return None


@pytest.fixture
def without(monkeypatch):
    """A function that hides packages."""

    def hide(*names):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)
        for cache in (jpeg._simplejpeg, installed_opencv):
            cache.cache_clear()

    yield hide
    for cache in (jpeg._simplejpeg, installed_opencv):
        cache.cache_clear()


def test_pillow_is_always_there(without):
    expected = {name: read_image(media, 3).copy() for name, media in FILES.items()}
    without("simplejpeg", "cv2")
    for name, media in FILES.items():
        assert np.array_equal(read_image(media, 3), expected[name]), name
    with pytest.raises(
        ConfigError, match=r"decoder 'fast' needs simplejpeg. pip install 'airflow-mlplat\[images\]', or"
    ):
        read_image(JPEGS["grey"], 3, "fast")
    with pytest.raises(ConfigError, match=r"decoder 'opencv' needs opencv-python-headless 4.10 or newer. pip"):
        read_image(JPEGS["grey"], 3, "opencv")
