"""Headers of .npy files, as numpy reads them."""

from __future__ import annotations

import ast
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.store import Samples
from airflow_mlplat.store.index import INDEX_DTYPE, keys_dtype
from airflow_mlplat.store.npy_header import parsed


def header(array):
    """Of numpy's own file: all after the header's length."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, (1, 0))
    return file.getvalue()[10 : len(file.getvalue()) - array.nbytes]


@given(
    st.sampled_from(["|u1", ">i4", "<f8", "|b1", "|S3", "<U2", INDEX_DTYPE, keys_dtype(7), [("only", "<u2")]]),
    st.lists(st.integers(0, 12), max_size=4),
    st.booleans(),
)
def test_as_numpy_reads_it(dtype, shape, fortran):
    array = np.empty(shape, dtype, "F" if fortran else "C")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(
        io.BytesIO(len(header(array)).to_bytes(2, "little") + header(array))
    )
    assert parsed(header(array)) == (dtype, shape, fortran)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (3), ",
        b"{'descr': '|u1', 'fortran_order': 0, 'shape': (3,), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (-3,), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (3L,), }",
        b"{'descr': [('a', '<f4', (3,))], 'fortran_order': False, 'shape': (3,), }",
        b"{'descr': [], 'fortran_order': False, 'shape': (3,), }",
        b"{'shape': (3,), 'descr': '|u1', 'fortran_order': False, }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }x",
    ],
)
def test_what_is_written_otherwise(text):
    assert parsed(text) is None


def test_a_type_that_is_not_there():
    with pytest.raises(TypeError):
        parsed(b"{'descr': '<y9', 'fortran_order': False, 'shape': (3,), }")


def test_samples_are_opened_without_pythons_parser(store, span, monkeypatch):
    """It fails now and then where threads open them: see `npy_header`."""
    monkeypatch.setattr(ast, "literal_eval", lambda text: pytest.fail("asked"))
    samples = Samples(store, span)
    assert len(samples.keys()) == len(samples.labels) == 20
    with pytest.raises(BaseException, match="asked"):  # that is how numpy does
        np.lib.format.read_array_header_1_0(io.BytesIO(b"\x02\x00{}"))
