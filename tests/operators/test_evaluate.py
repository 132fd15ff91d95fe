"""What evaluating is asked for; the job itself is in test_job.py."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


def test_the_spec_is_the_predictions(made) -> None:
    from airflow_mlplat.errors import SpecError
    from airflow_mlplat.operators import EvaluateOperator

    _, _, scores = made("predict", "predictions", "digits")
    spec = EvaluateOperator(task_id="evaluate", predictions=scores.to_json()).spec(made.hook, "2026-01-31")
    assert (spec.stage, spec.name, spec.framework) == ("evaluate", "digits", None)
    assert spec.inputs == {"predictions": [scores]}
    with pytest.raises(SpecError, match="the task needs predictions to work on"):
        EvaluateOperator(task_id="evaluate", predictions=None).spec(made.hook, "2026-01-31")
