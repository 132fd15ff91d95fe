"""Speeds of loaders, as rows of the report."""

from __future__ import annotations

import argparse
import statistics

from benchmarks.loaders import BARE, HAND, OLD, Table, contestants
from benchmarks.peers import OURS
from benchmarks.report import Row
from benchmarks.rounds import Speeds, measure

DECODED = "Decoded: 224x224x3 batches of 64, two threads or processes"
ANTIALIASED = "Decoded, resized by Pillow's bilinear filter"
AUGMENTED = "Decoded, with four augmentations"
ON_OLD = "Decoded, on Python 3.9 with numpy 1.19"
RAW = "Raw: media and label, one core"


def rows(options: argparse.Namespace) -> list[Row]:
    """Measure all loaders, decoded and raw.

    Args:
        options: `count`, `rounds` and `seconds`, as `benchmarks.__main__` has them.
    """
    made = contestants(options.count, ("decoded", "antialiased", "augmented", "old", "raw", "checked"))
    table = Table(measure(made, options.rounds, options.seconds))
    return [
        _row(DECODED, BARE, table.of(BARE, "decoded"), "floor"),
        _row(DECODED, HAND, table.of(HAND, "decoded"), "floor"),
        *(_row(DECODED, name, table.of(name, "decoded")) for name in (OURS, *table.ranking("decoded"))),
        _row(ANTIALIASED, BARE, table.of(BARE, "antialiased"), "floor"),
        _row(ANTIALIASED, OURS, table.of(OURS, "antialiased")),
        _row(AUGMENTED, BARE, table.of(BARE, "augmented"), "floor"),
        _row(AUGMENTED, OURS, table.of(OURS, "augmented")),
        _row(ON_OLD, BARE, table.of(BARE, "decoded", OLD), "floor"),
        _row(ON_OLD, OURS, table.of(OURS, "decoded", OLD)),
        *(_row(RAW, name, table.of(name, "raw")) for name in (OURS, *table.ranking("raw"))),
        _row(RAW, f"{OURS}, checked", table.of(OURS, "checked"), "the CRC-32C of every sample compared, as jobs do"),
    ]


def _row(part: str, name: str, found: Speeds, note: str = "") -> Row:
    first = statistics.median(found.first)
    return {
        "part": part,
        "name": name,
        "unit": "samples/s",
        "median": found.median,
        "low": min(found.rounds),
        "high": max(found.rounds),
        "rounds": found.rounds,
        "first_batch_seconds": first,
        "note": note or f"first after {first:.2g} s",
    }
