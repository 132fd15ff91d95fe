"""The gate's task; the way through the whole job is in test_job.py."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from airflow_mlplat.contract import Ref

pytestmark = pytest.mark.airflow


def test_a_promotion_that_was_rendered_to_text_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """The text "False" would be true, and promote without the person who was to be asked."""
    from airflow.sdk.exceptions import AirflowFailException

    from airflow_mlplat.operators import CompareOperator

    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    compare = CompareOperator(task_id="compare", challengers=[], champion="digits@champion", promote="False")
    with pytest.raises(AirflowFailException, match="render_template_as_native_obj=True"):
        compare.execute({})


RESULTS = itertools.count()


class Made:
    """Puts made-up results into a home's store and catalog."""

    def __init__(self) -> None:
        from airflow_mlplat.hooks.jobs import JobHook

        self.hook = JobHook()

    def __call__(self, stage: str, kind: str, name: str, partition: str = "2026-01-01", **facts: object) -> tuple:
        """(spec, result, reference) of a job with one output."""
        from airflow_mlplat.catalog import RunInfo
        from airflow_mlplat.contract import JobResult

        document = {"format": 1, "kind": kind, "name": name, "files": {}, "parents": [], **facts}
        ref = self.hook.store.put_manifest(document)
        params = {"number": next(RESULTS), "looks": 0}
        spec = self.hook.spec(stage, name, launcher="process", params=params, inputs={})
        result = self.hook.store.put_result(JobResult(spec.key, stage, {kind: ref}))
        self.hook.record(spec, result, RunInfo("dag", "run", stage, -1, partition))
        return spec, result, ref

    def promote(self, challenger: Ref, champion: Ref | None, partition: str) -> None:
        from airflow_mlplat.catalog import DecisionInput, RunInfo

        run = RunInfo("dag", "run", "compare", -1, partition)
        key, expected = f"{challenger.digest}-{partition}", champion.digest if champion else None
        decision = DecisionInput(key, "digits", "promoted", "better", challenger.digest, expected, partition, run)
        assert self.hook.catalog.decide(decision).outcome == "promoted"


def test_one_job_may_serve_several_partitions_each_with_its_own_decision(home: Path) -> None:
    """Equal predictions are one comparison's job; but only some of the days are older than the champion."""
    from airflow_mlplat.catalog import RunInfo
    from airflow_mlplat.operators import CompareOperator

    made = Made()
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
