from __future__ import annotations

import errno
from pathlib import Path

import pytest

from airflow_mlplat.bridges import Column, CsvSource, File, Previous, bridge
from airflow_mlplat.errors import PartitionError, PlatformError, SourceError, SpecError
from airflow_mlplat.store import Samples
from tests.bridges.suite import DAY, OTHER, SourceSuite, Stocked

TEXT = '''id,path,label,day,by
1,a.png,shirt,2026-01-31,ann
"2","b,2.png",,2026-01-31,"said ""é"""
3,c.png,coat,2026-02-01,bob
'''


def source(path, **changes):
    options = {"key": "id", "label": "label", "classes": ("shirt", "coat"), "where": "day", "media": File("path", ".")}
    return CsvSource(str(path), **{**options, **changes})


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(TEXT, encoding="utf-8")
    return path


class TestCsvSource(SourceSuite):
    @pytest.fixture
    def stocked(self, tmp_path):
        lines = [f"1,1.png,shirt,{DAY},ann,10:00", f"2,2.png,,{DAY},ann,10:00", f"3,3.png,coat,{OTHER},bob,11:00"]
        path = tmp_path / "photos.csv"
        path.write_text("\n".join(["id,path,label,day,by,at", *lines]))
        return Stocked(source(path, metadata=("by",), watermark="at"), None)


def test_quotes_commas_and_letters_of_any_language(file):
    _, second = source(file, metadata=("by",)).records(None, DAY)
    assert (second.key, second.media, second.metadata) == ("2", "b,2.png", {"by": 'said "é"'})


def test_without_where_every_line_belongs_to_the_partition(file):
    assert source(file, where=None).count(None, DAY) == 3


def test_a_file_for_each_partition(file, tmp_path):
    file.rename(tmp_path / f"labels-{DAY}.csv")
    assert source(tmp_path / "labels-{partition}.csv", where=None).count(None, DAY) == 3
    with pytest.raises(PartitionError, match="does not parse"):
        source(tmp_path / "labels-{partition}.csv").count(None, "../secret")


def test_a_byte_order_mark_is_no_part_of_a_name(file):
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert source(file).count(None, DAY) == 2


def test_lines_of_another_length_are_malformed(file):
    file.write_text(TEXT + "4,d.png\n\n5,e.png,coat,2026-01-31,bob,more\n")
    problems = [record.problem for record in source(file).records(None, DAY) if record.problem]
    assert problems == ["line 5 has 2 fields, the first line has 5", "line 7 has 6 fields, the first line has 5"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"labels.csv' cannot be read; got FileNotFoundError"),
        (b"", r"labels.csv' lacks column 'id'; expected id; got \."),
        (b"id,path,day\n", "lacks column 'label'; expected label; got id, path, day"),
        (b"id,path,day,label,id\n", "has more than one column 'id'"),
        (b"id,path,day,label\n\xff,a,b,c\n", "cannot be read; got UnicodeDecodeError"),
        (b'id,path,day,label\n"1" 2,a,b,c\n', "cannot be read; got Error: ',' expected after '\"'"),
    ],
)
def test_files_that_cannot_be_read(file, content, message):
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(SourceError, match=message):
        list(source(file).records(None, DAY))


def test_a_disk_that_fails_is_nobodys_mistake(file, monkeypatch):
    def stale(*_, **__):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "open", stale)
    with pytest.raises(PlatformError, match=r"cannot be read; got OSError: .*Stale file handle"):
        list(source(file).records(None, "2026-01-31"))


def test_a_file_that_is_not_there_yet_has_no_lines(file):
    file.unlink()
    assert source(file).count(None, DAY) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"media": Column("image")}, "CsvSource.media is no File; expected File"),
        ({"metadata": "by"}, "CsvSource.metadata is one text"),
        ({"key": ""}, "CsvSource names no column"),
        ({"classes": None}, "classes is not a list of label values"),
    ],
)
def test_options_are_checked(changes, message):
    with pytest.raises(SpecError, match=message):
        source("labels.csv", **changes)
    with pytest.raises(SpecError, match="CsvSource has no path"):
        source("")


def test_the_bridge_takes_it(file, tmp_path, store):
    for name in ("a.png", "b,2.png"):
        (tmp_path / name).write_bytes(b"\x89PNG" + name.encode())
    file.write_text(TEXT + "4,d.png\n", encoding="utf-8")
    photos = source(file, media=File("path", str(tmp_path)))
    bridged = bridge(photos, None, store, dataset="photos", partition=DAY, max_bad_fraction=0.5)
    assert bridged.quarantined == {"malformed row": 1} and list(Samples(store, bridged.ref).labels) == [0, -1]
    again = bridge(
        photos, None, store, dataset="photos", partition=DAY, max_bad_fraction=0.5,
        previous=Previous(bridged.ref, bridged.fingerprint),
    )  # fmt: skip
    assert again.reused
