"""The class list of a source: label values in class order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_mlplat.errors import SpecError


def checked_classes(classes: Iterable[str | int] | None, label: str | None) -> tuple[str | int, ...] | None:
    """The list as a tuple.

    Args:
        classes: Label values in class order, or None.
        label: The column that holds labels, if any does.

    Raises:
        SpecError: There are labels but no list; or the list is empty, is one text, or has a value that is neither
            text nor whole number, or one twice.
    """
    if classes is None and label is None:
        return None
    if classes is None or isinstance(classes, str) or not (values := tuple(classes)):
        raise SpecError(
            "classes is not a list of label values",
            expected='such as ("shirt", "coat"), or range(10) where labels are numbers',
            got=repr(classes),
        )
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise SpecError("a class is neither text nor whole number", got=repr(value))
    names = class_names(values)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SpecError("a class is listed twice", expected="distinct texts (3 and '3' are one)", got=repr(twice))
    return values


def class_names(classes: Sequence[str | int] | None) -> list[str]:
    """The classes as texts; an empty list for a source without labels."""
    return [str(value) for value in classes or ()]


def class_numbers(classes: Sequence[str | int] | None) -> dict[str, int]:
    """Text of each class → its place."""
    return {name: number for number, name in enumerate(class_names(classes))}
