"""Carrying out a recommendation; the way through the whole job is in test_job.py."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow


def test_a_decision_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from airflow_mlplat.operators import PromoteOperator

    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    decision = {"kind": "decision", "name": "digits", "digest": "0" * 64}
    with pytest.raises(AirflowFailException, match="NotFoundError"):
        PromoteOperator(task_id="promote", decision=decision).execute({})
