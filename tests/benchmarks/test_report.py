"""The report says what was measured, and draws it."""

from __future__ import annotations

import json
import platform
import subprocess

from benchmarks import prepare, report
from benchmarks.machine import facts
from benchmarks.peers import OURS

MACHINE = {
    "processor": "P", "cores": 2, "memory_gib": 23.5, "kernel": "6.1", "load_1_minute": 0.1,
    "versions": {"bench": {"Python": "3.11.7", "lmdb": "3"}},
}  # fmt: skip


ADD = (
    "import json, sys, pathlib; from benchmarks import report; "
    "report.add(*json.load(sys.stdin), pathlib.Path(sys.argv[1]))"
)


def row(name, median, part="Raw", unit="samples/s", **more):
    return {"part": part, "name": name, "unit": unit, "median": median, "low": median / 2, "high": median * 2, **more}


ROWS = [
    row(OURS, 2000.0, note="first after 0.1 s"),
    row("LMDB", 1000.0),
    row(OURS, 1.5, "Cold", "s"),
    row("filecache", 4.5, "Cold", "s"),
]


RESULTS = {"speeds": {"machine": MACHINE, "rows": ROWS}}


def test_tables():
    text = report.markdown(RESULTS)
    assert "## Raw\n\n| | samples/s, median | lowest to highest | ours / it | |" in text
    assert f"| **{OURS}** | 2,000 | 1,000 to 4,000 |  | first after 0.1 s |" in text
    assert "| LMDB | 1,000 | 500 to 2,000 | 2.00 |  |" in text
    assert "| filecache | 4.5 | 2.25 to 9 | 3.00 |  |" in text  # fewer seconds are better
    assert (
        "`speeds` ran on P, 2 cores, 23.5 GiB, Linux 6.1. When it began, the load of other processes was 0.1." in text
    )
    assert "Versions: in `bench` Python 3.11.7, lmdb 3." in text
    assert "Remark" not in text
    remarked = {"speeds": {"machine": {**MACHINE, "remark": "It rained."}, "rows": ROWS}}
    assert "\n\n**Remark.** It rained.\n" in report.markdown(remarked)


def test_machine_has_no_name():
    found = facts()
    assert set(found) == set(MACHINE)
    assert found["cores"] >= 1 and found["memory_gib"] > 0
    assert platform.node() not in json.dumps(found)


def test_files(tmp_path, needs):
    needs("bench")
    older = {"other": {"machine": MACHINE, "rows": ROWS[2:]}, "speeds": {"machine": MACHINE, "rows": ROWS[:1]}}
    (tmp_path / "results.json").write_text(json.dumps(older))
    subprocess.run(
        [prepare.python("bench"), "-c", ADD, tmp_path], input=json.dumps(["speeds", ROWS, MACHINE]), text=True,
        cwd=prepare.ROOT, check=True, env=prepare.clean_environment(),
    )  # fmt: skip
    written = json.loads((tmp_path / "results.json").read_text())
    assert written == {**older, **RESULTS}
    assert (tmp_path / "results.md").read_text() == report.markdown(written)
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")
