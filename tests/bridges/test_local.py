from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_mlplat.bridges.local import LocalFiles
from airflow_mlplat.bridges.reasons import BadRecord
from airflow_mlplat.errors import PlatformError, SourceError


@pytest.fixture
def root(tmp_path):
    """images/a/b.png with a secret beside images."""
    (tmp_path / "images/a").mkdir(parents=True)
    (tmp_path / "images/a/b.png").write_bytes(b"png")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "images2").mkdir()
    (tmp_path / "images2/c.png").write_bytes(b"secret")
    return tmp_path / "images"


def reason(call, *arguments) -> str:
    with pytest.raises(BadRecord) as bad:
        call(*arguments)
    return bad.value.reason


@pytest.mark.parametrize("value", ["a/b.png", "./a//b.png", "a/../a/b.png", "{root}/a/b.png"])
def test_paths_inside(root, value):
    files = LocalFiles(str(root))
    location = files.locate(value.format(root=root))
    size, state = files.look(location)
    assert files.read(location) == b"png" and size == 3
    os.utime(root / "a/b.png", ns=(1, 1))
    assert files.look(location) != (size, state)


@pytest.mark.parametrize(
    "value", ["../secret", "/etc/passwd", "a/../../secret", "{root}/../secret", "{root}2/c.png", ".", "a/.."]
)
def test_paths_outside_are_not_even_looked_at(root, value):
    assert reason(LocalFiles(str(root)).locate, value.format(root=root)) == "media outside its root"


def test_links_out_of_the_root_are_outside(root):
    (root / "link.png").symlink_to(root.parent / "secret")
    (root / "folder").symlink_to(root.parent / "images2")
    (root / "inside.png").symlink_to("a/b.png")
    files = LocalFiles(str(root))
    for path in ("link.png", "folder/c.png"):
        location = files.locate(path)
        assert reason(files.look, location) == reason(files.read, location) == "media outside its root"
    assert files.read(files.locate("inside.png")) == b"png"


def test_the_root_itself_may_be_a_link_relative_or_a_url(root, monkeypatch):
    (root.parent / "link").symlink_to(root)
    monkeypatch.chdir(root.parent)
    for name in ("link", "images", "./images/", f"file://{root}"):
        files = LocalFiles(name)
        assert files.read(files.locate("a/b.png")) == b"png"


def test_values_may_be_urls_percent_encoded(tmp_path):
    (tmp_path / "my img").mkdir()
    (tmp_path / "my img/ä.png").write_bytes(b"png")
    root = (tmp_path / "my img").as_uri()
    assert "my%20img" in root
    files = LocalFiles(root)
    for value in ("ä.png", f"{root}/%C3%A4.png", str(tmp_path / "my img/ä.png")):
        assert files.read(files.locate(value)) == b"png"
    assert reason(files.locate, f"{tmp_path.as_uri()}/secret") == "media outside its root"
    assert reason(files.locate, f"{root}/%2e%2e/secret") == "media outside its root"


@pytest.mark.parametrize("value", ["none.png", "none/b.png", "a/b.png/c", "x" * 300, "a\0b", "loop.png"])
def test_missing_files(root, value):
    (root / "loop.png").symlink_to("loop.png")
    files = LocalFiles(str(root))
    assert reason(lambda: files.look(files.locate(value))) == "missing media"


def test_folders_pipes_and_forbidden_files_are_unreadable(root):
    os.mkfifo(root / "pipe")
    files = LocalFiles(str(root))
    assert reason(files.look, files.locate("a")) == "unreadable media"
    assert reason(files.look, files.locate("pipe")) == "unreadable media"
    assert reason(files.read, files.locate("a")) == "unreadable media"
    assert files.read(files.locate("pipe")) == b""  # and does not hang


def test_forbidden_files_are_unreadable(root):
    (root / "a/b.png").chmod(0)
    files = LocalFiles(str(root))
    user = os.geteuid()
    if user == 0:  # root may read everything
        os.seteuid(65534)
    try:
        assert reason(files.read, files.locate("a/b.png")) == "unreadable media"
    finally:
        os.seteuid(user)


def test_what_is_told_is_the_same_for_every_python_and_place(root):
    """`repr` would escape letters that are newer than the Python."""
    os.mkfifo(root / "\N{MELTING FACE}")
    files = LocalFiles(str(root))
    for value, told in (("\N{MELTING FACE}", r"'\U0001fae0' is no file"), ("none/é", r"'none/\xe9'")):
        with pytest.raises(BadRecord) as bad:
            files.look(files.locate(value))
        assert bad.value.detail == told
    with pytest.raises(BadRecord) as bad:
        files.read(files.locate("a"))
    assert bad.value.detail == "'a' EISDIR"


def test_a_failing_disk_is_the_platforms():
    if not Path("/proc/self/mem").exists():
        pytest.skip("needs /proc")
    files = LocalFiles("/proc/self")
    with pytest.raises(PlatformError, match=r"media '/proc/self/mem' cannot be read; got .*Input/output error"):
        files.read(files.locate("mem"))


def test_the_root_must_exist(tmp_path):
    with pytest.raises(SourceError, match=r"root of the media is no folder; expected an existing folder; got .*/none"):
        LocalFiles(str(tmp_path / "none"))


def test_paths_are_text(root):
    with pytest.raises(SourceError, match=r"media column holds no paths; expected text; got bytes\. use Column"):
        LocalFiles(str(root)).locate(b"png")
