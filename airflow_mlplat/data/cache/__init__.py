"""Whole shards of a remote store, kept in a folder of this host and shared by its processes. Import is cheap."""

from airflow_mlplat.data.cache.folder import ShardCache
from airflow_mlplat.data.cache.host import HostCache
from airflow_mlplat.data.cache.options import CacheOptions
from airflow_mlplat.data.cache.reader import CachedReader

__all__ = ["CacheOptions", "CachedReader", "HostCache", "ShardCache"]
