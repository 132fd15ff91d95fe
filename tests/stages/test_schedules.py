"""Learning rates over a training."""

from __future__ import annotations

import pytest

from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.stages.schedules import SCHEDULES


@pytest.mark.parametrize(("name", "factors"), [("constant", (1, 1, 1)), ("cosine", (1, 0.5, 0))])
def test_factors_at_start_middle_and_end(name, factors):
    assert tuple(SCHEDULES[name](done) for done in (0.0, 0.5, 1.0)) == pytest.approx(factors)


def test_a_step_has_its_rate():
    options = TrainOptions(shape=(8, 8, 1), learning_rate=0.2, schedule="cosine")
    rates = [options.rate(step, 10) for step in range(10)]
    assert rates[0] == 0.2
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] > 0
