"""The class list of a source: label values in class order. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_mlplat.errors import SpecError


def checked_classes(classes: Sequence[str | int] | None) -> tuple[str | int, ...] | None:
    """The list as a tuple.

    Raises:
        SpecError: Empty, one text instead of a list, a value that is neither text nor whole number, or one twice.
    """
    if classes is None:
        return None
    if isinstance(classes, str) or not classes:
        raise SpecError("classes is not a list of label values", expected='("shirt", "coat")', got=repr(classes))
    for value in classes:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise SpecError("a class is neither text nor whole number", got=repr(value))
    names = class_names(classes)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SpecError("a class is listed twice", expected="distinct texts (3 and '3' are one)", got=repr(twice))
    return tuple(classes)


def class_names(classes: Sequence[str | int] | None) -> list[str]:
    """The classes as texts; an empty list when labels are class numbers without names."""
    return [str(value) for value in classes or ()]


def class_numbers(classes: Sequence[str | int] | None) -> dict[str, int] | None:
    """Text of each class → its place; None without a list."""
    return None if classes is None else {name: number for number, name in enumerate(class_names(classes))}
