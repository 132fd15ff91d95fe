"""A store behind a real web server."""

from __future__ import annotations

import base64
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from airflow_mlplat.errors import ConfigError, CorruptionError, NotFoundError, StoreError
from airflow_mlplat.store import Samples, http, open_store, retry
from airflow_mlplat.store.backend import open_backend
from benchmarks.range_server import Server


@pytest.fixture
def served(store, monkeypatch):
    """The store's folder behind a web server without delays."""
    monkeypatch.setattr(retry, "PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("HOME", str(store.backend.root))  # whatever the user's own .netrc says
    store.backend.root.mkdir()
    server = Server(store.backend.root, 0, 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def backend(served):
    """A backend of it."""
    return open_backend(served.url)


class Odd(BaseHTTPRequestHandler):
    """Answers by path, in ways that a plain server does not; remembers what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list] = []

    def do_GET(self):
        Odd.asked.append((self.path, self.headers.get("Authorization"), id(self)))
        answers = {
            "/whole": (200, {}, b"0123456789"),
            "/other": (206, {"Content-Range": "bytes 0-1/10"}, b"01"),
            "/more": (206, {"Content-Range": "bytes 2-8/10"}, b"2345678"),
            "/untold": (206, {}, b"2345"),
            "/spaced": (206, {"Content-Range": "bytes 2-5/10", "Content-Length": "4 "}, b"2345"),
            "/garbled": (206, {"Content-Range": "bytes 2-5/10", "Content-Length": "four"}, b"2345"),
            "/broken": (206, {"Content-Range": "bytes 2-5/10", "Content-Length": "4"}, b"23"),
            "/round": (302, {"Location": "/round"}, b""),
            "/old": (302, {"Location": "/whole"}, b"moved"),
            "/away": (301, {"Location": f"http://localhost:{self.server.server_port}/whole"}, b""),
            "/ftp": (301, {"Location": "ftp://localhost/whole"}, b""),
            "/secret": (401, {}, b""),
        }
        status, headers, body = answers[self.path]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.path in ("/broken", "/garbled")

    def log_message(self, *arguments):
        pass


class Together(Odd):
    """Answers once as many have asked as the server's barrier waits for."""

    def do_GET(self):
        self.server.barrier.wait()
        super().do_GET()


class Forgetful(ThreadingHTTPServer):
    """Keeps its connections by hand."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Together)
        self.barrier, self.connections = threading.Barrier(1), []

    def get_request(self):
        self.connections.append(super().get_request())
        return self.connections[-1]

    def drop_all(self):
        """As servers do with connections that were idle for a while."""
        for connection, _ in self.connections:
            connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running(server, monkeypatch):
    """Until the test ends."""
    monkeypatch.setattr(retry, "PAUSE_SECONDS", 0.01)
    Odd.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def odd(monkeypatch, tmp_path):
    """host:port of a server of odd answers."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Odd), monkeypatch) as server:
        yield f"127.0.0.1:{server.server_port}"


@pytest.fixture
def forgetful(monkeypatch):
    """A server that drops connections when told to."""
    with running(Forgetful(), monkeypatch) as server:
        yield server


def test_reading(store, backend):
    store.backend.put_if_absent("blobs/a b", b"0123456789")
    assert backend.read("blobs/a b") == b"0123456789"
    assert backend.read_range("blobs/a b", 3, 4) == b"3456"
    assert backend.read_range("blobs/a b", 8, 4) == b"89"
    assert backend.read_range("blobs/a b", 10, 4) == backend.read_range("blobs/a b", 3, 0) == b""
    assert (backend.size("blobs/a b"), backend.exists("blobs/a b"), backend.exists("blobs/b")) == (10, True, False)


def test_absent(backend):
    for call in (backend.read, backend.size, lambda path: backend.read_range(path, 0, 1)):
        with pytest.raises(NotFoundError, match=r"blobs/x is not in the store http://127\.0\.0\.1:\d+\."):
            call("blobs/x")


def test_a_span_is_read(served, store, span, samples):
    remote = open_store(served.url)
    read = Samples(remote, span)
    assert [read.media(i) for i in range(20)] == [sample.media for sample in samples]
    assert remote.url == served.url
    assert read.metadata(1) == {"taken": 1}


def test_a_missing_shard_is_told(served, store, span):
    next((store.backend.root / "shards").glob("*.tar")).unlink()
    read = Samples(open_store(served.url), span)
    with pytest.raises(CorruptionError, match=r"shards/shard-\w+\.tar is missing from the store http://"):
        [read.media(i) for i in range(20)]


def test_a_folder_cannot_be_listed(backend):
    with pytest.raises(ConfigError, match=r"the store http://\S+ cannot be listed. list it where it is kept"):
        backend.list("shards")


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_failure_is_survived(served, store, backend, status):
    store.backend.put_if_absent("blobs/a", b"0123456789")
    served.failures = [status] * (http.ATTEMPTS - 1)
    assert backend.read("blobs/a") == b"0123456789"


def test_lasting_failures_are_told(served, backend):
    served.failures = [500] * 100
    with pytest.raises(StoreError, match=r"blobs/a cannot be read from http://\S+; got HTTP status 500"):
        backend.read("blobs/a")
    assert served.requests == http.ATTEMPTS
    with pytest.raises(StoreError, match=r"blobs/a cannot be read from http://127.0.0.1:1; got ConnectionRefusedError"):
        open_backend("http://127.0.0.1:1").read("blobs/a")


def test_a_refusal_is_not_repeated(odd):
    with pytest.raises(StoreError, match=r"secret cannot be read from http://\S+; got HTTP status 401"):
        open_backend(f"http://{odd}").read("secret")
    assert len(Odd.asked) == 1


@pytest.mark.parametrize(
    ("path", "got"),
    [
        ("whole", "200, Content-Range missing, Content-Length 10"),
        ("other", "206, Content-Range bytes 0-1/10, Content-Length 2"),
        ("more", "206, Content-Range bytes 2-8/10, Content-Length 7"),
        ("untold", "206, Content-Range missing, Content-Length 4"),
        ("garbled", "206, Content-Range bytes 2-5/10, Content-Length four"),
    ],
)
def test_a_server_without_ranges_is_told(odd, path, got):
    expected = rf"does not answer ranges of {path}; expected 206 from byte 2, of 4 bytes at most; got {got}\.$"
    with pytest.raises(StoreError, match=rf"http://\S+ {expected}"):
        open_backend(f"http://{odd}").read_range(path, 2, 4)


def test_white_space_around_a_length_means_nothing(odd):
    assert open_backend(f"http://{odd}").read_range("spaced", 2, 4) == b"2345"


def test_a_body_that_breaks_off_is_told(odd):
    with pytest.raises(StoreError, match=r"broken cannot be read from http://\S+; got IncompleteRead"):
        open_backend(f"http://{odd}").read_range("broken", 2, 4)
    assert len(Odd.asked) == http.ATTEMPTS


def test_connections_are_used_again(odd):
    backend = open_backend(f"http://{odd}")
    assert backend.read("old") == backend.read("whole") == b"0123456789"
    assert len({connection for *_, connection in Odd.asked}) == 1


def test_connections_that_the_server_dropped_fail_nothing(forgetful):
    backend, many = open_backend(f"http://127.0.0.1:{forgetful.server_port}"), 2 * http.ATTEMPTS
    forgetful.barrier = threading.Barrier(many)
    with ThreadPoolExecutor(many) as pool:
        assert list(pool.map(backend.read, ["whole"] * many)) == [b"0123456789"] * many
    assert len(forgetful.connections) == many
    forgetful.barrier = threading.Barrier(1)
    forgetful.drop_all()
    assert backend.read("whole") == b"0123456789"
    assert len(forgetful.connections) == many + 1


@pytest.mark.parametrize(("path", "told"), [("round", "more than 5 redirects"), ("ftp", "redirected to ftp://")])
def test_redirects_end(odd, path, told):
    with pytest.raises(StoreError, match=told):
        open_backend(f"http://{odd}").read(path)


def test_credentials_go_to_their_host_alone_and_into_no_text(odd, tmp_path):
    token = "Basic " + base64.b64encode(b"me:p@ss").decode()
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password p@ss")
    (tmp_path / ".netrc").chmod(0o600)
    backend = open_backend(f"http://{odd}/")
    assert backend.read("away") == b"0123456789"
    assert [header for _, header, _ in Odd.asked] == [token, None]
    with pytest.raises(StoreError) as told:
        backend.read("secret")
    assert "p@ss" not in str(told.value) + backend.url
    assert open_backend(backend.url).read("whole") and Odd.asked[-1][1] == token


@pytest.mark.parametrize("user", ["me:secret", "secret", ":secret"])
def test_a_url_with_credentials_is_refused_in_a_text_without_them(user):
    with pytest.raises(
        ConfigError,
        match=r"^the URL of the web store host has credentials; expected http://host/path. put them into ~/\.netrc",
    ) as told:
        open_backend(f"https://{user}@host/path")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("url", ["http://", "http:///path", "http://host/path?token=1", "https://host/#part"])
def test_urls_that_name_no_store(url):
    with pytest.raises(ConfigError, match="no URL of a web store; expected http://host/path, without a query"):
        open_backend(url)


def test_hosts():
    assert open_backend("https://[::1]:8443/a/").url == "https://[::1]:8443/a"
    assert open_backend("https://Host/a").url == "https://host/a"


def test_many_threads(store, backend):
    store.backend.put_if_absent("blobs/a", bytes(range(256)) * 4000)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda i: backend.read_range("blobs/a", i * 1000, 1000), range(1024)))
    assert b"".join(parts) == bytes(range(256)) * 4000


def test_after_a_fork(store, backend):
    store.backend.put_if_absent("blobs/a", b"0123456789")
    assert backend.read("blobs/a")
    child = os.fork()
    if not child:
        os._exit(backend.read_range("blobs/a", 2, 3) != b"234" or len(backend._idle) != 1)
    assert backend.read_range("blobs/a", 5, 3) == b"567"
    assert os.waitpid(child, 0)[1] == 0
