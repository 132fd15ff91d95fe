from __future__ import annotations

import json

import pytest

from airflow_mlplat.bridges.base import Record
from airflow_mlplat.bridges.reasons import OUTSIDE, BadRecord
from airflow_mlplat.bridges.rows import row_of

NUMBERS = {"shirt": 0, "coat": 1}


def row(**changes):
    fields = {"key": "k", "label": "coat", "media": "a.png", "metadata": {"by": "é"}, "watermark": 5, **changes}
    return row_of(Record(**fields), NUMBERS, lambda path: f"/root/{path}")


def test_a_good_record():
    found = row()
    assert (found.key, found.label, found.media, found.reason, found.detail) == (b"k", 1, "/root/a.png", None, "")
    assert json.loads(found.metadata) == {"by": "é"}
    assert len(found.content) == len(found.version) == 32


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": None}, "no key"),
        ({"key": "\ud800"}, "bad key"),
        ({"label": "hat"}, "label outside the class list"),
        ({"media": None}, "missing media"),
        ({"media": ""}, "missing media"),
        ({"problem": "line 3 is short"}, "malformed row"),
        ({"problem": "\ud800"}, "malformed row"),
        ({"media": "\ud800.png"}, "malformed row"),
        ({"metadata": {"by": "\ud800"}}, "malformed row"),
        ({"key": None, "watermark": "\ud800"}, "no key"),
    ],
)
def test_bad_records_have_a_reason_and_no_media(changes, reason):
    found = row(**changes)
    assert found.reason == reason and found.media is None
    assert (found.metadata + found.detail).encode()  # what cannot be stored would stop the bridge
    json.loads(found.metadata)


def test_a_record_without_key_can_be_found_by_its_media():
    assert row(key=None).detail == "its media is 'a.png'"
    assert row(key="x" * 201).detail.startswith("'xxxxx")


def test_a_record_without_label_is_good():
    assert row(label=None).reason is None and row(label=None).label is None


def test_the_locator_may_refuse():
    def refuse(path):
        raise BadRecord(OUTSIDE, path)

    found = row_of(Record("k", media="../x"), {}, refuse)
    assert (found.key, found.reason, found.detail) == (b"k", OUTSIDE, "../x")


def test_content_is_all_that_becomes_the_sample():
    changed = [
        {"key": "l"},
        {"label": "shirt"},
        {"label": None},
        {"media": "b.png"},
        {"metadata": {"by": "f"}},
        {"media": b"a"},
    ]
    contents = {
        row_of(Record(**{"key": "k", "label": "coat", "media": "a.png", **c}), NUMBERS, lambda m: m).content
        for c in changed
    }
    assert len(contents | {row().content}) == len(changed) + 1


def test_the_version_also_tells_the_watermark():
    one, other = row(), row(watermark=6)
    assert one.content == other.content and one.version != other.version
