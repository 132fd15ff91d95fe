from __future__ import annotations

import errno
import gzip
import os
import tarfile
from pathlib import Path

import pytest

from airflow_mlplat.bridges.tar_files import is_packed, open_unpacked, tar_members
from airflow_mlplat.errors import PlatformError, SourceError
from tests.bridges.tars import PACKINGS, write_tar

MEMBERS = [("a.png", b"\x89PNG" * 400), ("a.cls", b"3"), ("b/c.png", b""), ("b/c.cls", b"4" * 512)]


def everything(path):
    return [(member.name, member.read()) for member in tar_members(str(path))]


@pytest.mark.parametrize("packing", PACKINGS)
def test_members_with_their_places(tmp_path, packing):
    path = write_tar(tmp_path / "x.tar", MEMBERS, packing)
    assert everything(path) == MEMBERS and is_packed(str(path)) == bool(packing)
    with open_unpacked(str(path)) as file:
        content = file.read()
    placed = [(m.name, content[m.offset : m.offset + m.size]) for m in tar_members(str(path))]
    assert placed == MEMBERS


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_other_kinds_of_tar(tmp_path, form):
    name = "a" * 120 + "/" + "é" * 120 + ".cls"
    (tmp_path / "3").write_bytes(b"3")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("3")
    with tarfile.open(tmp_path / "x.tar", "w", format=form) as tar:
        for file, stored in (("folder", "folder"), ("link", "link.cls"), ("3", name)):
            tar.add(tmp_path / file, stored)
    assert everything(tmp_path / "x.tar") == [(name, b"3")]


def test_an_empty_archive_has_no_members(tmp_path):
    assert everything(write_tar(tmp_path / "x.tar", [])) == []


@pytest.mark.parametrize("size", range(512, 5632, 256))
def test_every_cut_is_told_with_its_byte(tmp_path, size):
    path = write_tar(tmp_path / "x.tar", MEMBERS)
    assert [m.offset + m.size for m in tar_members(str(path))][-1] == 5120  # where the zeros at the end begin
    os.truncate(path, size)
    if size == 512 * 11:
        assert everything(path) == MEMBERS  # one block of zeros is enough
        return
    with pytest.raises(SourceError, match=rf"tar file '.*x\.tar' is cut off at byte {size}; expected .*copy it again"):
        list(tar_members(str(path)))
    with pytest.raises(SourceError, match=f"is cut off at byte {size}"):
        everything(path)


@pytest.mark.parametrize("packing", PACKINGS[1:])
@pytest.mark.parametrize("left", [0.1, 0.5, 0.99])
def test_a_packed_file_that_is_cut_off(tmp_path, packing, left):
    path = write_tar(tmp_path / "x.tar", [("a.png", os.urandom(300_000))], packing)
    os.truncate(path, int(path.stat().st_size * left))
    with pytest.raises(SourceError, match=r"is cut off at byte \d+ of its unpacked content"):
        list(tar_members(str(path)))


@pytest.mark.parametrize("packing", PACKINGS[1:])
def test_a_packed_file_whose_bytes_are_wrong(tmp_path, packing):
    path = write_tar(tmp_path / "x.tar", [("a.png", os.urandom(300_000))], packing)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(
        SourceError, match=r"x\.tar' (is damaged at byte \d+ of its unpacked content|is cut off|is no tar)"
    ):
        list(tar_members(str(path)))


def test_a_whole_packed_file_of_a_cut_archive(tmp_path):
    plain = write_tar(tmp_path / "x.tar", MEMBERS)
    packed = tmp_path / "x.tar.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()[:3000]))
    with pytest.raises(SourceError, match="is cut off at byte 3000 of its unpacked content"):
        list(tar_members(str(packed)))


def test_a_damaged_header_is_not_the_end(tmp_path):
    path = write_tar(tmp_path / "x.tar", MEMBERS)
    content = bytearray(path.read_bytes())
    content[2560] ^= 255  # the second member's name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"is damaged at byte 2560; got InvalidHeaderError: bad checksum\. copy it"):
        list(tar_members(str(path)))


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"\x89PNG" * 1000])
def test_what_is_no_tar_file(tmp_path, content):
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.tar' is no tar file; got ReadError"):
        list(tar_members(str(tmp_path / "x.tar")))


def test_what_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(SourceError, match=r"cannot be read; got FileNotFoundError.*see that it is there"):
        list(tar_members(str(tmp_path / "none.tar")))
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(SourceError, match=r"pipe\.tar' is no regular file\. unpack or copy it to one"):
        list(tar_members(str(tmp_path / "pipe.tar")))
    path = write_tar(tmp_path / "x.tar", MEMBERS)

    def stale(*_, **__):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "open", stale)
    with pytest.raises(PlatformError, match=r"cannot be read; got OSError: .*Stale file handle"):
        list(tar_members(str(path)))


def test_sparse_members_are_refused(tmp_path):
    path = write_tar(tmp_path / "x.tar", [("a.png", b"")])
    content = bytearray(path.read_bytes())
    content[156:157], content[257:265], content[148:156] = b"S", b"ustar  \0", b" " * 8
    content[483:495] = b"%011o\0" % 0
    content[148:156] = b"%06o\0 " % sum(content[:512])
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"has a sparse member; got a\.png\. write it without"):
        list(tar_members(str(path)))
