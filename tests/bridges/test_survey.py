from __future__ import annotations

import pytest

from airflow_mlplat.bridges import WebDatasetSource
from airflow_mlplat.bridges import survey as module
from airflow_mlplat.bridges.survey import Survey, guessed_classes, survey
from airflow_mlplat.errors import DataError
from tests.bridges.suite import DAY
from tests.bridges.tars import sample, write_tar

MEMBERS = [
    *sample("a", 1, kind="coat"),
    ("b.png", b"1"), ("b.jpg", b"2"), ("b.txt", b"3"),
    *sample("c", "1"),
    ("d.json", b"{"),
]  # fmt: skip


@pytest.fixture
def tars(tmp_path):
    write_tar(tmp_path / "0.tar", MEMBERS)
    return WebDatasetSource(str(tmp_path / "0.tar"), ("jpg", "png"))


def test_what_there_is(tars):
    members = {"cls": 2, "jpg": 1, "json": 2, "png": 3, "txt": 1}
    assert survey(tars, DAY, "cls") == Survey(4, members, 3, {"1": 2}, {"png": 1, "txt": 1})
    assert survey(tars, DAY, "json:kind") == Survey(4, members, 3, {"coat": 1}, {"cls": 2, "png": 1, "txt": 1})


def test_captions_are_no_classes(tars, monkeypatch):
    monkeypatch.setattr(module, "MAX_CLASSES", 0)
    with pytest.raises(DataError, match=r"label cls is no class; expected at most 0 different ones; got more, such as"):
        survey(tars, DAY, "cls")


def test_classes_are_guessed_from_all_numbers_from_zero():
    assert guessed_classes({"1": 3, "0": 1, "2": 1}) == ("0", "1", "2")
    assert guessed_classes({str(number): 1 for number in range(12)}) == tuple(map(str, range(12)))


@pytest.mark.parametrize("labels", [["1", "2"], ["0", "2"], ["-1", "0"], ["coat"], ["0", "1.5"]])
def test_anything_else_is_no_guess(labels):
    with pytest.raises(DataError, match=r"the classes cannot be told .*got \d different labels: '.*pass --classes"):
        guessed_classes(dict.fromkeys(labels, 1))
    with pytest.raises(DataError, match=r"got 9 different labels: .*, …"):
        guessed_classes(dict.fromkeys("abcdefghi", 1))
