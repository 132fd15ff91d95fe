"""All benchmarks, into `results/`: `python -m benchmarks [--count N] [--rounds N] [--only PART ...]`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks import cold_cache, increments, report, speeds
from benchmarks.machine import facts

PARTS: dict[str, Callable[[argparse.Namespace], list[report.Row]]] = {
    "speeds": speeds.rows,
    "cold-cache": cold_cache.rows,
    "increments": increments.rows,
}


def main(arguments: list[str] | None = None) -> None:
    """Run them, and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="images in the set")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="that each loader is counted for in a round")
    parser.add_argument("--samples", type=int, nargs="*", default=[1_000_000, 10_000_000], help="of increments")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--results", type=Path, default=report.RESULTS)
    parser.add_argument("--remark", default="", help="that readers of the results should know")
    options = parser.parse_args(arguments)
    for part in options.only:
        machine = {**facts(), "remark": options.remark}
        report.add(part, PARTS[part](options), machine, options.results)
    print(f"written: {options.results}")


if __name__ == "__main__":
    main()
