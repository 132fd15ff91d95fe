"""The shared stream: trainers on one host that read the same decode once. Import is cheap."""

from airflow_mlplat.data.shared.consumer import SharedIterator
from airflow_mlplat.data.shared.spec import StreamOptions

__all__ = ["SharedIterator", "StreamOptions"]
