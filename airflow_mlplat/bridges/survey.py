"""What tar files hold, before they are bridged: which members, which labels; and classes, where nobody gave them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from airflow_mlplat.bridges.tar_samples import TarSample
from airflow_mlplat.bridges.values import label_text
from airflow_mlplat.bridges.webdataset_source import WebDatasetSource
from airflow_mlplat.errors import DataError

MAX_CLASSES = 100_000
"""More distinct labels are no classes; a caption was taken for one, say."""

_SHOWN = 5


@dataclass(frozen=True)
class Survey:
    """What there is.

    Args:
        samples: How many samples, good or bad.
        members: Extension → how many members.
        media: How many samples have media.
        labels: Distinct labels as texts → how many samples.
        left: Extension → how many members become no part of a sample.
    """

    samples: int
    members: dict[str, int]
    media: int
    labels: dict[str, int]
    left: dict[str, int]


def survey(source: WebDatasetSource, partition: str, label: str | None) -> Survey:
    """Look at all samples, not at their media.

    Args:
        source: The tar files; its own label is not looked at.
        partition: A day, `2026-01-31`.
        label: `cls`, `json:FIELD`, or None for no labels.

    Raises:
        SourceError: A file is missing, no tar file, cut off or damaged.
        DataError: More distinct labels than there can be classes.
    """
    samples = media = 0
    members: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for sample in source.samples(partition):
        samples += 1
        members.update(list(sample.members))
        taken = sample.media(source.extensions)
        media += taken is not None
        left.update(name for name, at in sample.members.items() if at != taken and name not in ("json", label))
        if (text := _label(sample, label)) is not None:
            labels[text] += 1
        if len(labels) > MAX_CLASSES:
            raise DataError(
                f"label {label} is no class",
                expected=f"at most {MAX_CLASSES} different ones",
                got=f"more, such as {text!r}",
                fix="name the field of the json that has the class",
            )
    return Survey(samples, dict(sorted(members.items())), media, dict(labels), dict(sorted(left.items())))


def guessed_classes(labels: dict[str, int]) -> tuple[str, ...]:
    """The classes 0 … n-1, where the labels are just these numbers, each at least once.

    Raises:
        DataError: They are others: then only the user knows the class list.
    """
    classes = tuple(str(number) for number in range(len(labels)))
    if set(classes) != set(labels):
        shown = ", ".join(map(repr, sorted(labels)[:_SHOWN])) + (", …" if len(labels) > _SHOWN else "")
        raise DataError(
            "the classes cannot be told from the labels",
            expected="whole numbers from 0, none left out",
            got=f"{len(labels)} different labels: {shown}",
            fix="pass --classes or --classes-file",
        )
    return classes


def _label(sample: TarSample, label: str | None) -> str | None:
    try:
        value = sample.label(label)
    except ValueError:
        return None  # the bridge will say so
    return None if value is None else label_text(value)
