from __future__ import annotations

import hashlib
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlplat.bridges.rows import Row
from airflow_mlplat.bridges.spool import MediaState, Spool


def row(key: str, media="m", label=0, reason=None, detail=""):
    content = hashlib.sha256(f"{key} {media} {label} {reason}".encode()).digest()
    return Row(key.encode(), content, content, label, None if reason else media, "{}", reason, detail)


def read(rows):
    with Spool() as spool:
        spool.fill(rows)
        return list(spool.rows())


def test_rows_come_back_by_the_bytes_of_their_keys():
    keys = ["b", "a", "é", "Z", "a1", "a10", "a2", "\U0001f600", "\uffff"]
    assert [found.key for found in read(map(row, keys))] == sorted(key.encode() for key in keys)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), max_size=8), st.randoms())
def test_the_order_of_the_source_does_not_matter(pairs, chance):
    rows = [row(key, media) for key, media in pairs]
    shuffled = rows[:]
    chance.shuffle(shuffled)
    assert read(rows) == read(shuffled)


def test_of_identical_rows_one_stays_of_differing_ones_none():
    found = read([row("same"), row("other", "1"), row("same"), row("other", "2"), row("same"), row("alone")])
    reasons = [(f.key.decode(), f.reason, f.detail, f.media is None) for f in found]
    assert sorted(reasons, key=str) == sorted(
        [
            ("alone", None, "", False),
            ("other", "duplicate key", "the records differ", True),
            ("other", "duplicate key", "the records differ", True),
            ("same", None, "", False),
            ("same", "duplicate key", "identical to the one kept", True),
            ("same", "duplicate key", "identical to the one kept", True),
        ],
        key=str,
    )


def test_a_good_row_beside_a_bad_one_with_its_key_is_not_trusted():
    found = read([row("k", label=1), row("k", reason="label outside the class list")])
    assert {f.reason for f in found} == {"duplicate key", "label outside the class list"}


def test_rows_without_key_are_no_duplicates():
    assert [f.reason for f in read([row("", reason="no key"), row("", reason="no key")])] == ["no key", "no key"]


def test_states_of_media():
    with Spool() as spool:
        spool.fill([row("a", "1"), row("b", b"2"), row("c", reason="no key", detail="d")])
        media = list(spool.media())
        assert [location for _, location in media] == ["1", b"2"]
        spool.set_states([MediaState(media[0][0], "s"), MediaState(media[1][0], None, "missing media", "'2'")])
        found = {f.key: (f.state, f.reason, f.detail) for f in spool.rows()}
        assert found == {b"a": ("s", None, ""), b"b": (None, "missing media", "'2'"), b"c": (None, "no key", "d")}
        assert spool.counts() == {None: 1, "missing media": 1, "no key": 1}
        assert spool.examples() == {"missing media": "'b' '2'", "no key": "'c' d"}
        assert len(list(spool.media())) == 2  # still looked at the second time: it may have come back


def test_states_may_be_set_while_media_is_iterated():
    rows = [row(f"{n:05}", str(n)) for n in random.Random(0).sample(range(5000), 5000)]
    with Spool() as spool:
        spool.fill(rows)
        spool.set_states(MediaState(number, str(location)) for number, location in spool.media())
        assert all(found.state == found.media for found in spool.rows())
