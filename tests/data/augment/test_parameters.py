"""What each kind of parameter takes, in which form, and how it says so."""

from __future__ import annotations

import pytest

from airflow_mlplat.data.augment.parameters import Choice, Interval, Number, Whole


@pytest.mark.parametrize(
    ("parameter", "value", "canonical"),
    [
        (Number(0, 180), 15, "15.0"),
        (Number(0, 180), 0.5, "0.5"),
        (Number(0, 180), 180.5, "None"),
        (Number(0, 180), -1, "None"),
        (Number(0, 180), float("nan"), "None"),
        (Number(0, 180), True, "None"),
        (Number(0, 180), "15", "None"),
        (Number(0, 180), None, "None"),
        (Whole(0, 9), 9, "9"),
        (Whole(0, 9), 10, "None"),
        (Whole(0, 9), 4.0, "None"),
        (Whole(0, 9), True, "None"),
        (Interval(0, 1), (0, 1), "[0.0, 1.0]"),
        (Interval(0, 1), [0.5, 0.5], "[0.5, 0.5]"),
        (Interval(0, 1), [0.6, 0.5], "None"),
        (Interval(0, 1), [0.5, 1.5], "None"),
        (Interval(0, 1), [0.5], "None"),
        (Interval(0, 1), 0.5, "None"),
        (Interval(0, 1), ["0", "1"], "None"),
        (Choice(("zero", "reflect")), "zero", "'zero'"),
        (Choice(("zero", "reflect")), "wrap", "None"),
        (Choice(("zero", "reflect")), ["zero"], "None"),
    ],
)
def test_canonical(parameter, value, canonical):
    assert repr(parameter.canonical(value)) == canonical


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (Number(0, 180), "a number 0 … 180"),
        (Whole(1, 16000), "a whole number 1 … 16000"),
        (Interval(0.0001, 1), "[from, to], 0.0001 … 1"),
        (Choice(("zero", "reflect")), "zero | reflect"),
    ],
)
def test_expected(parameter, expected):
    assert parameter.expected == expected
