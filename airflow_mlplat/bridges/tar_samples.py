"""Samples of tar files as WebDataset writes them: adjacent members of one key.

Its rules (webdataset.tariterators of webdataset 1.0): a member's key is its path up to the first dot of the base name,
the extension is the rest in lower case; what has no key or no extension, and names as `__x__`, are not looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_mlplat.bridges.members import member_location
from airflow_mlplat.bridges.tar_files import TarMember, tar_members

MAX_TEXT_BYTES = 16 * 1024 * 1024
"""A larger `cls` or `json` is no label and no metadata. In bytes."""

# Of JSON: how deep a Python can read, and how many digits, differs by version.
_MAX_DEPTH, _MAX_DIGITS = 100, 1000
_TEXTS = ("cls", "json")
_META = re.compile(r"__[^/]*__($|/)")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass
class TarSample:
    """Adjacent members of one key.

    Args:
        path: The tar file.
        key: What WebDataset calls `__key__`.
        members: Extension → location of the member.
        texts: `cls` and `json`, as far as there are: extension → content.
        problem: Why it cannot be read as a sample.
    """

    path: str
    key: str
    members: dict[str, str] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    problem: str | None = None

    def add(self, extension: str, member: TarMember) -> None:
        """Take in a member; texts are read now."""
        if extension in self.members:
            self.problem = f"it has more than one member {extension!a}"
        self.members[extension] = member_location(self.path, member.offset, member.size)
        if extension in _TEXTS:
            if member.size > MAX_TEXT_BYTES:
                self.problem = f"its {extension} has {member.size} bytes, at most {MAX_TEXT_BYTES} are allowed"
            else:
                self.texts[extension] = member.read()

    def metadata(self) -> dict[str, Any]:
        """The `json`; one that is no object is the value of the name `json`.

        Raises:
            ValueError: It is no JSON in UTF-8.
        """
        if "json" not in self.texts:
            return {}
        try:
            value = json.loads(self.texts["json"].decode(), parse_int=_whole_number)
            json.dumps(value, ensure_ascii=False).encode()  # raises for lone surrogates
            if _is_deep(value, _MAX_DEPTH):
                raise ValueError(f"nested deeper than {_MAX_DEPTH}")
        except (ValueError, RecursionError) as error:
            # Without the error's words, which differ by Python: what is told counts in the span's digest.
            raise ValueError("its json is none, or too deep, or has no valid Unicode") from error
        return value if isinstance(value, dict) else {"json": value}

    def label(self, label: str | None) -> Any:
        """The label's value, None if there is none.

        Args:
            label: `cls`, `json:FIELD`, or None for no label.

        Raises:
            ValueError: The `cls` is no UTF-8.
        """
        if label is None:
            return None
        if label != "cls":
            value = self.metadata().get(label.partition(":")[2])
            return None if value == "" else value
        try:
            text = self.texts.get("cls", b"").decode().strip()
        except UnicodeDecodeError as error:
            raise ValueError("its cls is no UTF-8") from error
        return (int(text) if _WHOLE.fullmatch(text) else text) if text else None

    def media(self, extensions: Iterable[str]) -> str | None:
        """Location of the member with the first of the extensions that there is."""
        return next((self.members[name] for name in extensions if name in self.members), None)


def _whole_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _is_deep(value: Any, depth: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    items = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_is_deep(item, depth - 1) for item in items)


def tar_samples(path: str) -> Iterator[TarSample]:
    """The samples of a tar file, in its order, in constant memory.

    Raises:
        SourceError: What `tar_members` says.
        PlatformError: The disk fails.
    """
    sample: TarSample | None = None
    for member in tar_members(path):
        key, extension = split_name(member.name)
        if not extension:
            continue
        if sample is None or sample.key != key:
            if sample is not None:
                yield sample
            sample = TarSample(path, key)
        sample.add(extension, member)
    if sample is not None:
        yield sample


def split_name(name: str) -> tuple[str, str]:
    """Key and extension of a member's name; two empty texts for what is part of no sample."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    if not stem or not extension or _META.match(name):
        return "", ""
    return folder + slash + stem, extension.lower()
