from __future__ import annotations

import pytest

from airflow_mlplat.bridges.classes import checked_classes, class_names, class_numbers
from airflow_mlplat.errors import SpecError


def test_places_follow_the_list():
    assert checked_classes(["shirt", 3], "label") == ("shirt", 3)
    assert class_names(("shirt", 3)) == ["shirt", "3"]
    assert class_numbers(("shirt", 3)) == {"shirt": 0, "3": 1}


def test_classes_may_be_numbers():
    assert checked_classes(range(3), "label") == (0, 1, 2)


def test_a_source_without_labels_needs_none():
    assert checked_classes(None, None) is None and class_names(None) == [] and class_numbers(None) == {}
    assert checked_classes(("shirt",), None) == ("shirt",)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (None, "classes is not a list of label values; expected such as .* or range"),
        ("shirt", "classes is not a list of label values"),
        ((), "classes is not a list of label values"),
        ((1.5,), "a class is neither text nor whole number; got 1.5"),
        ((True,), "a class is neither text nor whole number; got True"),
        ((3, "3"), "a class is listed twice; expected distinct texts .* got '3'"),
    ],
)
def test_bad_lists(classes, message):
    with pytest.raises(SpecError, match=message):
        checked_classes(classes, "label")
