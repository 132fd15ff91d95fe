"""The independent data iterator: order, decoding, batches; adapters to frameworks. Import is cheap."""

from airflow_mlplat.data.batch import Batch, batch_digest
from airflow_mlplat.data.decode import decode
from airflow_mlplat.data.iterator import BatchIterator
from airflow_mlplat.data.options import IteratorOptions
from airflow_mlplat.data.order import permute
from airflow_mlplat.data.source import SampleSource
from airflow_mlplat.data.subset import Subset

__all__ = [
    "Batch",
    "BatchIterator",
    "IteratorOptions",
    "SampleSource",
    "Subset",
    "batch_digest",
    "decode",
    "permute",
]
