"""Tar members: readable by others, the same bytes everywhere, keys that come back from names."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_mlplat.errors import CorruptionError, SpecError
from airflow_mlplat.store import tar

WEBDATASET = re.compile(r"^((?:.*/|)[^.]+)[.]([^/]*)$")
"""How WebDataset splits a member name into key and extension (webdataset/tariterators.py, base_plus_ext)."""

keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=120)
paths = st.text("ab./-%é", min_size=1, max_size=400)


@pytest.mark.parametrize(
    "media, expected",
    [
        (b"\xff\xd8\xff\xe0", "jpg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\x93NUMPY\x01", "npy"),
        (b"GIF89a", "gif"),
        (b"RIFF\0\0\0\0WEBP", "webp"),
        (b"BM\0", "bmp"),
        (b"II*\0", "tif"),
        (b"MM\0*", "tif"),
        (b"\0\0\0\x18ftypisom", "mp4"),
        (b'{"json": 1}', "bin"),
        (b"", "bin"),
    ],
)
def test_extension(media, expected):
    assert tar.extension(media) == expected


@pytest.mark.parametrize(
    "key, stem",
    [
        ("00012", "00012"),
        ("2026/01/a-b_c", "2026/01/a-b_c"),
        ("a.jpg", "a%2Ejpg"),
        ("../a", "%2E%2E/a"),
        ("/a", "%2Fa"),
        ("a/", "a%2F"),
        ("a//b", "a%2F%2Fb"),
        ("a%2Fb", "a%252Fb"),
        ("é ~", "%C3%A9%20%7E"),
        ("/", "%2F"),
        ("x" * 95, "x" * 95),
        ("x" * 96, "%sha256-" + hashlib.sha256(b"x" * 96).hexdigest()),
        ("p" * 155 + "/" + "x" * 95, "p" * 155 + "/" + "x" * 95),
    ],
)
def test_stem(key, stem):
    assert tar.member_stem(key) == stem


@given(st.one_of(keys, paths))
@example("a" * 300)
@example("é" * 400)
@example("%sha256-" + "0" * 64)
@example("/".join(["d"] * 150))
def test_key_comes_back_from_any_name(key):
    stem = tar.member_stem(key)
    name = stem + ".json"
    archive = tar.member(name, b"{}") + tar.END
    with tarfile.open(fileobj=io.BytesIO(archive)) as file:
        (member,) = file.getmembers()
        assert member.name == name
        assert file.extractfile(member).read() == b"{}"
    split = WEBDATASET.match(member.name)
    assert split.groups() == (stem, "json")
    if stem.startswith("%sha256-"):
        assert stem[8:] == hashlib.sha256(key.encode()).hexdigest()
    else:
        assert unquote(split[1]) == key
    assert tar.parse_header(archive[: tar.BLOCK]) == (name, 2)


@given(st.sets(st.text("ab/.%", min_size=1, max_size=6), max_size=30))
def test_different_keys_have_different_names(some):
    assert len({tar.member_stem(key) for key in some}) == len(some)


def test_golden_member():
    content = tar.member("a/b.png", b"media")
    assert len(content) == 1024
    assert hashlib.sha256(content).hexdigest() == "b81878d382d4f508076f221c56c4190be344bc81f0d6b9b7ed7e52fd19d88ef2"


def test_as_tarfile_writes_it():
    info = tarfile.TarInfo("2026/a.png")
    info.size = 5
    ours, theirs = bytearray(tar.header("2026/a.png", 5)), bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    for header in (ours, theirs):  # some versions leave the device fields empty, hence another checksum
        header[148:156], header[329:345] = bytes(8), bytes(16)
    assert ours == theirs


def test_too_long_a_name():
    with pytest.raises(SpecError, match="name is too long for a tar header; expected 100 bytes"):
        tar.header("x" * 101, 0)


def test_damaged_header():
    block = tar.header("a.png", 5)
    assert tar.parse_header(bytes(512)) is None
    for damaged in (b"b" + block[1:], block[:148] + b"xxxxxx" + block[154:], block[:100], b""):
        if damaged == b"":
            assert tar.parse_header(damaged) is None
            continue
        with pytest.raises(CorruptionError, match="damaged tar header; expected 512 bytes with their checksum"):
            tar.parse_header(damaged)


@pytest.mark.parametrize(
    "key, message",
    [
        ("", r"cannot be stored; expected 1 to 1024 bytes of UTF-8 without NUL; got '' \(0 bytes\)"),
        ("a\0", r"got 'a\\x00' \(2 bytes\)"),
        ("é" * 513, r"\(1026 bytes\)"),
        ("\ud800", "a sample's key is not Unicode"),
        (7, "a sample's key must be a str; .* got int"),
    ],
)
def test_key_that_cannot_be_stored(key, message):
    with pytest.raises(SpecError, match=message):
        tar.key_bytes(key)
    assert tar.key_bytes("é" * 512) == b"\xc3\xa9" * 512
