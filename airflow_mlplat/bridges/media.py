"""Where a record's media is: bytes in a column, or a file that a column names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airflow_mlplat.errors import SpecError


@dataclass(frozen=True)
class Column:
    """The media itself is in a column, as bytes.

    Args:
        column: Name of the column.
    """

    column: str

    def __post_init__(self) -> None:
        check_name("Column", self.column)

    def describe(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"kind": "column", "column": self.column}


@dataclass(frozen=True)
class File:
    """A column names a file below a root. What lies outside the root is quarantined, never read.

    Args:
        column: Name of the column. It holds paths relative to `root`, or whole URLs that begin with `root`.
        root: A folder (absolute, or relative to the worker's working directory), or a URL that an fsspec driver
            opens: `s3://shop-photos`, `https://images.example.org/2026`.
    """

    column: str
    root: str

    def __post_init__(self) -> None:
        check_name("File", self.column)
        if not isinstance(self.root, str) or not self.root:
            raise SpecError("File has no root", expected="a folder or a URL", got=repr(self.root))
        url = urlsplit(self.root)
        if url.username or url.password or url.query:
            # The root is written into the lineage.
            raise SpecError(
                "File's root carries credentials or a query",
                got=f"{url.scheme}://…{url.path}",
                fix="give them to the driver, by environment or connection",
            )
        if "::" in self.root:
            # Also keeps out fsspec's caches (`simplecache::…`), which served half-written files (fsspec #639, #1126).
            raise SpecError("File's root chains several drivers", expected="one URL", got=repr(self.root))

    @property
    def protocol(self) -> str:
        """The URL's scheme; `file` for folders."""
        scheme, separator, _ = self.root.partition("://")
        return scheme.lower() if separator else "file"

    def describe(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"kind": "file", "column": self.column, "root": self.root}


def check_name(owner: str, column: str) -> None:
    """Raise SpecError unless `column` can be the name of a column."""
    if not isinstance(column, str) or not column:
        raise SpecError(f"{owner} names no column", expected="the name of a column", got=repr(column))
