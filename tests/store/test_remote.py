"""Stores behind fsspec's drivers. Without fsspec: what is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_mlplat.errors import ConfigError, NotFoundError, StoreError
from airflow_mlplat.store import Samples, check_store, open_store, remote, retry
from airflow_mlplat.store.backend import open_backend

CODE = """
import sys
sys.modules[sys.argv[1]] = None
from airflow_mlplat.errors import ConfigError
from airflow_mlplat.store import open_store
try:
    open_store(sys.argv[2])
except ConfigError as error:
    print(error)
"""


class Hdfs(BaseHTTPRequestHandler):
    """The reading half of WebHDFS over a dict, with the redirect to a data node."""

    protocol_version = "HTTP/1.1"
    files: ClassVar[dict] = {}
    asked: ClassVar[list] = []
    failures: ClassVar[list] = []

    def do_GET(self):
        parts = urlsplit(self.path)
        query = {name.lower(): values[0] for name, values in parse_qs(parts.query).items()}
        path = parts.path[len("/webhdfs/v1") :]
        Hdfs.asked.append((query["op"], query.get("length")))
        if Hdfs.failures:
            self.answer(Hdfs.failures.pop(), {"RemoteException": {"exception": "StandbyException", "message": "m"}})
        elif path not in Hdfs.files and not any(name.startswith(path + "/") for name in Hdfs.files):
            self.answer(404, {"RemoteException": {"exception": "FileNotFoundException", "message": path}})
        elif query["op"] == "GETFILESTATUS":
            self.answer(200, {"FileStatus": self.status(path, "")})
        elif query["op"] == "LISTSTATUS":
            children = sorted({n[len(path) + 1 :].split("/")[0] for n in Hdfs.files if n.startswith(path + "/")})
            found = [self.status(f"{path}/{child}", child) for child in children]
            self.answer(200, {"FileStatuses": {"FileStatus": found}})
        elif "noredirect" not in query and "node" not in query:
            self.send_response(307)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}{self.path}&node=1")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            start = int(query.get("offset", 0))
            self.answer(200, Hdfs.files[path][start:][: int(query.get("length", 1 << 40))])

    def status(self, path, suffix):
        size = len(Hdfs.files.get(path, b""))
        kind = "FILE" if path in Hdfs.files else "DIRECTORY"
        return {"length": size, "type": kind, "pathSuffix": suffix, "modificationTime": 1_700_000_000_123}

    def answer(self, status, body):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if isinstance(body, bytes) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hdfs(monkeypatch):
    """URL of a WebHDFS store with two files."""
    pytest.importorskip("requests", reason="requests is not in the job half by itself")
    monkeypatch.setattr(retry, "PAUSE_SECONDS", 0.01)
    Hdfs.files = {"/data/store/blobs/a": b"0123456789", "/data/store/blobs/b/c": b"1"}
    Hdfs.asked, Hdfs.failures = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hdfs)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"webhdfs://me@127.0.0.1:{server.server_port}/data/store"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # requests closes its connections when it likes
class TestWebHdfs:
    def test_reading(self, hdfs):
        backend = open_backend(hdfs)
        assert backend.url == hdfs
        assert backend.read("blobs/a") == b"0123456789"
        assert backend.read_range("blobs/a", 8, 4) == b"89"
        assert backend.read_range("blobs/a", 10, 4) == backend.read_range("blobs/a", 3, 0) == b""
        assert (backend.size("blobs/a"), backend.exists("blobs/a"), backend.exists("blobs/b")) == (10, True, False)
        assert [tuple(entry) for entry in backend.list("blobs")] == [
            ("blobs/a", 10, 1_700_000_000.123), ("blobs/b/c", 1, 1_700_000_000.123),
        ]  # fmt: skip
        assert list(backend.list("results")) == []

    def test_a_range_is_asked_for_alone(self, hdfs):
        backend = open_backend(hdfs)
        assert backend.read_range("blobs/a", 3, 4) == b"3456"
        assert {length for op, length in Hdfs.asked if op == "OPEN"} == {"4"}

    def test_absent(self, hdfs):
        with pytest.raises(NotFoundError, match=r"blobs/x is not in the store webhdfs://me@127"):
            open_backend(hdfs).read("blobs/x")

    def test_failures(self, hdfs):
        backend = open_backend(hdfs)
        Hdfs.failures = [500] * (remote.ATTEMPTS - 1)
        assert backend.size("blobs/a") == 10
        Hdfs.failures = [500] * 100
        with pytest.raises(StoreError, match=r"blobs/a cannot be read from webhdfs://\S+; got RuntimeError"):
            backend.size("blobs/a")
        Hdfs.failures = []

    def test_writing_is_refused(self, hdfs):
        with pytest.raises(ConfigError, match=r"the store webhdfs://\S+ can only be read"):
            open_store(hdfs).put_blob(b"1")

    def test_a_password_is_in_no_text(self, hdfs):
        backend = open_backend(hdfs.replace("me@", "me:hush@"))
        assert backend.url == hdfs


@pytest.fixture
def distant(store, span):
    """(URL of a copy on a real HDFS of the store with one span, the span)"""
    pytest.importorskip("requests", reason="requests is not in the job half by itself")
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not in the job half by itself")
    server = os.environ.get("MLPLAT_TEST_HDFS")
    if not server:
        pytest.skip("no HDFS: start one with tests/services/hdfs, put the URL that it prints into MLPLAT_TEST_HDFS")
    files, root = fsspec.core.url_to_fs(f"{server}/test-{uuid.uuid4().hex[:12]}/store")
    for entry in store.backend.list(""):
        with files.open(f"{root}/{entry.path}", "wb") as file:
            file.write(store.backend.read(entry.path))
    yield f"{server}{root}", span
    files.rm(root.rpartition("/")[0], recursive=True)


@pytest.mark.hdfs
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # as above
class TestRealWebHdfs:
    def test_a_store_is_whole_there(self, distant, samples):
        url, span = distant
        store = open_store(url)
        report = check_store(store)
        assert (report.problems, report.checked["samples"]) == ([], 20)
        assert [Samples(store, span).media(row) for row in range(20)] == [sample.media for sample in samples]

    def test_ranges_sizes_and_what_is_absent(self, distant, store):
        backend = open_backend(distant[0])
        here = list(store.backend.list("shards"))
        there = list(backend.list("shards"))
        assert [entry[:2] for entry in there] == [entry[:2] for entry in here]
        assert all(abs(entry.modified - time.time()) < 600 for entry in there)
        path, size, _ = here[0]
        content = store.backend.read(path)
        assert backend.read(path) == content
        assert (backend.size(path), backend.exists(path), backend.exists("shards")) == (size, True, False)
        for offset, count in ((0, 10), (7, 100), (size - 3, 10), (size, 4), (size + 5, 4), (3, 0)):
            assert backend.read_range(path, offset, count) == content[offset:][:count]
        with pytest.raises(NotFoundError, match=r"shards/x is not in the store webhdfs://\S+/store"):
            backend.read_range("shards/x", 0, 1)
        assert list(backend.list("results")) == []


@pytest.mark.parametrize(
    ("package", "url", "told"),
    [
        ("fsspec", "memory://store", "no driver for memory:// stores; got .*. install fsspec"),
        ("requests", "webhdfs://host/store", "no driver for webhdfs:// stores; got .*. install requests beside fsspec"),
        ("s3fs", "s3://bucket/store", "no driver for s3:// stores; got .*. install s3fs beside fsspec"),
    ],
)
def test_drivers_that_are_not_there(package, url, told):
    said = subprocess.check_output([sys.executable, "-c", CODE, package, url], text=True)
    with pytest.raises(ConfigError, match=told):
        raise ConfigError(said)


@pytest.mark.parametrize("url", ["memory://", "s3://", "webhdfs:///", "memory://a::file:///etc"])
def test_urls_that_name_no_store(url):
    with pytest.raises(ConfigError, match=r"no URL of a store; expected \w+://host/path"):
        open_backend(url)


class Answer(Exception):
    """As botocore's ClientError."""

    def __init__(self, status):
        super().__init__("https://host/?X-Amz-Signature=hush")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(
    ("status", "kind", "told", "calls"),
    [
        (404, NotFoundError, "blobs/a is not in the store memory://told", 1),
        (403, StoreError, "blobs/a cannot be read from memory://told; got OSError 403", 1),
        (503, StoreError, "blobs/a cannot be read from memory://told; got OSError 503", remote.ATTEMPTS),
    ],
)
def test_object_stores_answer_in_their_own_way(monkeypatch, status, kind, told, calls):
    pytest.importorskip("fsspec", reason="fsspec is not in the job half by itself")
    monkeypatch.setattr(retry, "PAUSE_SECONDS", 0.001)
    backend, asked = open_backend("memory://told"), []

    def refuse(path):
        asked.append(path)
        raise OSError("no") from Answer(status)

    monkeypatch.setattr(backend._files(), "cat_file", refuse)
    with pytest.raises(kind, match=told) as error:
        backend.read("blobs/a")
    assert len(asked) == calls
    assert "hush" not in str(error.value)


def test_a_range_beyond_the_end_is_empty_where_the_driver_refuses_it(monkeypatch):
    pytest.importorskip("fsspec", reason="fsspec is not in the job half by itself")
    backend = open_backend("memory://told")

    def refuse(path, start, end):
        raise OSError("no") from Answer(416)

    monkeypatch.setattr(backend._files(), "cat_file", refuse)
    assert backend.read_range("blobs/a", 10, 4) == b""


def test_a_scratch_file_that_is_gone(tmp_path):
    pytest.importorskip("fsspec", reason="fsspec is not in the job half by itself")
    with pytest.raises(StoreError, match=r"none cannot be read; got No such file"):
        open_backend("memory://gone").put_if_absent("blobs/a", tmp_path / "none")
