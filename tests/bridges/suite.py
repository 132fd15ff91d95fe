"""What every source must do: a class with a `stocked` fixture for each kind of source inherits the suite."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from airflow_mlplat.bridges import Source
from airflow_mlplat.contract import canonical_json
from airflow_mlplat.errors import PartitionError

DAY, OTHER, EMPTY = "2026-01-31", "2026-02-01", "2026-02-02"


class Stocked(NamedTuple):
    """A source and its client, with these records.

    On `DAY` the keys 1 and 2, in files 1.png and 2.png: the first labelled shirt, the second without a label; both
    with the metadata `by` = ann and the watermark column `at` = 10:00. On `OTHER` the key 3, labelled coat. On `EMPTY`
    nothing.
    """

    source: Source
    client: Any


class SourceSuite:
    """The contract of `Source`.

    Attributes:
        media: What the records of `DAY` name, where it is not the files; `{folder}` stands for the test's folder.
        watermark: Of the records of `DAY`; None for a source that has none.
    """

    media: tuple[str, ...] = ("1.png", "2.png")
    watermark: str | None = "10:00"

    def test_records_are_those_of_the_partition(self, stocked, tmp_path):
        first, second = (place.replace("{folder}", str(tmp_path)) for place in self.media)
        found = sorted(stocked.source.records(stocked.client, DAY), key=lambda record: str(record.key))
        assert [(str(r.key), r.label, r.media, r.problem) for r in found] == [
            ("1", "shirt", first, None),
            ("2", None, second, None),
        ]
        assert all(r.metadata == {"by": "ann"} and r.watermark == self.watermark for r in found)
        assert [r.label for r in stocked.source.records(stocked.client, OTHER)] == ["coat"]

    def test_records_stream_and_come_again(self, stocked):
        stream = stocked.source.records(stocked.client, DAY)
        assert isinstance(stream, Iterator)
        first = next(stream)
        stream.close()  # leaves no connection open
        assert next(iter(stocked.source.records(stocked.client, DAY))) == first

    def test_count_is_the_number_of_records(self, stocked):
        assert [stocked.source.count(stocked.client, day) for day in (DAY, OTHER, EMPTY)] == [2, 1, 0]
        assert list(stocked.source.records(stocked.client, EMPTY)) == []

    @pytest.mark.parametrize("partition", ["2026-01-31' OR '1'='1", "../2026-01-31", "2026-02-30", ""])
    def test_what_is_no_partition_is_refused(self, stocked, partition):
        with pytest.raises(PartitionError):
            list(stocked.source.records(stocked.client, partition))
        with pytest.raises(PartitionError):
            stocked.source.count(stocked.client, partition)

    def test_it_is_plain_frozen_and_described_in_json(self, stocked):
        described = stocked.source.describe()
        assert json.loads(canonical_json(described)) == described
        assert described["kind"] and described["media"] == stocked.source.media.describe()
        copy = pickle.loads(pickle.dumps(stocked.source))
        assert copy == stocked.source and hash(copy) == hash(stocked.source) and copy.describe() == described
        with pytest.raises(dataclasses.FrozenInstanceError):
            stocked.source.key = "other"
