"""Seeds: golden, because models made before would be others."""

from __future__ import annotations

from airflow_mlplat.runtime.frameworks.seeds import mixed_seed


def test_they_are_golden():
    assert (mixed_seed(0, 0), mixed_seed(3, 2), mixed_seed(3, 2, 1)) == (1234797308, 1663410270, 699989139)


def test_each_is_another_and_fits_a_c_int():
    found = {mixed_seed(seed, stretch, rank) for seed in range(5) for stretch in range(5) for rank in range(5)}
    assert len(found) == 125
    assert 0 <= min(found) <= max(found) < 2**31
