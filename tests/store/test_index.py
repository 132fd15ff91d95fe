"""The .npy files: the same bytes from numpy 1.19 and 2, readable by numpy.load."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.errors import CorruptionError, SpecError
from airflow_mlplat.store.index import INDEX_DTYPE, keys_rows, npy_bytes, read_npy


def test_index_row_is_24_bytes():
    assert INDEX_DTYPE.itemsize == 24
    assert INDEX_DTYPE.names == ("offset", "size", "crc32c", "label")


@pytest.mark.parametrize(
    "array, expected",
    [
        (
            np.array([(512, 5, 0xE3069283, -1), (2**40, 2**32 - 1, 0, 9)], INDEX_DTYPE),
            "13aa7b440ec78d673a0d39a4efb95423d88929d518d1467fcba4e0bcfaab5fa5",
        ),
        (
            keys_rows([(b"a", bytes(32)), (b"\xc3\xa9b", bytes(range(32)))]),
            "07633929081c8076f5a80ed110498f89559757cf5ad7c14e46cbe5781341fa03",
        ),
        (
            np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
            "e7eebbeade09a268d44b85a8d0f8bd08d514d2cd5a49b9ac8494485fa0ecd1de",
        ),
        (np.array(7), "bf829c4710025ea559002e4a00d3d062c0ff73f046ff4419e374d3656ce1c1c3"),
    ],
    ids=["index", "keys", "floats", "scalar"],
)
def test_golden(array, expected):
    content = npy_bytes(array)
    assert hashlib.sha256(content).hexdigest() == expected
    assert content.index(b"\n") % 64 == 63
    loaded = np.load(io.BytesIO(content), allow_pickle=False)
    assert loaded.dtype == array.dtype
    assert loaded.shape == array.shape
    assert loaded.tobytes() == array.tobytes()


@given(
    st.sampled_from([np.uint8, np.int64, np.float32, np.float64, bool, "S3", ">i4"]),
    st.lists(st.integers(0, 3), max_size=3),
)
def test_any_plain_array_comes_back(dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    for version in (array, array.T, array[::-1] if shape else array):
        loaded = read_npy(npy_bytes(version), "a")
        assert loaded.shape == version.shape
        assert loaded.tolist() == version.tolist()
        assert not loaded.flags.writeable


def test_gaps_between_fields_are_closed():
    array = np.array([(1, 2)], np.dtype([("a", "u1"), ("b", "<i8")], align=True))
    loaded = read_npy(npy_bytes(array), "a")
    assert loaded.dtype.itemsize == 9
    assert loaded.tolist() == [(1, 2)]


@pytest.mark.parametrize(
    "array", [np.array([None]), np.zeros(1, [("a", "f4", 3)]), np.zeros(1, [("a", [("b", "u1")])])]
)
def test_types_that_are_not_stored(array):
    with pytest.raises(SpecError, match="array of a type that is not stored; expected plain items or flat records"):
        npy_bytes(array)


def test_no_rows():
    assert keys_rows([]).shape == (0,)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", npy_bytes(np.arange(9))[:-1], npy_bytes(np.arange(9)).replace(b"<i8", b"|S0")]
)
def test_not_an_array(content):
    with pytest.raises(CorruptionError, match=r"shards/x is not an array; got "):
        read_npy(content, "shards/x")
