"""Forks are told apart, also by who looks while one is under way."""

from __future__ import annotations

import os
import subprocess
import sys

from airflow_mlplat.data.shared.forks import forks


def fork():
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def test_a_fork_changes_the_number():
    before = forks()
    fork()
    assert forks() != before


def test_the_number_while_a_fork_is_under_way_is_another_one():
    """Hooks run before the fork in reverse order: one that was registered earlier sees ours done."""
    script = """
import os
from airflow_mlplat.data.shared.forks import forks
seen = []
os.register_at_fork(before=lambda: seen.append(forks()))
start = forks()
child = os.fork()
if not child:
    os._exit(0)
os.waitpid(child, 0)
assert len({start, *seen, forks()}) == 3, (start, seen, forks())
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_other_programs_do_not_count():
    before = forks()
    subprocess.run([sys.executable, "-c", ""], check=True, timeout=60)
    assert forks() == before
