"""Rows that are asked for: whole numbers, of those that are there."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.store.rows import row_numbers


@pytest.mark.parametrize("rows", [[4, 0, 4], (4, 0, 4), np.array([4, 0, 4], np.uint8)])
def test_rows(rows):
    found = row_numbers(rows, 5)
    assert (found.dtype, found.tolist()) == (np.int64, [4, 0, 4])


@pytest.mark.parametrize("rows", [[], np.array([], np.float64), ()])
def test_no_rows(rows):
    assert row_numbers(rows, 0).tolist() == []


@pytest.mark.parametrize(("rows", "told"), [
    ([True, False], r"bool \(2,\)"), ([0.5], r"float64 \(1,\)"), ([[0]], r"int64 \(1, 1\)"), (3, r"int64 \(\)"),
    (["0"], r"<U1 \(1,\)"), (None, r"object \(\)"),
])  # fmt: skip
def test_what_is_no_list_of_rows(rows, told):
    with pytest.raises(SpecError, match=rf"rows are no list of whole numbers; expected int64 \(m,\); got {told}\."):
        row_numbers(rows, 5)


@pytest.mark.parametrize(("rows", "row"), [([0, 5, 1], 5), ([0, -1], -1), (np.array([200], np.uint8), 200)])
def test_rows_that_are_not_there(rows, row):
    with pytest.raises(IndexError, match=f"row {row} of 5 samples"):
        row_numbers(rows, 5)
