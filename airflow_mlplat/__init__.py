"""Retrain image models inside Apache Airflow."""

__version__ = "0.1.0"
