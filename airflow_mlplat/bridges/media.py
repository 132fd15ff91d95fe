"""Where a record's media is: bytes in a column, a file that a column names, or a member of a tar file."""

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


@dataclass(frozen=True)
class Member:
    """A member of a tar file: of a sample's members, the one with the first of these extensions that there is.

    Args:
        extensions: All after the first dot of a member's name, without it: `jpg`, `seg.png`. Case does not matter.
    """

    extensions: tuple[str, ...] = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "npy")

    def __post_init__(self) -> None:
        given = self.extensions
        named = not isinstance(given, str) and given and all(isinstance(name, str) and name for name in given)
        if not named or any(name.startswith(".") or "/" in name for name in given):
            raise SpecError("media has no extensions", expected='such as ("jpg", "png")', got=repr(given))
        object.__setattr__(self, "extensions", tuple(dict.fromkeys(name.lower() for name in given)))

    def describe(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"kind": "member", "extensions": list(self.extensions)}


def check_name(owner: str, column: str) -> None:
    """Raise SpecError unless `column` can be the name of a column."""
    if not isinstance(column, str) or not column:
        raise SpecError(f"{owner} names no column", expected="the name of a column", got=repr(column))
