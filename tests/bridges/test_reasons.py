from __future__ import annotations

from airflow_mlplat.bridges import reasons


def test_the_words_of_manifests_are_fixed():
    words = {value for name, value in vars(reasons).items() if name.isupper()}
    assert words == {
        "malformed row",
        "no key",
        "bad key",
        "duplicate key",
        "label outside the class list",
        "missing media",
        "empty media",
        "unreadable media",
        "media outside its root",
        "media too large",
    }


def test_a_bad_record_tells_reason_and_detail():
    bad = reasons.BadRecord(reasons.NO_KEY, "row")
    assert (bad.reason, bad.detail) == ("no key", "row")
