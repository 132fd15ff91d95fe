"""Records from a CSV file, read with the standard library."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlplat.bridges.base import Record
from airflow_mlplat.bridges.classes import checked_classes
from airflow_mlplat.bridges.media import File, check_name
from airflow_mlplat.bridges.partition import parse_partition
from airflow_mlplat.errors import PlatformError, SourceError, SpecError

_WRONG_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)


@dataclass(frozen=True)
class CsvSource:
    """A partition is the lines of a CSV file (RFC 4180, UTF-8, first line the column names) that name its day.

    An empty label is a missing label.

    Args:
        path: The file. `{partition}` in it stands for the day.
        key: Column that names the sample, unique within the partition.
        media: `File(column, root)`.
        label: Column with the label.
        classes: Label values in class order, text or whole numbers; needed with `label`.
        where: Column that must equal the partition; default: every line of the file belongs to it.
        metadata: Columns to keep with each sample.
        watermark: Column whose greatest text says how far the source had come.
    """

    path: str
    key: str
    media: File
    label: str | None = None
    classes: tuple[str | int, ...] | None = None
    where: str | None = None
    metadata: tuple[str, ...] = ()
    watermark: str | None = None
    conn_id: None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path:
            raise SpecError("CsvSource has no path", expected="the path of a CSV file", got=repr(self.path))
        if not isinstance(self.media, File):
            raise SpecError(
                "CsvSource.media is no File", expected="File(column, root=…): CSV has no bytes", got=repr(self.media)
            )
        if isinstance(self.metadata, str):
            raise SpecError("CsvSource.metadata is one text", expected="a tuple of columns", got=repr(self.metadata))
        object.__setattr__(self, "metadata", tuple(self.metadata))
        object.__setattr__(self, "classes", checked_classes(self.classes, self.label))
        for column in self._columns():
            check_name("CsvSource", column)

    def records(self, client: None, partition: str) -> Iterator[Record]:
        """Stream the partition's lines.

        Raises:
            SourceError: The file is missing, is no CSV, or lacks a column.
            PlatformError: The disk fails.
        """
        path = self._file(partition)
        try:
            # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
            with path.open(newline="", encoding="utf-8-sig") as file:
                lines = csv.reader(file, strict=True)
                header = next(lines, [])
                at = self._positions(path, header)
                for fields in lines:
                    if fields and (record := self._record(fields, header, at, lines.line_num, partition)):
                        yield record
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            # A disk that fails may be well at the next try; a file that is wrong will not.
            mends_itself = isinstance(error, OSError) and not isinstance(error, _WRONG_FILE)
            raise (PlatformError if mends_itself else SourceError)(
                f"CSV file {str(path)!r} cannot be read",
                got=f"{type(error).__name__}: {error}",
                fix="see that it is there, readable and UTF-8",
            ) from error

    def count(self, client: None, partition: str) -> int:
        """How many lines the partition has; none while there is no file, so that a sensor can wait for it."""
        if not self._file(partition).exists():
            return 0
        return sum(1 for _ in self.records(client, partition))

    def describe(self) -> dict[str, Any]:
        """The source as plain JSON."""
        return {
            "kind": "csv",
            "path": self.path,
            "key": self.key,
            "label": self.label,
            "media": self.media.describe(),
            "classes": None if self.classes is None else list(self.classes),
            "where": self.where,
            "metadata": list(self.metadata),
            "watermark": self.watermark,
        }

    def _file(self, partition: str) -> Path:
        return Path(self.path.replace("{partition}", parse_partition(partition)))

    def _columns(self) -> list[str]:
        optional = [column for column in (self.label, self.where, self.watermark) if column is not None]
        return [self.key, self.media.column, *optional, *self.metadata]

    def _positions(self, path: Path, header: list[str]) -> dict[str, int]:
        for column in self._columns():
            if header.count(column) != 1:
                what = "lacks" if column not in header else "has more than one"
                raise SourceError(
                    f"CSV file {str(path)!r} {what} column {column!r}", expected=column, got=", ".join(header)
                )
        return {column: header.index(column) for column in self._columns()}

    def _record(
        self, fields: list[str], header: list[str], at: dict[str, int], line: int, partition: str
    ) -> Record | None:
        """The line as a record; None when it belongs to another partition."""
        if len(fields) != len(header):
            # Which day it belongs to cannot be told, so every partition reports it.
            return Record(None, problem=f"line {line} has {len(fields)} fields, the first line has {len(header)}")
        if self.where and fields[at[self.where]] != partition:
            return None
        return Record(
            key=fields[at[self.key]],
            label=(fields[at[self.label]] or None) if self.label else None,
            media=fields[at[self.media.column]],
            metadata={name: fields[at[name]] for name in self.metadata},
            watermark=fields[at[self.watermark]] if self.watermark else None,
        )
