"""Sensors: wait for a source."""

from airflow_mlplat.sensors.partition import SqlPartitionSensor

__all__ = ["SqlPartitionSensor"]
