from __future__ import annotations

import json
import random

import pytest

from airflow_mlplat.bridges import tar_samples as module
from airflow_mlplat.bridges.tar_samples import split_name, tar_samples
from airflow_mlplat.errors import SourceError
from tests.bridges.tars import sample, write_tar


def samples(tmp_path, *members):
    return list(tar_samples(str(write_tar(tmp_path / "x.tar", members))))


# What webdataset.tariterators.base_plus_ext and tar_file_iterator of webdataset 1.0.2 make of them, but for the last.
@pytest.mark.parametrize(
    ("name", "key", "extension"),
    [
        ("a.jpg", "a", "jpg"),
        ("train/n01/a_1.JPG", "train/n01/a_1", "jpg"),
        ("a.seg.png", "a", "seg.png"),
        ("v1.0/a.jpg", "v1.0/a", "jpg"),
        ("./a.jpg", "./a", "jpg"),
        ("a", "", ""),
        ("a.", "", ""),
        (".hidden", "", ""),
        ("__meta__", "", ""),
        ("__index__/a.json", "", ""),
        ("x/__index__.json", "x/__index__", "json"),
        ("x/._a.jpg", "", ""),  # what a Mac leaves; WebDataset makes a sample `x/` of it
    ],
)
def test_names(name, key, extension):
    assert split_name(name) == (key, extension)


def test_adjacent_members_of_one_key_are_a_sample(tmp_path):
    found = samples(
        tmp_path, ("README", b"?"), *sample("b", 3, by="ann"), *sample("a/1"), ("b.txt", b"late"), ("__x__/b.txt", b"?")
    )
    assert [(one.key, sorted(one.members)) for one in found] == [
        ("b", ["cls", "json", "png"]),
        ("a/1", ["png"]),
        ("b", ["txt"]),
    ]
    assert found[0].label("cls") == 3 and found[0].metadata() == {"by": "ann"}
    assert found[1].label("cls") is None and found[1].metadata() == {}
    assert samples(tmp_path) == []


def test_media_is_the_first_extension_that_there_is(tmp_path):
    (one,) = samples(tmp_path, ("a.png", b"png"), ("a.JPG", b"jpg"))
    assert one.media(("jpg", "png")) == one.members["jpg"] != one.media(("png", "jpg"))
    assert one.media(("npy",)) is None


@pytest.mark.parametrize(
    ("cls", "label"),
    [(b"3", 3), (b" 007\n", 7), (b"-1", -1), (b"shirt\n", "shirt"), (b"", None), (b" \n", None), (b"3.0", "3.0")],
)
def test_labels_of_cls(tmp_path, cls, label):
    (one,) = samples(tmp_path, ("a.cls", cls))
    assert one.label("cls") == label and one.label(None) is None


@pytest.mark.parametrize(
    ("text", "label", "metadata"),
    [
        (b'{"kind": 3}', 3, {"kind": 3}),
        ('{"kind": "Schürze"}'.encode(), "Schürze", {"kind": "Schürze"}),
        (b'{"kind": ""}', None, {"kind": ""}),
        (b'{"kind": null}', None, {"kind": None}),
        (b"{}", None, {}),
        (b"[1]", None, {"json": [1]}),
        (b"9" * 1000, None, {"json": 10**1000 - 1}),
        (b'{"a": ' * 100 + b"1" + b"}" * 100, None, json.loads('{"a": ' * 100 + "1" + "}" * 100)),
    ],
)
def test_labels_of_json(tmp_path, text, label, metadata):
    (one,) = samples(tmp_path, ("a.json", text))
    assert one.label("json:kind") == label and one.metadata() == metadata


@pytest.mark.parametrize(
    "text", [b"{", b"\xff", b'{"a": "\\ud800"}', b"[" * 5000 + b"]" * 5000, b"[" * 101 + b"]" * 101, b"", b"9" * 1001]
)
def test_what_is_no_json(tmp_path, text):
    (one,) = samples(tmp_path, ("a.json", text))
    for ask in (one.metadata, lambda: one.label("json:kind")):
        with pytest.raises(ValueError, match=r"^its json is none, or too deep, or has no valid Unicode$"):
            ask()


def test_what_is_no_sample(tmp_path, monkeypatch):
    (one,) = samples(tmp_path, ("a.cls", b"\xff"))
    with pytest.raises(ValueError, match=r"^its cls is no UTF-8$"):
        one.label("cls")
    (one,) = samples(tmp_path, ("a.png", b"1"), ("a.PNG", b"2"))
    assert one.problem == "it has more than one member 'png'"
    monkeypatch.setattr(module, "MAX_TEXT_BYTES", 3)
    (one,) = samples(tmp_path, ("a.cls", b"1234"))
    assert one.problem == "its cls has 4 bytes, at most 3 are allowed"


@pytest.mark.parametrize("packing", ["gz", "xz"])
@pytest.mark.parametrize("text", ["a.cls", "a.json"])
def test_a_packed_file_that_is_wrong_within_a_text_is_told_with_its_byte(tmp_path, packing, text):
    path = write_tar(tmp_path / "x.tar", [(text, random.Random(0).randbytes(300_000).hex().encode())], packing)
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match=r"x\.tar' is cut off at byte [1-9]\d{4,5} of its unpacked content"):
        list(tar_samples(str(path)))
    at = len(content) // 2
    content[at : at + 40_000] = b"\x5a" * 40_000
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.tar' is (damaged|cut off) at byte [1-9]\d{4,5} of its unpacked content"):
        list(tar_samples(str(path)))
