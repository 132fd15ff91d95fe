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
