"""From a record to a row of the spool: key, label and media location judged, content digested. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_mlplat.bridges.base import Record
from airflow_mlplat.bridges.reasons import MALFORMED, MISSING, NO_KEY, BadRecord
from airflow_mlplat.bridges.values import class_number, json_value, key_text, label_text, watermark_text


@dataclass(frozen=True)
class Row:
    """A record, converted; a bad one has a reason.

    Args:
        key: UTF-8 bytes of the sample's key; empty when the record has none.
        content: SHA-256 (32 bytes) of all that becomes the sample; equal for identical records.
        version: SHA-256 (32 bytes) of the content and the watermark: changes when the source touches the row.
        label: Class number, or None when missing.
        media: Location, or bytes, or None when the record is bad.
        metadata: Canonical JSON.
        reason: One of `reasons`, or None.
        detail: What was found.
    """

    key: bytes
    content: bytes
    version: bytes
    label: int | None
    media: str | bytes | None
    metadata: str
    reason: str | None = None
    detail: str = ""


def row_of(record: Record, numbers: dict[str, int], locate: Callable[[Any], str | bytes]) -> Row:
    """Convert a record.

    Args:
        record: As the source has it.
        numbers: Text of each class → its place.
        locate: Turns the record's media value into a location or bytes; raises BadRecord.

    Raises:
        SourceError: A column has a type that no record could have rightly.
    """
    key, label, media, fault = b"", None, None, None
    try:
        if record.problem is not None:
            raise BadRecord(MALFORMED, record.problem)
        key = key_text(record.key).encode()
        label = class_number(record.label, numbers)
        if record.media is None or record.media == "":
            raise BadRecord(MISSING, "the record names none")
        media = locate(record.media)
    except BadRecord as bad:
        # The one thing left to find it by in the source.
        nameless = bad.reason == NO_KEY and isinstance(record.media, str)
        fault = BadRecord(bad.reason, f"its media is {record.media!a}") if nameless else bad
    metadata = _canonical({name: json_value(value) for name, value in record.metadata.items()})
    if fault is None:
        broken = [what for what, it in (("metadata", metadata), ("media", media)) if it != _valid(it)]
        fault = BadRecord(MALFORMED, f"its {broken[0]} hold no valid Unicode") if broken else None
    content = _content(record, metadata)
    mark = watermark_text(record.watermark)
    return Row(
        key=key,
        content=content,
        version=content if mark is None else hashlib.sha256(content + mark.encode(errors="surrogatepass")).digest(),
        label=label,
        media=None if fault else media,
        metadata=_valid(metadata),
        reason=fault.reason if fault else None,
        detail=_valid(fault.detail) if fault else "",
    )


def _valid(value: Any) -> Any:
    """A text with lone surrogates, which UTF-8 has not, escaped as JSON does; anything else as it is."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _content(record: Record, metadata: str) -> bytes:
    media = record.media
    if isinstance(media, (bytes, bytearray, memoryview)):
        media = hashlib.sha256(media).hexdigest()
    parts = [
        None if record.key is None else str(record.key),
        None if record.label is None else label_text(record.label),
        media,
        record.problem,
        metadata,
    ]
    # surrogatepass: a bad key is quarantined, not a crash here.
    return hashlib.sha256(_canonical(parts).encode("utf-8", "surrogatepass")).digest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
