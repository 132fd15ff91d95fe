"""The exact test against exact arithmetic, and against values of scipy 1.x (`stats.binomtest`)."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.mcnemar import least_p_value, p_value


def exact(wins: int, losses: int) -> float:
    n = wins + losses
    return float(Fraction(sum(math.comb(n, k) for k in range(wins, n + 1)), 2**n))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 31, 64, 200])
def test_equals_exact_arithmetic_for_every_outcome(n):
    for wins in range(n + 1):
        assert p_value(wins, n - wins) == pytest.approx(exact(wins, n - wins), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("wins", "losses", "expected"),
    [
        (0, 0, 1.0),
        (5, 0, 0.03125),
        (0, 5, 1.0),
        (10, 2, 0.019287109375),
        (30, 14, 0.011314420602957398),
        (128, 97, 0.022629817723676816),
        (60, 60, 0.536342489455058),
        (1200, 1100, 0.019483426341910116),
        (51000, 50000, 0.0008348152279957008),
        (500500, 499500, 0.15889734568166486),
        (1002000, 998000, 0.00234403337164509),
        (3000, 1000, 1.245757269314963e-229),
    ],
)
def test_equals_scipy(wins, losses, expected):
    assert p_value(wins, losses) == pytest.approx(expected, rel=1e-7, abs=0)


def test_more_wins_never_raise_it():
    values = [p_value(wins, 500 - wins) for wins in range(501)]
    assert values == sorted(values, reverse=True)
    assert 0 < values[-1] < values[0] == 1.0


def test_the_least_is_that_of_winning_all():
    for n in (0, 1, 7, 900):
        assert least_p_value(n) == pytest.approx(p_value(n, 0), rel=1e-12)
    assert least_p_value(5000) == p_value(5000, 0) == 0.0


def test_negative_counts_are_refused():
    with pytest.raises(SpecError, match=r"counts of discordant samples are negative; got \(-1, 3\)"):
        p_value(-1, 3)
