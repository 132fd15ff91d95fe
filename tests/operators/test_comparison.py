"""What is compared with what."""

from __future__ import annotations

import pytest

from airflow_mlplat.contract import Ref

pytestmark = pytest.mark.airflow


def refs(*numbers: int) -> list[Ref]:
    return [Ref("predictions", "digits", f"{number:064x}") for number in numbers]


def test_the_key_of_a_comparison_does_not_depend_on_the_champion_or_on_order() -> None:
    from airflow_mlplat.operators.comparison import Comparison

    holdout, champion = Ref("dataset", "test", "f" * 64), Ref("model", "digits", "e" * 64)
    one = Comparison("digits", "champion", refs(1, 2), holdout, "2026-01-01", None)
    assert one.key == Comparison("digits", "champion", refs(2, 1), holdout, "2026-01-01", champion).key
    assert one.key != Comparison("digits", "champion", refs(1), holdout, "2026-01-01", None).key
    assert one.key != Comparison("digits", "champion", refs(1, 2), holdout, "2026-01-02", None).key


def test_wrong_challengers_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    from airflow_mlplat.errors import SpecError
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.operators.comparison import Comparison

    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    with pytest.raises(SpecError, match="challengers were not measured on one test set"):
        Comparison.of(JobHook(), "2026-01-01", [], "digits@champion")
