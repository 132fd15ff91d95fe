"""One folder for what the jobs of a host share."""

from __future__ import annotations

from airflow_mlplat.data.cache import HostCache
from airflow_mlplat.store import open_store


def test_distant_stores_alone_are_cached(served, tmp_path):
    host = HostCache(tmp_path / "cache", 1 << 20)
    assert host.streams == tmp_path / "cache/streams"
    assert host.reader(open_store(tmp_path / "store")) is None
    assert not host.folder.exists()
    with host.reader(open_store(served.url)) as reader:
        assert reader.cache.folder == tmp_path / "cache/shards"
