from __future__ import annotations

import pickle

import pytest

from airflow_mlplat.bridges.media import Column, File, Member
from airflow_mlplat.errors import SpecError


@pytest.mark.parametrize(
    ("root", "protocol"),
    [("images", "file"), ("/data", "file"), ("file:///data", "file"), ("S3://shop", "s3"), ("https://h:81/a", "https")],
)
def test_protocols(root, protocol):
    assert File("path", root).protocol == protocol


def test_descriptions_are_plain_and_pickles_equal():
    file, column = File("path", "s3://shop"), Column("image")
    assert file.describe() == {"kind": "file", "column": "path", "root": "s3://shop"}
    assert column.describe() == {"kind": "column", "column": "image"}
    assert pickle.loads(pickle.dumps((file, column))) == (file, column)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: File("", "images"), "File names no column"),
        (lambda: Column(None), "Column names no column"),
        (lambda: File("path", ""), "File has no root; expected a folder or a URL"),
        (lambda: File("path", "https://me:secret@host/a"), "File's root carries credentials or a query"),
        (lambda: File("path", "https://host/a?token=secret"), "File's root carries credentials or a query"),
        (lambda: File("path", "simplecache::s3://shop"), "File's root chains several drivers"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(SpecError, match=message) as error:
        make()
    assert "secret" not in str(error.value)


def test_members_by_extension():
    assert Member(["JPG", "seg.png", "jpg"]).extensions == ("jpg", "seg.png")
    assert Member(("jpg",)).describe() == {"kind": "member", "extensions": ["jpg"]}
    assert pickle.loads(pickle.dumps(Member())) == Member()


@pytest.mark.parametrize("extensions", ["jpg", (), ("",), (".jpg",), ("a/b",), (1,)])
def test_what_is_no_extension_is_refused(extensions):
    with pytest.raises(SpecError, match="media has no extensions; expected such as"):
        Member(extensions)
