"""The functions are right; that they are the same everywhere is what they are made of, and the golden bits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.data.augment.exact import cosine, exp, log, sine

GOLDEN = [
    "0x1.1aec7b35a00d4p+0", "0x1.1ed3fe64fc542p+2", "0x1.11e18088a599cp+112",
    "-0x1.26bb1bbb55515p+1", "0x1.9f323ecbf984cp-2", "0x1.16952e37a90acp+2",
    "0x1.ffffcce4c8e64p-1", "0x1.ffd315bbf4275p-1", "0x1.b4494670d798cp-3",
    "0x1.c98701025eb1fp-10", "0x1.ace214390ca92p-6", "0x1.f43f5149cd4ecp-1",
]  # fmt: skip


@given(st.floats(-700, 700))
def test_exp(x):
    assert exp(x) == pytest.approx(math.exp(x), rel=1e-12)


@given(st.floats(1e-300, 1e300))
def test_log(x):
    assert log(x) == pytest.approx(math.log(x), rel=1e-13, abs=1e-14)


@given(st.floats(-180, 180))
def test_cosine_and_sine(degrees):
    assert cosine(degrees) == pytest.approx(math.cos(math.radians(degrees)), abs=1e-14)
    assert sine(degrees) == pytest.approx(math.sin(math.radians(degrees)), abs=1e-14)


def test_golden():
    found = [f(x).hex() for f in (exp, log, cosine, sine) for x in (0.1, 1.5, 77.7)]
    assert found == GOLDEN
