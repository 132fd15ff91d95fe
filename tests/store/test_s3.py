"""A store on a real S3 server, written by many, from its first span to its last garbage."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_mlplat.contract import ExitCode, JobResult, JobSpec
from airflow_mlplat.errors import ConfigError, StoreError
from airflow_mlplat.runtime.runner import run
from airflow_mlplat.store import Sample, Samples, SpanWriter, check_store, collect_garbage, npy_bytes, open_store, s3
from airflow_mlplat.store.backend import open_backend
from tests.store.test_backend import BackendSuite

pytestmark = pytest.mark.s3

KEYS = {"AWS_ACCESS_KEY_ID": "mlplat", "AWS_SECRET_ACCESS_KEY": "mlplat-secret", "AWS_DEFAULT_REGION": "us-east-1"}
"""Of tests/services/s3."""

WRITER = """
import sys, time
from airflow_mlplat.store.backend import open_backend
backend = open_backend(sys.argv[1])
backend.exists("blobs/a")
print("ready", flush=True)
for line in sys.stdin:
    print(backend.put_if_absent(line.strip(), sys.argv[2].encode() * 100_000), flush=True)
"""

FORKED = """
import os, sys
from airflow_mlplat.store.backend import open_backend
backend = open_backend(sys.argv[1])
print(backend.put_if_absent("blobs/a", b"1"), flush=True)
child = os.fork()
made = backend.put_if_absent("blobs/b", b"2"), backend.put_if_absent("blobs/a", b"3")
print(*made, backend.read("blobs/a"), flush=True)
if not child:
    os._exit(0)
os.waitpid(child, 0)
print(backend.put_if_absent("blobs/c", b"4"))
"""


@pytest.fixture
def url(monkeypatch):
    """A store in a bucket of its own."""
    pytest.importorskip("s3fs", reason="s3fs is not in the job half by itself")
    server = os.environ.get("MLPLAT_TEST_S3")
    if not server:
        pytest.skip("no S3 server: start one with tests/services/s3, put the URL that it prints into MLPLAT_TEST_S3")
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    files = open_backend(f"s3://{bucket}")._files()
    files.call_s3("create_bucket", Bucket=bucket)
    yield f"s3://{bucket}/a store"
    files.rm(bucket, recursive=True)


@pytest.fixture
def backend(url):
    return open_backend(url)


def calls(monkeypatch, backend, change):
    """Have a function look at the driver's requests: (method, arguments) → arguments, or it raises."""
    files = backend._files()
    ask = files.call_s3
    monkeypatch.setattr(files, "call_s3", lambda method, **arguments: ask(method, **change(method, arguments)))


def uploads(backend):
    """What is left of uploads in parts."""
    bucket = backend.url.split("/")[2]
    return backend._files().call_s3("list_multipart_uploads", Bucket=bucket).get("Uploads", [])


class TestS3(BackendSuite):
    tick_seconds = 1.1

    @pytest.fixture
    def backend(self, url):
        return open_backend(url)


class TestWriters:
    def test_of_many_threads_one_is_first_each_time(self, backend):
        with ThreadPoolExecutor(16) as pool:
            for number in range(20):
                start = threading.Barrier(16)

                def put(i, path=f"results/{number}", start=start):
                    start.wait()
                    return backend.put_if_absent(path, bytes([i]))

                won = list(pool.map(put, range(16)))
                assert sorted(won) == [False] * 15 + [True]
                assert backend.read(f"results/{number}") == bytes([won.index(True)])

    def test_of_many_processes_one_is_first_each_time(self, url):
        code = [sys.executable, "-c", WRITER, url]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        writers = [subprocess.Popen([*code, name], **pipes) for name in "abc"]
        assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 3
        for writer in writers:
            writer.stdin.write("".join(f"results/{number}\n" for number in range(20)))
            writer.stdin.close()
        told = [writer.stdout.read().split() for writer in writers]
        for writer in writers:
            writer.stdout.close()
            assert writer.wait() == 0
        for number in range(20):
            won = [name for name, said in zip("abc", told) if said[number] == "True"]
            assert open_backend(url).read(f"results/{number}") == won[0].encode() * 100_000
            assert len(won) == 1

    def test_a_forked_process_and_its_parent_go_on(self, url):
        code = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, url]
        ended = subprocess.run(code, capture_output=True, text=True, check=True)
        first, *both, last = ended.stdout.splitlines()
        assert (first, last, ended.stderr) == ("True", "True", "")
        assert sorted(both) == ["False False b'1'", "True False b'1'"]

    def test_large_files_are_put_in_parts(self, backend, monkeypatch):
        monkeypatch.setattr(s3, "ONE_PUT_BYTES", 1 << 20)
        monkeypatch.setattr(s3, "PART_BYTES", 5 << 20)
        backend.put_if_absent("blobs/b", b"1")  # so that all start at once
        start = threading.Barrier(4)

        def put(i):
            scratch = backend.scratch()
            scratch.write_bytes(bytes([i]) * (11 << 20))
            start.wait()
            return backend.put_if_absent("blobs/a", scratch), scratch.exists()

        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(put, range(4)))
        assert sorted(told) == [(False, False)] * 3 + [(True, False)]
        assert backend.read("blobs/a") == bytes([told.index((True, False))]) * (11 << 20)
        assert uploads(backend) == []

    def test_nothing_is_sent_for_what_is_there(self, backend, monkeypatch):
        backend.put_if_absent("blobs/a", b"1")
        sent = []
        calls(monkeypatch, backend, lambda method, rest: sent.append((method, rest.get("Body"))) or rest)
        assert not backend.put_if_absent("blobs/a", b"1")
        assert sent == [("head_object", None), ("put_object", b"")]


class TestFailures:
    @pytest.mark.parametrize("limit", [1 << 30, 1 << 20], ids=["whole", "parts"])
    def test_a_put_that_failed_is_repeated_from_the_start(self, backend, monkeypatch, limit):
        monkeypatch.setattr(s3, "ONE_PUT_BYTES", limit)
        monkeypatch.setattr(s3, "PART_BYTES", 5 << 20)
        failures = ["put_object", "upload_part", "complete_multipart_upload"]

        def fail(method, arguments):
            if arguments.get("Body") != b"" and method in failures:
                failures.remove(method)
                raise TimeoutError("the wire")
            return arguments

        scratch = backend.scratch()
        scratch.write_bytes(content := os.urandom(6 << 20))
        calls(monkeypatch, backend, fail)
        assert backend.put_if_absent("blobs/a", scratch)
        assert backend.read("blobs/a") == content
        assert len(failures) == (2 if limit > 1 << 20 else 1)
        assert uploads(backend) == []

    def test_a_server_that_does_not_honour_the_condition(self, backend, monkeypatch):
        def ignore(method, arguments):
            return {name: value for name, value in arguments.items() if name != "IfNoneMatch"}

        calls(monkeypatch, backend, ignore)
        told = r"server of the store s3://\S+ store does not honour If-None-Match: .* keep the store where conditional"
        with pytest.raises(ConfigError, match=told):
            backend.put_if_absent("blobs/a", b"1")
        assert not backend.exists("blobs/a")

    def test_no_bucket(self, url):
        with pytest.raises(
            StoreError, match=r"cannot be written to s3://none-\w+; got 404. see that the bucket exists"
        ):
            open_backend(f"s3://none-{uuid.uuid4().hex[:12]}").put_if_absent("blobs/a", b"1")

    def test_wrong_credentials_are_refused_and_not_told(self, url, monkeypatch):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
        told = (
            r"conditional-writes cannot be written to s3://\S+ store; got PermissionError 403. see that the store can"
        )
        with pytest.raises(StoreError, match=told) as error:
            open_backend(url).put_if_absent("blobs/a", b"1")
        assert not re.search("not-the-secret|Signature=|AWS4", str(error.value))

    def test_a_scratch_file_that_is_gone(self, backend, tmp_path):
        with pytest.raises(StoreError, match=r"none cannot be read; got No such file"):
            backend.put_if_absent("blobs/a", tmp_path / "none")


@pytest.fixture
def span(url, digits):
    """A span of 40 digits in four shards or more."""
    with SpanWriter(open_store(url), "digits", "2026-01-01", [str(n) for n in range(10)], shard_bytes=20_000) as writer:
        for row in range(40):
            writer.add(Sample(f"{row:04d}", npy_bytes(digits[0][row]), int(digits[1][row])))
        return writer.commit()


def test_what_is_named_is_whole_and_what_is_not_is_garbage(url, span):
    store = open_store(url)
    unnamed = store.put_blob(b"of a job that died")
    report = check_store(store)
    assert (report.problems, report.checked["samples"]) == ([], 40)
    assert collect_garbage(store, grace_seconds=60).files == 0
    time.sleep(2.1)  # ages are told in whole seconds
    touched = [entry for entry in store.backend.list(s3.TOUCHED)]
    assert len(touched) == 3 * len(store.manifest(span)["shards"])
    assert collect_garbage(store, grace_seconds=0).files == 1 + len(touched) + 1  # and the one of the condition
    assert not store.backend.exists(f"blobs/{unnamed}")
    assert [entry.path for entry in store.backend.list("")] == [
        entry.path for folder in ("manifests", "shards") for entry in store.backend.list(folder)
    ]
    assert check_store(store).problems == []


def test_touched_files_are_no_garbage(url):
    store = open_store(url)
    store.put_blob(b"1")
    time.sleep(1.1)
    between = time.time()
    time.sleep(1.1)
    sha256 = store.put_blob(b"1")
    assert collect_garbage(store, grace_seconds=time.time() - between).files == 1  # the one of the condition
    assert store.blob(sha256) == b"1"


def test_a_job_commits_there_through_the_host_cache_and_the_next_one_takes_it(url, span, tmp_path, monkeypatch):
    monkeypatch.setenv("MLPLAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLPLAT_CACHE_BYTES", str(1 << 20))
    spec = JobSpec("dataset", "digits", url, code_version="c", image="i", inputs={"spans": [span]})
    results = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        assert run(spec, tmp_path / name) == ExitCode.OK
        results.append(JobResult.from_json(json.loads((tmp_path / name / "result.json").read_text())))
    shards = len(open_store(url).manifest(span)["shards"])
    assert results[0].stats["cache"]["misses"] == shards == len(list((tmp_path / "cache/shards").glob("*.tar")))
    assert results[1] == results[0]
    assert len(Samples(open_store(url), results[0].outputs["dataset"])) == 40
    assert check_store(open_store(url)).problems == []
