from __future__ import annotations

import pickle

import pytest

from airflow_mlplat.bridges import CsvSource, DoneFlag, File, MaxWatermark, RowCount
from airflow_mlplat.errors import SourceError, SpecError

DAY = "2026-01-31"


def test_row_count(shop):
    rule = RowCount(2)
    assert rule.is_complete(shop.engine, shop.source(), DAY) == (False, "0 of at least 2 records")
    shop.add(1)
    shop.add(2, day="2026-02-01")
    assert rule.is_complete(shop.engine, shop.source(), DAY) == (False, "1 of at least 2 records")
    shop.add(3)
    assert rule.is_complete(shop.engine, shop.source(), DAY) == (True, "2 of at least 2 records")


def test_row_count_of_a_file(tmp_path):
    (tmp_path / "labels.csv").write_text("id,path\n1,a\n")
    source = CsvSource(str(tmp_path / "labels.csv"), "id", File("path", "."))
    assert RowCount(1).is_complete(None, source, DAY)[0] and not RowCount(2).is_complete(None, source, DAY)[0]


def test_max_watermark_of_a_query(shop):
    rule = MaxWatermark(query="SELECT max(updated_at) FROM photos")
    assert rule.is_complete(shop.engine, shop.source(), DAY) == (False, "no watermark yet")
    shop.add(1, at="2026-01-31 23:59:59")
    assert rule.is_complete(shop.engine, shop.source(), DAY) == (
        False,
        "watermark 2026-01-31 23:59:59 of 2026-02-01 00:00:00",
    )
    shop.add(2, day="2026-02-01", at="2026-02-01 00:00:00")
    assert rule.is_complete(shop.engine, shop.source(), DAY)[0]


def test_max_watermark_of_a_column(shop):
    shop.add(1, at="2026-01-31 23:50:00")
    shop.add(2, day="2026-02-01", at="2026-02-01 10:00:00")  # another partition's
    assert not MaxWatermark("updated_at").is_complete(shop.engine, shop.source(), DAY)[0]
    assert not MaxWatermark("updated_at", slack_seconds=599).is_complete(shop.engine, shop.source(), DAY)[0]
    assert MaxWatermark("updated_at", slack_seconds=600).is_complete(shop.engine, shop.source(), DAY)[0]
    with pytest.raises(SourceError, match="watermark is no time; expected a date, "):
        MaxWatermark("path").is_complete(shop.engine, shop.source(), DAY)


@pytest.mark.parametrize("flag", [1, -1, 0.5, "yes", "T", "done"])
def test_flags_that_say_yes(shop, flag):
    shop.add(1, label=flag)
    rule = DoneFlag("SELECT label FROM photos WHERE taken_on = :partition")
    assert rule.is_complete(shop.engine, shop.source(), DAY) == (True, f"flag is {flag!r}")


@pytest.mark.parametrize("flag", [0, 0.0, "", "0", "f", "False", "no"])
def test_flags_that_say_no(shop, flag):
    shop.add(1, label=flag)
    rule = DoneFlag("SELECT label FROM photos WHERE taken_on = :partition")
    assert rule.is_complete(shop.engine, shop.source(), DAY) == (False, f"flag is {flag!r}")
    shop.run("DELETE FROM photos")
    assert rule.is_complete(shop.engine, shop.source(), DAY) == (False, "no flag yet")


def test_a_flag_without_a_partition_is_asked_as_it_is(shop):
    assert DoneFlag("SELECT 1").is_complete(shop.engine, shop.source(), DAY)[0]


def test_wrong_queries(shop):
    with pytest.raises(SourceError, match="no such table: day"):
        DoneFlag("SELECT done FROM day WHERE day = :partition").is_complete(shop.engine, shop.source(), DAY)
    with pytest.raises(SourceError, match="unknown parameter :day"):
        DoneFlag("SELECT done FROM days WHERE day = :day")
    with pytest.raises(SourceError, match="unknown parameter :day"):
        MaxWatermark(query="SELECT done FROM days WHERE day = :day")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RowCount(0), "RowCount.at_least is no number of records; expected 1 or more; got 0"),
        (lambda: RowCount(True), "got True"),
        (lambda: RowCount("many"), "got 'many'"),
        (MaxWatermark, "MaxWatermark needs a column or a query; expected exactly one; got none"),
        (lambda: MaxWatermark("a", "SELECT 1"), "expected exactly one; got both"),
        (lambda: MaxWatermark("a", slack_seconds=-1), "MaxWatermark.slack_seconds is negative"),
    ],
)
def test_options_are_checked(make, message):
    with pytest.raises(SpecError, match=message):
        make()


def test_only_databases_can_be_asked():
    source = CsvSource("labels.csv", "id", File("path", "."))
    for rule in (DoneFlag("SELECT 1"), MaxWatermark("a")):
        with pytest.raises(
            SpecError, match=r"this rule asks a database; expected a SqlSource; got CsvSource. use RowCount"
        ):
            rule.is_complete(None, source, DAY)


def test_rules_are_plain():
    for rule in (RowCount(1), MaxWatermark("a"), DoneFlag("SELECT 1")):
        assert pickle.loads(pickle.dumps(rule)) == rule
