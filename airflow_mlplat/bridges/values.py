"""From a database's values to keys, labels and JSON. Pure."""

from __future__ import annotations

import math
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from airflow_mlplat.bridges.reasons import BAD_KEY, LABEL_OUTSIDE, NO_KEY, BadRecord
from airflow_mlplat.errors import SourceError

MAX_KEY_BYTES = 200
"""In UTF-8. Keys are file names in the shards and fixed-width rows in their index: longer ones cost every sample."""


def key_text(value: Any) -> str:
    """A record's key as text: texts as they are, whole numbers in digits, UUIDs and dates in their usual spelling.

    Raises:
        BadRecord: None, empty, too long, or not fit for a file name.
        SourceError: Of a type that does not name things reliably (float, bytes, bool).
    """
    if value is None or value == "":
        raise BadRecord(NO_KEY)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (str, int, uuid.UUID, date)):
        raise SourceError(
            "key has a type that cannot name a sample",
            expected="text, whole number, UUID or date",
            got=type(value).__name__,
            fix="cast the key column in the query",
        )
    text = value.isoformat() if isinstance(value, date) else str(value)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadRecord(BAD_KEY, f"{text!a} is no valid Unicode") from None
    if size > MAX_KEY_BYTES:
        raise BadRecord(BAD_KEY, f"{text[:40]!a}… is {size} bytes long, at most {MAX_KEY_BYTES} are allowed")
    if any(ord(character) < 32 for character in text):
        raise BadRecord(BAD_KEY, f"{text!a} has control characters")
    return text


def class_number(value: Any, numbers: dict[str, int]) -> int | None:
    """A label's place in the class list.

    Args:
        value: What the source says; None means that the label is missing.
        numbers: Text of each class → its place.

    Returns:
        0 .. classes-1, or None for a missing label.

    Raises:
        BadRecord: Not in the list.
    """
    if value is None:
        return None
    text = label_text(value)
    if text not in numbers:
        raise BadRecord(LABEL_OUTSIDE, ascii(text))
    return numbers[text]


def label_text(value: Any) -> str:
    """A label value's text: 3, 3.0, Decimal("3.00") and "3" are one label."""
    if isinstance(value, (float, Decimal)) and math.isfinite(value) and value == int(value):
        value = int(value)
    return str(value)


def json_value(value: Any) -> Any:
    """A column's value as plain JSON; what JSON lacks becomes text (dates in ISO 8601, decimals, UUIDs, NaN).

    Raises:
        SourceError: Bytes, which have no place in metadata.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise SourceError("metadata column holds bytes", expected="text, numbers, dates", got=type(value).__name__)
    return str(value)


def watermark_text(value: Any) -> str | None:
    """A watermark as text: ISO 8601 for times."""
    if value is None:
        return None
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


def later(one: Any, other: Any) -> Any:
    """The greater of two watermarks; None is before all.

    Raises:
        SourceError: They cannot be compared.
    """
    if one is None or other is None:
        return other if one is None else one
    try:
        return max(one, other)
    except TypeError as error:
        raise SourceError(
            "watermarks of different types",
            expected=type(one).__name__,
            got=type(other).__name__,
            fix="cast the watermark column in the query",
        ) from error


def moment(value: Any) -> datetime:
    """A point in time as a naive UTC datetime, from a datetime, a date, ISO 8601 text or Unix seconds.

    Raises:
        SourceError: None of these.
    """
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))  # 3.10 does not read Z
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            return datetime(1970, 1, 1) + timedelta(seconds=float(value))
        if isinstance(value, datetime):
            offset = value.utcoffset() or timedelta()
            return value.replace(tzinfo=None) - offset
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day)
    except (ValueError, OverflowError):
        pass
    raise SourceError("watermark is no time", expected="a date, a time, ISO 8601 text or Unix seconds", got=repr(value))
