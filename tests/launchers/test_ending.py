"""How the end of a job is told."""

from __future__ import annotations

import pytest

from airflow_mlplat.errors import BuildError, ConfigError, JobDiedError, LimitError
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.ending import died, is_well, teller
from airflow_mlplat.launchers.files import write_json

LIMITS = {"memory_bytes": 256 << 20, "timeout_seconds": 60, "threads": None}
EXITED = {"reason": "exited", "exit_code": 3, "signal": None}


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (EXITED, "job kkkkkkkkkkkk exited with code 3 after 1.5 s, without a result. see the log"),
        ({**EXITED, "exit_code": 0}, "exited with code 0 after 1.5 s, without a result. the build file, or a library"),
        ({**EXITED, "signal": 9}, "killed by signal 9 (SIGKILL) after 1.5 s, without a result. somebody killed it, or"),
        ({**EXITED, "signal": 11}, "was killed by signal 11 (SIGSEGV) after"),
        ({**EXITED, "signal": 63}, "was killed by signal 63 (unknown) after"),
        ({"reason": "memory limit"}, "was ended over its memory limit of 256 MiB (it used 300 MiB) after"),
        (
            {"reason": "memory limit", "peak_memory_bytes": 250 << 20},
            "memory limit of 256 MiB (it used all of it) after",
        ),
        ({"reason": "stopped"}, "was stopped from outside after"),
        ({"reason": "time limit"}, "was ended at its time limit of 60 s after"),
        ({"reason": "cancelled"}, "was cancelled after"),
        ({"reason": "orphaned"}, "ended itself, as no task had looked at it for 900 s after"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_reason(tmp_path, ending, message):
    directory = JobDirectory(tmp_path)
    directory.log.write_text("".join(f"line {i}\n" for i in range(30)))
    common = {"seconds": 1.5, "limits": LIMITS, "orphan_seconds": 900, "peak_memory_bytes": 300 << 20}
    write_json(directory.exit, {**common, **ending})
    error = str(died(directory, "k" * 64))
    assert message in error
    assert error.endswith("\nline 29.")
    assert "line 10\n" in error
    assert "line 9\n" not in error


def test_the_supervisor_died(tmp_path):
    directory = JobDirectory(tmp_path)
    directory.supervisor_log.write_text("Traceback of the supervisor\n")
    assert "job k and its supervisor died, without a result" in str(died(directory, "k"))
    assert "Traceback of the supervisor" in str(died(directory, "k"))


def test_the_directory_is_gone(tmp_path):
    assert "job k has no directory any more; got " in str(died(JobDirectory(tmp_path / "k"), "k"))


def test_the_kernel_ran_out_of_memory_without_a_limit(tmp_path):
    ending = {"reason": "memory limit", "seconds": 1, "limits": {"memory_bytes": None}}
    assert "was killed by the kernel, as memory ran out" in str(died(JobDirectory(tmp_path), "k", ending))


def test_what_the_job_says_of_its_end_counts_more(tmp_path):
    directory = JobDirectory(tmp_path)
    write_json(directory.exit, {"reason": "cancelled", "seconds": 1})
    assert "was cancelled" in str(died(directory, "k", {**EXITED, "seconds": 2}))


def test_what_the_cluster_says_of_who_stopped_a_job_counts_more(tmp_path):
    directory = JobDirectory(tmp_path)
    write_json(directory.exit, {"reason": "stopped", "seconds": 1})
    told = {"reason": "cluster", "told": "was ended by the cluster (Evicted: full)", "fix": "make room", "seconds": 2}
    assert "was ended by the cluster (Evicted: full) after 2.0 s, without a result. make room" in str(
        died(directory, "k", told)
    )
    assert "was stopped from outside" in str(died(directory, "k", {**EXITED, "seconds": 2}))


@pytest.mark.parametrize(("user", "kind"), [(True, ConfigError), (False, JobDiedError)])
def test_a_job_that_did_not_begin_is_tried_again_unless_that_is_no_use(tmp_path, user, kind):
    write_json(tmp_path / "exit.json", {"reason": "cluster", "told": "did not begin", "user": user, "seconds": 2})
    assert type(died(JobDirectory(tmp_path), "k")) is kind


def test_a_container_that_is_gone(tmp_path):
    assert "job k lost its container, without a result. see who removed it" in str(
        died(JobDirectory(tmp_path), "k", {"reason": "gone"})
    )


def test_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("airflow_mlplat.launchers.ending.FULL_BYTES", 1 << 60)
    write_json(tmp_path / "exit.json", {**EXITED, "seconds": 1})
    error = str(died(JobDirectory(tmp_path), "k"))
    assert f"exited with code 3 after 1.0 s; the disk of {tmp_path} is full, without a result. make room" in error


@pytest.mark.parametrize(
    "written", [[], 3, {}, {"reason": "exited"}, {"reason": "memory limit", "limits": 1, "seconds": 1}]
)
def test_what_is_no_ending_is_not_believed(tmp_path, written):
    write_json(tmp_path / "exit.json", written)
    assert "and its supervisor died" in str(died(JobDirectory(tmp_path), "k"))
    assert "exited with code 3 after 2.0 s" in str(died(JobDirectory(tmp_path), "k", {**EXITED, "seconds": 2}))


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (EXITED, JobDiedError),
        ({**EXITED, "exit_code": 0}, BuildError),
        ({"reason": "memory limit", "limits": LIMITS}, LimitError),
        ({"reason": "memory limit", "limits": {"memory_bytes": None}}, JobDiedError),
        ({"reason": "time limit", "limits": LIMITS}, JobDiedError),
    ],
    ids=str,
)
def test_what_would_end_so_again_is_the_users_to_mend(tmp_path, ending, kind):
    assert type(died(JobDirectory(tmp_path), "k", ending)) is kind


ENDS = {
    "well": ({"error": None}, {"reason": "exited", "exit_code": 0}),
    "user": ({"error": {"kind": "user"}}, {"reason": "exited"}),
    "platform": ({"error": {"kind": "platform"}}, {"reason": "exited"}),
    "memory": (None, {"reason": "memory limit"}),
    "stopped": (None, {"reason": "stopped"}),
    "killed": (None, {"reason": "exited", "signal": 9}),
    "vanished": (None, None),
    "not begun": (None, None),
    "hostile": ({"error": "boo"}, {"reason": [1]}),
}


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        (["user", "user"], 0),
        (["well", "user"], 0),
        (["platform", "user"], 1),
        (["platform", "memory"], 1),
        (["platform", "vanished"], 1),
        (["stopped", "vanished", "stopped"], 1),
        (["stopped", "platform"], 1),
        (["stopped", "well"], 0),
        (["vanished", "memory"], 1),
        (["memory", "user"], 0),
        (["killed", "user"], 1),
        (["platform", "not begun"], 0),
        (["hostile", "stopped"], 0),
        (["well", "hostile"], 0),
    ],
)
def test_of_several_workers_the_cause_is_told(tmp_path, ends, told):
    workers = prepared(tmp_path, ends)
    assert teller(workers).worker == told
    assert [is_well(worker) for worker in workers] == [end == "well" for end in ends]


def test_of_a_cancelled_job_none_is_the_cause(tmp_path):
    workers = prepared(tmp_path, ["platform", "stopped", "vanished"])
    workers[0].told.mkdir()
    workers[0].ask_to_end()
    assert teller(workers).worker == 1


def prepared(folder, ends) -> list[JobDirectory]:
    """Workers that have ended so."""
    workers = [JobDirectory(folder, apart=True, worker=number) for number in range(len(ends))]
    for worker, end in zip(workers, ends):
        worker.work.mkdir(parents=True)
        if end != "not begun":
            worker.log.touch()
        for path, document in zip((worker.result, worker.exit), ENDS[end]):
            if document is not None:
                write_json(path, document)
    return workers
