from __future__ import annotations

from airflow_mlplat.catalog import aliases


def test_alias_and_history(catalog, make):
    assert catalog.alias("fashion") is None and catalog.history("fashion") == [] and catalog.aliases() == []
    one, two = make.model(1), make.model(2, "2026-01-02")
    first = make.promote(one.digest)
    second = make.promote(two.digest, one.digest, "2026-01-02")
    row = catalog.alias("fashion")
    assert (row.digest, row.partition, row.version, row.decision) == (two.digest, "2026-01-02", 2, second.key)
    assert row.moved_at == second.decided_at
    assert [place.decision for place in catalog.history("fashion")] == [first.key, second.key]
    assert catalog.aliases() == [row]
    assert catalog.alias("fashion", "runner-up") is None


def test_as_of_a_partition(catalog, make):
    models = {day: make.model(day, f"2026-01-0{day}").digest for day in (2, 4)}
    make.promote(models[2], None, "2026-01-02")
    make.promote(models[4], models[2], "2026-01-04")
    with catalog._session.reading() as connection:
        seen = [aliases.as_of(connection, "fashion", "champion", f"2026-01-0{day}") for day in (1, 3, 4)]
        assert aliases.as_of(connection, "fashion", "champion", None).digest == models[4]
    assert [row and row.digest for row in seen] == [None, models[2], models[4]]
