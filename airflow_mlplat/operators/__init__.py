"""Operators: one per stage of the main job, and what a DAG file needs beside them."""

from airflow_mlplat.hooks.assets import span_asset
from airflow_mlplat.hooks.partition import resolve_partition
from airflow_mlplat.operators.bridge import BridgeOperator
from airflow_mlplat.operators.compare import CompareOperator
from airflow_mlplat.operators.dataset import BuildDatasetOperator
from airflow_mlplat.operators.evaluate import EvaluateOperator
from airflow_mlplat.operators.predict import PredictOperator
from airflow_mlplat.operators.promote import PromoteOperator
from airflow_mlplat.operators.train import TrainOperator

__all__ = [
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
