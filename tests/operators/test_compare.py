"""The gate's task; the way through the whole job is in test_job.py."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


def test_a_promotion_that_was_rendered_to_text_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """The text "False" would be true, and promote without the person who was to be asked."""
    from airflow.sdk.exceptions import AirflowFailException

    from airflow_mlplat.operators import CompareOperator

    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    compare = CompareOperator(task_id="compare", challengers=[], champion="digits@champion", promote="False")
    with pytest.raises(AirflowFailException, match="render_template_as_native_obj=True"):
        compare.execute({})


def test_one_job_may_serve_several_partitions_each_with_its_own_decision(made) -> None:
    """Equal predictions are one comparison's job; but only some of the days are older than the champion."""
    from airflow_mlplat.catalog import RunInfo
    from airflow_mlplat.operators import CompareOperator

    _, _, holdout = made("dataset", "dataset", "test")
    # A model may have another name than the alias that it holds.
    _, _, first = made("train", "model", "digits-cnn", number=1)
    _, _, late = made("train", "model", "digits-cnn", "2026-01-05", number=2)
    made.promote(first, None, "2026-01-01")
    made.promote(late, first, "2026-01-05")
    _, _, challenger = made("train", "model", "digits", number=3)
    parents = [challenger.to_json(), holdout.to_json()]
    _, _, scores = made("predict", "predictions", "digits", dataset=holdout.digest, parents=parents)
    spec, result, _ = made(
        "compare", "decision", "digits", outcome="promoted", reason="better", looks_spent=1,
        challenger=challenger.digest, champion=late.digest,
    )  # fmt: skip
    compare = CompareOperator(task_id="compare", challengers=[scores.to_json()], champion="digits@champion")
    assert compare.comparison(made.hook, "2026-01-06").champion == late

    def decide(partition: str):
        return compare.decide(made.hook, spec, result, RunInfo("dag", "run", "compare", -1, partition))

    early = decide("2026-01-03")
    assert (early.outcome, early.challengers) == ("rejected", 0)
    assert made.hook.catalog.compared(compare.comparison(made.hook, "2026-01-03").key) is None
    assert decide("2026-01-03") == early
    assert decide("2026-01-06").outcome == "promoted"
    assert made.hook.catalog.alias("digits").digest == challenger.digest
