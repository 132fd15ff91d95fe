from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import CancelledError

import pytest

from airflow_mlplat.data.cache.connections import Connections
from airflow_mlplat.data.cache.fetch import fetch
from airflow_mlplat.data.cache.part import Part
from airflow_mlplat.errors import NotFoundError, StoreError
from airflow_mlplat.store.backend import open_backend

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def filled(tmp_path, threads):
    """A function that fills a part from a backend: (bytes that came, whether it is whole)."""
    connections = Connections(3)

    def fill(backend):
        size = len(CONTENT)
        handle = os.open(tmp_path / "part", os.O_RDWR | os.O_CREAT)
        os.ftruncate(handle, size)
        part = Part(handle, tmp_path / "part", hashlib.sha256(CONTENT).hexdigest(), size)
        try:
            came = fetch(backend, "a", part, connections=connections, urgency=0, range_bytes=1000)
            return came, part.is_whole()
        finally:
            part.discard()

    fill.connections = connections
    yield fill
    connections.close()


def test_of_a_backend_that_copies(filled, tmp_path):
    (tmp_path / "a").write_bytes(CONTENT)
    assert filled(open_backend(tmp_path)) == (len(CONTENT), True)


def test_of_a_backend_that_does_not(filled, served, tmp_path):
    (tmp_path / "store" / "a").write_bytes(CONTENT)
    assert filled(open_backend(served.url)) == (len(CONTENT), True)
    assert served.requests == 11


def test_a_file_that_is_shorter(filled, tmp_path):
    (tmp_path / "a").write_bytes(CONTENT[:-10])
    assert filled(open_backend(tmp_path)) == (len(CONTENT) - 10, False)


def test_an_error_ends_it_when_no_thread_writes_any_more(filled):
    class Backend:
        slow, at_work = threading.Event(), 0

        def read_range(self, path, offset, size):
            if not offset:
                raise StoreError("broken")
            Backend.at_work += 1
            self.slow.wait(0.2)
            Backend.at_work -= 1
            return b"\0" * size

    with pytest.raises(StoreError, match="broken"):
        filled(Backend())
    assert Backend.at_work == 0


def test_absent(filled, tmp_path):
    with pytest.raises(NotFoundError, match="a is not in the store file:///"):
        filled(open_backend(tmp_path))


def test_closed(filled, tmp_path):
    filled.connections.close()
    with pytest.raises(CancelledError):
        filled(open_backend(tmp_path))
