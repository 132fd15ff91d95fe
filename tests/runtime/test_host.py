"""Jobs of a distant store read its shards through the host's cache; those of a local one do not."""

from __future__ import annotations

import json
import threading

import pytest

from airflow_mlplat.contract import ExitCode, JobSpec
from airflow_mlplat.errors import ConfigError
from airflow_mlplat.runtime.host import host_cache, shard_reader
from airflow_mlplat.runtime.runner import run
from airflow_mlplat.store import Sample, Samples, SpanWriter, open_store
from benchmarks.range_server import Server


@pytest.fixture
def span(tmp_path):
    """A span of 40 samples in a local store."""
    with SpanWriter(open_store(tmp_path / "store"), "photos", "2026-01-01", ["cat"], shard_bytes=20_000) as writer:
        for i in range(40):
            writer.add(Sample(f"{i:04d}", bytes([i]) * 1000, 0))
        return writer.commit()


@pytest.fixture
def served(span, tmp_path):
    """The store behind a web server."""
    server = Server(tmp_path / "store", 0, 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    store = open_store(server.url)
    yield store
    store.backend.close()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_distant_store_is_read_through_the_cache(served, span, tmp_path):
    environment = {"MLPLAT_CACHE": str(tmp_path / "cache"), "MLPLAT_CACHE_BYTES": str(1 << 20)}
    for hits, misses in ((36, 4), (40, 0)):
        with shard_reader(served, host_cache(environment)) as reader:
            samples = Samples(served, span, reader)
            assert [samples.media(i)[:1] for i in range(40)] == [bytes([i]) for i in range(40)]
            stats = reader.stats()
        assert (stats["hits"], stats["misses"]) == (hits, misses)
    assert len(list((tmp_path / "cache/shards").glob("*.tar"))) == 4


def test_a_local_store_needs_no_cache(tmp_path, span):
    environment = {"MLPLAT_CACHE": str(tmp_path / "cache"), "MLPLAT_CACHE_BYTES": "1"}
    with shard_reader(open_store(tmp_path / "store"), host_cache(environment)) as reader:
        assert reader is None
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("size", [{}, {"MLPLAT_CACHE_BYTES": "0"}, {"MLPLAT_CACHE_BYTES": "20G"}])
def test_a_folder_without_a_size(tmp_path, size):
    with pytest.raises(
        ConfigError,
        match=r"MLPLAT_CACHE_BYTES is not a size; expected bytes > 0, beside MLPLAT_CACHE; got '.*'. set both",
    ):
        host_cache({"MLPLAT_CACHE": str(tmp_path / "cache"), **size})


def test_without_a_launcher_that_tells_where(served):
    assert host_cache({}) is host_cache({"MLPLAT_CACHE": ""}) is None
    with shard_reader(served, None) as reader:
        assert reader is None


def test_a_job_on_a_store_that_can_only_be_read_fails_before_it_works(served, tmp_path):
    def work(job):
        raise AssertionError("it works")

    spec = JobSpec("work", "photos", served.url, code_version="c", image="i")
    assert run(spec, tmp_path, {"work": work}) == ExitCode.USER_ERROR
    error = json.loads((tmp_path / "result.json").read_text())["error"]
    assert (error["type"], "can only be read" in error["message"]) == ("ConfigError", True)
