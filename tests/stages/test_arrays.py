"""Named arrays in .npz files: bytes that stay the same, and what is not whole is told."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from airflow_mlplat.contract import digest
from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.stages.arrays import npz_bytes, read_npz, unzip, zip_bytes

ARRAYS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a/1": np.array(7), "empty": np.zeros((0, 2), np.int64)}


def test_they_survive_in_their_order():
    found = read_npz(npz_bytes(ARRAYS), "x.npz")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_numpy_reads_them():
    with np.load(io.BytesIO(npz_bytes(ARRAYS))) as file:
        assert file["b"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_bytes_are_golden():
    """A change here changes the digest of every model."""
    assert digest(npz_bytes(ARRAYS)) == "ec93a237af4b2eb6751736a1cfb8002839492f65ec554cf50781a69ae58cff57"


def test_what_is_not_whole_is_told():
    content = npz_bytes(ARRAYS)
    flipped = bytearray(content)
    flipped[content.index(np.float32(5).tobytes())] ^= 1
    for broken in (b"", b"no zip", content[: len(content) // 2], content[:-1], bytes(flipped)):
        with pytest.raises(CorruptionError, match=r"x\.npz is not a whole \.npz file; got "):
            read_npz(broken, "x.npz")


def test_whatever_bit_of_the_directory_is_flipped():
    content = npz_bytes({"a": np.arange(3)})
    entry = content.index(b"PK\1\2")
    for bit in range(8 * entry, 8 * (entry + 46)):
        broken = bytearray(content)
        broken[bit // 8] ^= 1 << bit % 8
        try:
            read_npz(bytes(broken), "x.npz")  # some bits, such as those of the date, matter to nobody
        except CorruptionError:
            continue


def test_zip_members_survive(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(zip_bytes({"b": b"1", "a": b"2"}))
    assert unzip(path) == {"b": b"1", "a": b"2"}
    with zipfile.ZipFile(path) as file:
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
