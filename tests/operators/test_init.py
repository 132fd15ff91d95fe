"""The public names, and how wide operators are."""

from __future__ import annotations

import inspect

import pytest

pytestmark = pytest.mark.airflow


def test_public_names() -> None:
    from airflow_mlplat import operators

    assert operators.__all__ == [
        "BridgeOperator",
        "BuildDatasetOperator",
        "CompareOperator",
        "EvaluateOperator",
        "PredictOperator",
        "PromoteOperator",
        "TrainOperator",
        "resolve_partition",
        "span_asset",
    ]


def test_no_operator_has_more_than_ten_parameters_of_its_own() -> None:
    from airflow.sdk import BaseOperator

    from airflow_mlplat import operators

    for name in operators.__all__:
        operator = getattr(operators, name)
        if inspect.isclass(operator):
            own = [cls for cls in operator.__mro__[: operator.__mro__.index(BaseOperator)] if "__init__" in vars(cls)]
            parameters = {p for cls in own for p in inspect.signature(cls.__init__).parameters} - {"self", "kwargs"}
            assert len(parameters) <= 10, (name, parameters)
            for field in operator.template_fields:
                assert field in parameters
