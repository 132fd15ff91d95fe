"""What every backend must do: a class with a `backend` fixture for each kind inherits the suite."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_mlplat.errors import ConfigError, NotFoundError
from airflow_mlplat.store.backend import BACKENDS, open_backend


class BackendSuite:
    """The contract of `Backend`."""

    tick_seconds = 0.02
    """How finely the storage tells an age."""

    def test_put_then_read(self, backend):
        assert backend.put_if_absent("blobs/a", b"0123456789")
        assert backend.read("blobs/a") == b"0123456789"
        assert backend.read_range("blobs/a", 3, 4) == b"3456"
        assert backend.read_range("blobs/a", 8, 4) == b"89"
        assert backend.read_range("blobs/a", 10, 4) == b""
        assert backend.size("blobs/a") == 10
        assert backend.exists("blobs/a")
        assert not backend.exists("blobs")

    def test_the_first_wins(self, backend):
        assert backend.put_if_absent("results/a", b"first")
        assert not backend.put_if_absent("results/a", b"second")
        assert backend.read("results/a") == b"first"

    def test_a_scratch_file_is_consumed(self, backend):
        for content in (b"first", b"second"):
            path = backend.scratch()
            path.write_bytes(content)
            assert backend.put_if_absent("blobs/a", path) == (content == b"first")
            assert not path.exists()
        assert backend.read("blobs/a") == b"first"
        assert backend.scratch() != backend.scratch()

    def test_of_many_at_once_one_wins_and_no_reader_sees_a_part(self, backend):
        content = {i: bytes([i]) * 300_000 for i in range(16)}
        won, seen, start = [], [], threading.Barrier(16)

        def put(i):
            start.wait()
            won.append(backend.put_if_absent("results/a", content[i]))
            seen.append(backend.read("results/a"))

        threads = [threading.Thread(target=put, args=(i,)) for i in content]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False] * 15 + [True]
        assert len(seen) == 16
        assert len(set(seen)) == 1
        assert seen[0] in content.values()

    def test_list(self, backend):
        assert list(backend.list("blobs")) == []
        backend.put_if_absent("manifests/span/b", b"12")
        backend.put_if_absent("manifests/model/a", b"1")
        backend.put_if_absent("blobs/c", b"123")
        entries = list(backend.list("manifests"))
        assert [(e.path, e.bytes) for e in entries] == [("manifests/model/a", 1), ("manifests/span/b", 2)]
        assert all(abs(e.modified - time.time()) < 60 for e in entries)

    def test_touch_and_delete_by_age(self, backend):
        assert not backend.touch("blobs/a")
        assert not backend.delete("blobs/a", time.time())
        backend.put_if_absent("blobs/a", b"1")
        old = next(backend.list("blobs")).modified
        time.sleep(self.tick_seconds)
        assert backend.touch("blobs/a")
        assert next(backend.list("blobs")).modified > old
        assert not backend.delete("blobs/a", old + 0.001)
        assert backend.delete("blobs/a", time.time() + 1)
        assert not backend.exists("blobs/a")

    def test_absent(self, backend):
        for call in (backend.read, backend.size, lambda path: backend.read_range(path, 0, 1)):
            with pytest.raises(NotFoundError, match=r"blobs/x is not in the store "):
                call("blobs/x")

    def test_reopened_by_its_url(self, backend):
        backend.put_if_absent("blobs/a", b"1")
        assert open_backend(backend.url).read("blobs/a") == b"1"


class TestLocal(BackendSuite):
    @pytest.fixture
    def backend(self, tmp_path):
        return open_backend(tmp_path / "a store%20ü")


class TestMemory(BackendSuite):
    @pytest.fixture
    def backend(self):
        fsspec = pytest.importorskip("fsspec", reason="fsspec is not in the job half by itself")
        yield open_backend("memory://a store/ü")
        memory = fsspec.filesystem("memory")
        for path in memory.find("/a store"):
            memory.rm_file(path)


def test_schemes():
    assert sorted(BACKENDS) == ["", "file", "http", "https", "memory", "s3", "webhdfs"]


@pytest.mark.parametrize("url", ["gopher://host/x", "", "s4://bucket"])
def test_unknown_scheme(url):
    with pytest.raises(
        ConfigError, match=r"no such kind of store; expected a path or file://, .*; got '.*'. set MLPLAT_STORE"
    ):
        open_backend(url)


@pytest.mark.parametrize("url", [None, b"store", 3])
def test_what_is_no_url(url):
    with pytest.raises(
        ConfigError, match=rf"a store is named by its URL; expected str or Path; got {url!r}\. set MLPLAT"
    ):
        open_backend(url)
