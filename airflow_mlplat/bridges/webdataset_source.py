"""Records from tar files as WebDataset writes them; media is read in key order by its place, not spooled."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlplat.bridges.base import Record
from airflow_mlplat.bridges.classes import checked_classes, class_names
from airflow_mlplat.bridges.media import Member
from airflow_mlplat.bridges.partition import parse_partition
from airflow_mlplat.bridges.tar_samples import TarSample, tar_samples
from airflow_mlplat.errors import SourceError, SpecError


@dataclass(frozen=True)
class WebDatasetSource:
    """A partition is the samples of local tar files; their `json` is kept as metadata.

    A sample without a label, or with an empty one, has a missing label. A label is a text of the class list; where no
    class is a number, a whole number is a place in the list, as `cls` has it.

    Args:
        paths: Tar files, plain or packed by gzip, bzip2 or xz: a path or a glob pattern, or several.
            `{partition}` in it stands for the day.
        extensions: Of the media, `("jpg", "png")`; the first that a sample has is its media. Default: all of images and
            of arrays.
        label: `cls`, or `json:FIELD`; default: no labels.
        classes: Label values in class order; needed with `label`.
    """

    paths: str | tuple[str, ...]
    extensions: tuple[str, ...] = Member.extensions
    label: str | None = None
    classes: tuple[str | int, ...] | None = None
    conn_id: None = None

    def __post_init__(self) -> None:
        paths = (self.paths,) if isinstance(self.paths, str) else tuple(self.paths)
        if not paths or not all(isinstance(path, str) and path and "://" not in path for path in paths):
            raise SpecError("WebDatasetSource has no paths", expected="local tar files", got=repr(self.paths))
        object.__setattr__(self, "extensions", Member(self.extensions).extensions)
        check_label(self.label)
        object.__setattr__(self, "paths", paths)
        object.__setattr__(self, "classes", checked_classes(self.classes, self.label))

    @property
    def media(self) -> Member:
        """Where a sample's media is."""
        return Member(self.extensions)

    def records(self, client: None, partition: str) -> Iterator[Record]:
        """Stream the partition's samples; of plain tar files only headers, `cls` and `json` are read.

        Raises:
            SourceError: A file is missing, no tar file, cut off or damaged.
            PlatformError: The disk fails.
        """
        places = class_places(class_names(self.classes))
        for sample in self.samples(partition):
            yield self._record(sample, places)

    def samples(self, partition: str) -> Iterator[TarSample]:
        """The partition's samples as they are; raises as `records`."""
        for path in self.files(partition):
            yield from tar_samples(path)

    def files(self, partition: str) -> list[str]:
        """The partition's tar files, each once; for a pattern that matches nothing there is none.

        Raises:
            SourceError: A file that is named is missing.
        """
        found: dict[str, str] = {}
        for pattern in self._patterns(partition):
            if not Path(pattern).exists() and not glob.has_magic(pattern):
                raise SourceError(f"tar file {pattern!r} does not exist", fix="see that it is there")
            for path in _matching(pattern):
                found.setdefault(os.path.realpath(path), path)
        return list(found.values())

    def count(self, client: None, partition: str) -> int:
        """How many samples the partition has; none while a file is missing, so that a sensor can wait for it."""
        if not all(_matching(pattern) for pattern in self._patterns(partition)):
            return 0
        return sum(1 for _ in self.samples(partition))

    def describe(self) -> dict[str, Any]:
        """The source as plain JSON."""
        return {
            "kind": "webdataset",
            "paths": list(self.paths),
            "label": self.label,
            "media": self.media.describe(),
            "classes": None if self.classes is None else list(self.classes),
        }

    def _patterns(self, partition: str) -> Iterable[str]:
        day = parse_partition(partition)
        return [path.replace("{partition}", day) for path in self.paths]

    def _record(self, sample: TarSample, places: list[str]) -> Record:
        try:
            if sample.problem:
                raise ValueError(sample.problem)
            metadata, label = sample.metadata(), sample.label(self.label)
        except ValueError as error:
            # The name alone: what is told counts in the span's digest, and that must not depend on where the file lies.
            return Record(None, problem=f"sample {sample.key!a} of {Path(sample.path).name}: {error}")
        if type(label) is int and 0 <= label < len(places):
            label = places[label]
        return Record(sample.key, label, sample.media(self.extensions), metadata)


def class_places(names: list[str]) -> list[str]:
    """The classes that whole numbers stand for, by place: all, or none where a class is itself a number."""
    return [] if any(name.lstrip("+-").isdigit() for name in names) else names


def check_label(label: str | None) -> None:
    """Raise SpecError unless it says where a sample's label is."""
    if label not in (None, "cls") and not (isinstance(label, str) and label[:5] == "json:" and label[5:]):
        raise SpecError("label says no place of a label", expected="cls or json:FIELD", got=repr(label))


def _matching(pattern: str) -> list[str]:
    """The files of a pattern; a file of that very name counts, though it has brackets."""
    return [pattern] if Path(pattern).exists() else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  no root
