from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from airflow_mlplat.bridges.reasons import BadRecord
from airflow_mlplat.bridges.values import class_number, json_value, key_text, label_text, later, moment, watermark_text
from airflow_mlplat.errors import SourceError

ID = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("value", "text"),
    [("é/a b", "é/a b"), (7, "7"), (Decimal("7"), "7"), (ID, str(ID)), (date(2026, 1, 2), "2026-01-02")],
)
def test_keys(value, text):
    assert key_text(value) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no key"),
        ("", "no key"),
        ("x" * 201, "bad key"),
        ("\ud800", "bad key"),
        ("a\0", "bad key"),
        ("a\n", "bad key"),
    ],
)
def test_bad_keys(value, reason):
    with pytest.raises(BadRecord) as bad:
        key_text(value)
    assert bad.value.reason == reason


@pytest.mark.parametrize("value", [1.5, True, b"a", Decimal("1.5"), ["a"]])
def test_keys_of_types_that_name_nothing(value):
    with pytest.raises(
        SourceError, match="key has a type that cannot name a sample; expected text, whole number, UUID or date"
    ):
        key_text(value)


@pytest.mark.parametrize(
    ("value", "numbers", "expected"),
    [
        ("coat", {"shirt": 0, "coat": 1}, 1),
        (3, {"3": 0}, 0),
        ("3", {"3": 0}, 0),
        (Decimal("3.00"), {"3": 0}, 0),
        (None, {"3": 0}, None),
        (None, {}, None),
    ],
)
def test_labels(value, numbers, expected):
    assert class_number(value, numbers) == expected


@pytest.mark.parametrize("value", ["hat", "Coat", " coat", 1, ""])
def test_labels_outside_the_list(value):
    with pytest.raises(BadRecord) as bad:
        class_number(value, {"shirt": 0, "coat": 1})
    assert bad.value.reason == "label outside the class list" and bad.value.detail == repr(str(value))


def test_equal_labels_have_one_text():
    assert {label_text(value) for value in (3, 3.0, Decimal("3.00"), "3")} == {"3"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (1.5, 1.5),
        (float("inf"), "inf"),
        (Decimal("1.50"), "1.50"),
        (datetime(2026, 1, 2, 3), "2026-01-02T03:00:00"),
        ({"a": [Decimal(1)]}, {"a": ["1"]}),
        (ID, str(ID)),
    ],
)
def test_metadata_becomes_json(value, expected):
    assert json_value(value) == expected


def test_bytes_are_no_metadata():
    with pytest.raises(SourceError, match="metadata column holds bytes"):
        json_value(b"a")


def test_watermarks_compare_as_what_they_are():
    assert later(None, None) is None and later(None, 2) == 2 and later(9, 10) == 10 and later(10, None) == 10
    assert watermark_text(datetime(2026, 1, 2)) == "2026-01-02T00:00:00"
    assert watermark_text(10) == "10" and watermark_text(None) is None
    with pytest.raises(SourceError, match="watermarks of different types; expected int; got str"):
        later(1, "1")


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 2),
        date(2026, 1, 2),
        "2026-01-02",
        "2026-01-02 00:00:00",
        "2026-01-02T00:00:00Z",
        datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=1))),
        1767312000,
        Decimal("1767312000.0"),
    ],
)
def test_moments(value):
    assert moment(value) == datetime(2026, 1, 2)


@pytest.mark.parametrize("value", ["soon", None, True, 10**30, b"2026"])
def test_no_moments(value):
    with pytest.raises(SourceError, match="watermark is no time"):
        moment(value)
