from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.bridges.fingerprint import Fingerprint


def text(rows):
    fingerprint = Fingerprint()
    for row in rows:
        fingerprint.add(row)
    return fingerprint.text


ROWS = st.lists(st.binary(max_size=2), max_size=6)


@given(ROWS, ROWS)
def test_equal_exactly_for_equal_multisets(one, other):
    assert (text(one) == text(other)) == (sorted(one) == sorted(other))


def test_a_repeated_row_counts():
    assert len({text([]), text([b"a"]), text([b"a", b"a"]), text([b"a", b"a", b"a"])}) == 4
