"""A stamp holds until somebody writes."""

from __future__ import annotations

import os

import pytest

from airflow_mlplat.data.cache import stamp

SHARD = "ab" * 32


@pytest.fixture
def file(tmp_path):
    """A stamped file of five bytes."""
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    with path.open("rb") as opened:
        stamp.stamp(opened.fileno(), SHARD)
    return path


def test_it_holds(file):
    assert stamp.is_stamped(file.stat(), SHARD)
    assert not stamp.is_stamped(file.stat(), "cd" * 32)


def test_it_tells_when_the_file_was_opened(file):
    before = file.stat().st_atime_ns
    with file.open("rb") as opened:
        stamp.stamp(opened.fileno(), SHARD)
    assert file.stat().st_atime_ns > before


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"12345"),
        lambda path: os.truncate(path, 4),
        lambda path: (os.truncate(path, 4), os.truncate(path, 5)),
        lambda path: (path.rename(path.with_name("b")), path.write_bytes(b"12345")),
    ],
)
def test_any_change_ends_it(file, change):
    change(file)
    assert not stamp.is_stamped(file.stat(), SHARD)


def test_a_copy_with_its_times_has_none(file, tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes(file.read_bytes())
    os.utime(copy, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    assert not stamp.is_stamped(copy.stat(), SHARD)


def test_after_a_restart_of_the_host_it_holds_no_more(file, monkeypatch):
    monkeypatch.setattr(stamp, "_boot", lambda: "another")
    assert not stamp.is_stamped(file.stat(), SHARD)
