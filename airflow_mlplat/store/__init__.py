"""Bytes at rest: spans of samples, manifests, blobs, results. The bytes are described in FORMAT.md."""

from __future__ import annotations

from airflow_mlplat.store.adoption import adopt
from airflow_mlplat.store.backend import BACKENDS
from airflow_mlplat.store.check import CheckReport, Problem, check_store
from airflow_mlplat.store.garbage import GarbageReport, collect_garbage
from airflow_mlplat.store.grant import grant
from airflow_mlplat.store.index import npy_bytes
from airflow_mlplat.store.samples import Samples
from airflow_mlplat.store.span import Sample, SpanWriter
from airflow_mlplat.store.store import Store, open_store

__all__ = [
    "BACKENDS",
    "CheckReport",
    "GarbageReport",
    "Problem",
    "Sample",
    "Samples",
    "SpanWriter",
    "Store",
    "adopt",
    "check_store",
    "collect_garbage",
    "grant",
    "npy_bytes",
    "open_store",
]
