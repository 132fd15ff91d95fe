"""A store in a folder: URLs, and what the operating system refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_mlplat.errors import ConfigError, StoreError
from airflow_mlplat.store.local import LocalBackend


def test_one_url_for_every_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = (tmp_path / "a b").as_uri()
    for url in ("a b", str(tmp_path / "a b"), wanted, wanted.replace("file://", "file://localhost")):
        assert LocalBackend.from_url(url).url == wanted


def test_nothing_is_made_by_opening(tmp_path):
    backend = LocalBackend.from_url(str(tmp_path / "store"))
    assert list(backend.list("manifests")) == []
    assert not backend.exists("blobs/a")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("url", ["file://otherhost/path", "file://"])
def test_file_url_of_another_host(url):
    with pytest.raises(ConfigError, match="a file URL names a folder of this host; expected file:///path; got 'file:"):
        LocalBackend.from_url(url)


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "store").write_text("not a folder")
    backend = LocalBackend(tmp_path / "store")
    with pytest.raises(StoreError, match=r"cannot be read or written; got (Not a directory|File exists)"):
        backend.put_if_absent("blobs/a", b"1")
    with pytest.raises(StoreError, match=r"manifests of the store .* cannot be read or written; got Not a directory"):
        list(backend.list("manifests"))


def test_a_failed_put_leaves_nothing(tmp_path):
    (tmp_path / "blobs").write_text("not a folder")
    backend = LocalBackend(tmp_path)
    with pytest.raises(StoreError):
        backend.put_if_absent("blobs/a", b"1")
    assert list(backend.list("tmp")) == []


def test_a_file_renewed_while_it_is_deleted_stays(tmp_path, monkeypatch):
    backend = LocalBackend(tmp_path)
    backend.put_if_absent("blobs/a", b"1")
    os.utime(tmp_path / "blobs/a", (0, 0))
    rename = Path.rename

    def renewed(path, target):
        backend.touch("blobs/a")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renewed)
    assert not backend.delete("blobs/a", 1000.0)
    monkeypatch.undo()
    assert backend.read("blobs/a") == b"1" and list(backend.list("tmp")) == []
    os.utime(tmp_path / "blobs/a", (0, 0))
    assert backend.delete("blobs/a", 1000.0)
    assert not backend.exists("blobs/a") and list(backend.list("tmp")) == []


def test_scratch_on_another_file_system(tmp_path):
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev or not os.access(memory, os.W_OK):
        pytest.skip("no second file system at /dev/shm")
    scratch = memory / f"mlplat-{os.getpid()}"
    scratch.write_bytes(b"1")
    with pytest.raises(StoreError, match=r"cannot be linked .* got .*cross-device.* one file system, with hard links"):
        LocalBackend(tmp_path).put_if_absent("blobs/a", scratch)
    assert not scratch.exists()
