"""The Airflow assets that stand for datasets."""

from __future__ import annotations

from airflow.sdk import Asset


def span_asset(dataset: str) -> Asset:
    """The asset that has one event per bridged partition of a dataset: what a retraining DAG listens to.

    Args:
        dataset: Name of the dataset, letters, digits, `-` and `_`.
    """
    return Asset(name=f"mlplat-spans-{dataset}", uri=f"mlplat://spans/{dataset}", group="mlplat")
