"""The Airflow assets that stand for datasets."""

from __future__ import annotations

from airflow.sdk import Asset

from airflow_mlplat.contract import check_name


def span_asset(dataset: str) -> Asset:
    """The asset that has one event per bridged partition of a dataset: what a retraining DAG listens to.

    Args:
        dataset: Name of the dataset.

    Raises:
        SpecError: It is no name.
    """
    check_name(dataset)
    return Asset(name=f"mlplat-spans-{dataset}", uri=f"mlplat://spans/{dataset}", group="mlplat")
