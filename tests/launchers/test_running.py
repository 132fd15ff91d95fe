"""What is read of a running job; ending one is in the suite."""

from __future__ import annotations

import os

from airflow_mlplat.launchers import processes
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.files import write_json
from airflow_mlplat.launchers.running import Running


def known(directory, **changes):
    write_json(directory.process, {
        "supervisor": list(processes.process(os.getpid()).identity), "leader": None, "token": "nobody's",
        "machine": processes.machine(), **changes,
    })  # fmt: skip
    return Running(directory)


def test_a_job_that_never_started_has_no_members(tmp_path):
    running = Running(JobDirectory(tmp_path))
    assert running.members() == []
    running.end_leftovers()


def test_members_are_those_of_the_leaders_session(tmp_path):
    directory = JobDirectory(tmp_path)
    own = processes.process(os.getpid())
    leader = processes.process(own.session)
    if leader is not None:  # false where the session's first process has ended
        members = known(directory, leader=leader.identity).members()
        assert own.identity in [entry.identity for entry in members]
    assert known(directory, leader=[own.pid, own.start_time + 1]).members() == []


def test_another_machines_processes_are_not_ours(tmp_path):
    own = processes.process(os.getpid())
    assert known(JobDirectory(tmp_path), leader=own.identity, machine="another").members() == []


def test_nothing_is_left_of_a_job_that_was_seen_to_end(tmp_path):
    directory = JobDirectory(tmp_path)
    write_json(directory.exit, {})
    own = processes.process(os.getpid())
    running = known(directory, leader=own.identity)
    running.end_leftovers()  # would end this test, which is one of the members
    assert processes.process(own.pid).identity == own.identity
