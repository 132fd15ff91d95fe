"""Templates' tools."""

from __future__ import annotations

from datetime import datetime, timezone

import jinja2
import pytest

from airflow_mlplat.ui import render
from airflow_mlplat.ui.render import NONE


@pytest.mark.parametrize(
    ("filter", "value", "expected"),
    [
        ("short", "ab" * 32, "abababababab"),
        ("short", None, NONE),
        ("percent", 0.90125, "90.12 %"),
        ("percent", 1, "100.00 %"),
        ("moment", datetime(2026, 1, 31, 13, 5, 59, tzinfo=timezone.utc), "2026-01-31 13:05 UTC"),
        ("moment", None, NONE),
        ("thousands", 1234567, "1\u202f234\u202f567"),
        ("thousands", 0, "0"),
        ("thousands", None, NONE),
        ("number", None, NONE),
        ("number", True, "yes"),
        ("number", False, "no"),
        ("number", 0.1 + 0.2, "0.3"),
        ("number", 1e-9, "1e-09"),
        ("number", 28, "28"),
    ],
)
def test_filters(filter, value, expected):
    assert render.environment().filters[filter](value) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"a": 1, "b": 2}, {"b": 3, "a": 4}], ["a", "b"]),
        ([{"a": 1}, {"b": 3}], []),
        ([{"a": 1}, 2], []),
        ([1, 2], []),
        ([], []),
    ],
)
def test_a_list_of_equal_rows_is_a_table(rows, expected):
    assert render.columns(rows) == expected


def test_everything_is_escaped_whatever_the_templates_name():
    template = render.environment().from_string("{{ text }}")
    assert template.render(text="<b>&\"'") == "&lt;b&gt;&amp;&#34;&#39;"


def test_a_missing_value_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="'absent' is undefined"):
        render.environment().from_string("{{ absent }}").render()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, "none"),
        ([0.5, 0.25], "0.5, 0.25"),
        (list(range(60)), "60 in all"),
        ({"a": {"b": [1, None]}}, f"1, {NONE}"),
        ([{"p": 0.25, "q": 1}, {"p": 0.5, "q": 2}], "<th>p</th><th>q</th>"),
        ({"model": "ab" * 32}, f'href="/mlplat/artifacts/{"ab" * 32}"'),
        ({"model": "resnet"}, "<td>resnet</td>"),
        ({"sha": "ab" * 32}, f"<td>{'ab' * 32}</td>"),
        ({"<i>": "<b>"}, "<td>&lt;b&gt;</td>"),
        ("", ""),
    ],
)
def test_any_plain_json_can_be_shown(value, expected):
    source = '{% import "macros.html" as show with context %}{{ show.value(value) }}'
    text = render.environment().from_string(source).render(value=value, base="/mlplat")
    assert expected in text
