from __future__ import annotations

import os

import pytest

from airflow_mlplat.bridges.members import TarMembers, member_location
from airflow_mlplat.bridges.tar_files import tar_members
from airflow_mlplat.errors import PlatformError, SourceChangedError
from tests.bridges.tars import PACKINGS, write_tar

MEMBERS = [(f"{i}.png", bytes([i]) * (i * 100 + 1)) for i in range(20)]


def places(path):
    return {m.name: member_location(str(path), m.offset, m.size) for m in tar_members(str(path))}


@pytest.mark.parametrize("packing", PACKINGS)
def test_members_are_read_in_any_order(tmp_path, packing):
    one = places(write_tar(tmp_path / "a:1+2.tar", MEMBERS[:10], packing))
    other = places(write_tar(tmp_path / "b.tar", MEMBERS[10:], packing))
    reader, found = TarMembers(), {**one, **other}
    for name, content in sorted(MEMBERS, reverse=True):
        assert reader.locate(found[name]) == found[name]
        assert reader.read(found[name]) == content
        assert reader.look(found[name])[0] == len(content)


def test_the_state_changes_with_the_file(tmp_path):
    path = write_tar(tmp_path / "x.tar", MEMBERS)
    (location, *_) = places(path).values()
    reader = TarMembers()
    before = reader.look(location)
    assert reader.look(location) == before
    os.utime(path, (1, 1))
    assert reader.look(location) != before


def test_a_file_that_changes_meanwhile(tmp_path):
    path = write_tar(tmp_path / "x.tar", MEMBERS)
    location = places(path)["19.png"]
    reader = TarMembers()
    os.truncate(path, 3000)
    with pytest.raises(SourceChangedError, match=r"became shorter while it was read; expected \d+ bytes at least; got"):
        reader.read(location)
    path.unlink()
    for ask in (reader.look, reader.read):
        with pytest.raises(SourceChangedError, match=r"x\.tar' vanished while it was read"):
            ask(location)


@pytest.mark.parametrize("packing", PACKINGS[1:])
def test_a_packed_file_that_is_damaged_meanwhile(tmp_path, packing):
    path = write_tar(tmp_path / "x.tar", [("a.png", os.urandom(300_000))], packing)
    (location,) = places(path).values()
    content = path.read_bytes()
    for wrong in (content[:200_000], content[:100_000] + b"\x5a" * 40_000 + content[140_000:]):
        path.write_bytes(wrong)
        with pytest.raises(PlatformError, match=r"x\.tar' cannot be read; got \w+: "):
            TarMembers().read(location)


def test_a_disk_without_room_for_the_unpacked_copy(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "x.tar", MEMBERS, "gz")
    location = places(path)["19.png"]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(PlatformError, match=r"cannot be read; got .*TMPDIR has room"):
        TarMembers().read(location)
