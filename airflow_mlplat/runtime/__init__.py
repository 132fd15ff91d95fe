"""The job's own process: `python -m airflow_mlplat.runtime DIRECTORY/spec.json`."""
