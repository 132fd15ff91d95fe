"""The loss scale: it halves, it doubles, and it goes on."""

from __future__ import annotations

from airflow_mlplat.runtime.frameworks.loss_scale import GROW_STEPS, START, LossScale


def test_it_halves_where_gradients_overflow_and_not_below_one():
    scale = LossScale()
    scale.update(False)
    assert scale.value == START / 2
    for _ in range(50):
        scale.update(False)
    assert scale.value == 1.0


def test_it_doubles_after_many_good_steps_in_a_row():
    scale = LossScale()
    for _ in range(GROW_STEPS - 1):
        scale.update(True)
    scale.update(False)
    for _ in range(GROW_STEPS - 1):
        scale.update(True)
    assert scale.value == START / 2
    scale.update(True)
    assert scale.value == START


def test_it_goes_on_where_it_was():
    scale, again = LossScale(), LossScale()
    scale.update(False)
    for _ in range(GROW_STEPS - 1):
        scale.update(True)
    again.load(scale.state())
    again.update(True)
    assert again.value == START
