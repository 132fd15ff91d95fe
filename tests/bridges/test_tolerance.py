from __future__ import annotations

import pytest

from airflow_mlplat.bridges.tolerance import Tolerance
from airflow_mlplat.errors import DataError, SpecError


@pytest.mark.parametrize(
    ("fraction", "samples", "bad", "refused"),
    [
        (0.01, 99, 1, False),  # exactly the limit
        (0.01, 98, 2, True),
        (0.0, 10, 0, False),
        (0.0, 10**6, 1, True),
        (1.0, 1, 999, False),
    ],
)
def test_the_limit(fraction, samples, bad, refused):
    tolerance = Tolerance(fraction)
    if refused:
        with pytest.raises(DataError, match="too many bad records"):
            tolerance.check("p", samples, {"no key": bad}, {})
    else:
        tolerance.check("p", samples, {"no key": bad} if bad else {}, {})


def test_the_refusal_counts_reasons_with_examples():
    with pytest.raises(DataError) as error:
        Tolerance().check("partition 2026-01-01 of photos", 1, {"no key": 2, "bad key": 1}, {"bad key": "'k' why"})
    assert str(error.value) == (
        "partition 2026-01-01 of photos has too many bad records; expected at most 0.01 of them; "
        "got 3 of 4 (bad key: 1 (such as 'k' why); no key: 2). mend the source, or raise max_bad_fraction."
    )


def test_empty_partitions():
    with pytest.raises(
        DataError, match=r"p has no samples; expected at least one; got no records\. wait until .* allow_empty=True"
    ):
        Tolerance().check("p", 0, {}, {})
    with pytest.raises(DataError, match="got 3 records, all bad"):
        Tolerance(1.0).check("p", 0, {"no key": 3}, {})
    Tolerance(1.0, allow_empty=True).check("p", 0, {"no key": 3}, {})
    Tolerance(allow_empty=True).check("p", 0, {}, {})


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_the_fraction_is_one(fraction):
    with pytest.raises(SpecError, match="max_bad_fraction is no fraction; expected 0 to 1"):
        Tolerance(fraction)
