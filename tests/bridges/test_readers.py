from __future__ import annotations

import threading
import time

import pytest

from airflow_mlplat.bridges import Column, File, readers
from airflow_mlplat.bridges.local import LocalFiles
from airflow_mlplat.bridges.media import Member
from airflow_mlplat.bridges.members import TarMembers
from airflow_mlplat.bridges.readers import ColumnBytes, look_at, map_ahead, open_reader
from airflow_mlplat.bridges.reasons import BadRecord
from airflow_mlplat.bridges.remote import RemoteFiles
from airflow_mlplat.errors import SourceError


def test_each_media_has_its_reader(tmp_path):
    assert isinstance(open_reader(Column("image")), ColumnBytes)
    assert isinstance(open_reader(Member()), TarMembers)
    assert isinstance(open_reader(File("path", str(tmp_path))), LocalFiles)
    assert isinstance(open_reader(File("path", f"file://{tmp_path}")), LocalFiles)
    assert isinstance(open_reader(File("path", "memory://images")), RemoteFiles)


def test_bytes_of_a_column():
    reader = ColumnBytes()
    assert reader.locate(memoryview(b"png")) == b"png" == reader.read(b"png")
    assert reader.look(b"png")[0] == 3 and reader.look(b"png") != reader.look(b"gnp")
    with pytest.raises(SourceError, match=r"media column holds no bytes; expected bytes; got str\. use File"):
        reader.locate("a.png")


def test_sizes_are_checked(monkeypatch):
    monkeypatch.setattr(readers, "MAX_MEDIA_BYTES", 3)
    assert len(look_at(ColumnBytes(), b"png")) == 64
    for content, reason in ((b"", "empty media"), (b"long", "media too large")):
        with pytest.raises(BadRecord) as bad:
            look_at(ColumnBytes(), content)
        assert bad.value.reason == reason


@pytest.mark.parametrize("workers", [1, 3])
def test_results_keep_their_order(workers):
    def late(n):
        time.sleep(0.01 if n % 3 == 0 else 0)
        return -n

    assert list(map_ahead(late, range(20), workers)) == [-n for n in range(20)]
    assert list(map_ahead(late, [], workers)) == []


def test_only_so_many_items_are_under_way():
    taken = []
    results = map_ahead(lambda n: n, (taken.append(n) or n for n in range(100)), 3)
    next(results)
    assert len(taken) == 6
    results.close()


def test_an_error_ends_it_and_no_thread_stays():
    def fail(n):
        if n == 5:
            raise BadRecord("five")
        return n

    before = threading.active_count()
    results = map_ahead(fail, range(100), 3)
    with pytest.raises(BadRecord):
        list(results)
    assert threading.active_count() == before
