"""What predicting is asked for; the job itself is in test_job.py."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


def test_the_spec_is_the_models_framework_on_the_dataset(made) -> None:
    from airflow_mlplat.operators import PredictOperator

    _, _, model = made("train", "model", "digits", framework="mxnet")
    _, _, dataset = made("dataset", "dataset", "test")
    predict = PredictOperator(task_id="predict", model=model.to_json(), dataset="test", options={"batch_size": 8})
    spec = predict.spec(made.hook, "2026-01-31")
    assert (spec.stage, spec.name, spec.framework) == ("predict", "digits", "mxnet")
    assert spec.inputs == {"model": [model], "dataset": [dataset]}
    assert spec.params == {"batch_size": 8}
    again = PredictOperator(task_id="predict", model=model.to_json(), dataset=dataset.to_json())
    assert again.spec(made.hook, "2026-01-31").key != spec.key


def test_outputs_of_other_tasks_are_told(made) -> None:
    from airflow_mlplat.errors import SpecError
    from airflow_mlplat.operators import PredictOperator

    _, _, dataset = made("dataset", "dataset", "test")
    swapped = PredictOperator(task_id="predict", model=dataset.to_json(), dataset=dataset.to_json())
    with pytest.raises(SpecError, match=r"the task needs model to work on; .* got {'kind': 'dataset'"):
        swapped.spec(made.hook, "2026-01-31")
