"""The share of samples that is held out."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.stages.held_out import held_out

KEYS = np.array([f"{n:05d}".encode() for n in range(10_000)])


def test_the_share_is_about_the_fraction():
    for fraction in (0.1, 0.5):
        assert abs(held_out(KEYS, fraction).mean() - fraction) < 0.02
    assert not held_out(KEYS, 0.0).any()


def test_a_sample_is_held_out_whatever_else_is_there():
    assert (held_out(KEYS[5000:], 0.2) == held_out(KEYS, 0.2)[5000:]).all()


def test_a_larger_fraction_holds_out_more_of_the_same():
    assert (held_out(KEYS, 0.3) | ~held_out(KEYS, 0.1)).all()


def test_which_ones_are_golden():
    """A change here changes models that hold samples out."""
    assert np.flatnonzero(held_out(KEYS[:60], 0.1)).tolist() == [15, 44, 50, 51]
