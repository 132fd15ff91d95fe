"""Intervals against published values, and their coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.stages.intervals import paired_difference, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_equals_published_values(successes, n, low, high):
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_at_its_edges():
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 5)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0


def test_paired_difference_is_antisymmetric_and_holds_its_estimate():
    low, high = paired_difference(30, 10, 1000)
    assert low < 0.02 < high
    assert paired_difference(10, 30, 1000) == pytest.approx((-high, -low))


def test_paired_difference_covers_the_truth():
    random, n, gained, lost = np.random.RandomState(0), 500, 0.05, 0.03
    cells = random.multinomial(n, [gained, lost, 1 - gained - lost], 2000)
    bounds = np.array([paired_difference(int(b), int(c), n) for b, c, _ in cells])
    covered = np.mean((bounds[:, 0] <= gained - lost) & (gained - lost <= bounds[:, 1]))
    assert 0.94 <= covered <= 0.97
