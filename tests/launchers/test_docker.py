"""The Docker launcher passes the suite, on a real engine; and what only it can get wrong: its containers."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import time
from pathlib import Path

import pytest

from airflow_mlplat.errors import BuildError, ConfigError, ContractError, JobDiedError, LaunchError
from airflow_mlplat.launchers import DockerLauncher, JobState, Limits, code_version, docker
from airflow_mlplat.launchers.container import CODE_LABEL, CONTRACT_LABEL, PYTHON
from tests.launchers.suite import IMAGE, WORKER, LauncherSuite, of_workers, processes_of, spec, until
from tests.launchers.workers_suite import WorkersSuite

pytestmark = pytest.mark.docker


@pytest.fixture(scope="session")
def connect(docker_url):
    """A function that connects to the engine."""
    from docker import APIClient

    made = []

    def connect() -> APIClient:
        made.append(APIClient(base_url=docker_url))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture(scope="session", autouse=True)
def suite_image(connect, prep_image):
    """The image that the suite's specs name."""
    connect().tag(prep_image, IMAGE)
    return prep_image


@pytest.fixture
def make(connect):
    """A function that makes a launcher of `worker.py`; its containers are removed at the end."""
    made = []

    def make(folder: Path, **options) -> DockerLauncher:
        def command(_, directory):
            return [PYTHON, "-u", "-c", WORKER.read_text(), str(directory)]

        launcher = DockerLauncher(folder, connect, **{"command": command, **options})
        made.append(launcher)
        return launcher

    yield make
    for launcher in made:
        for found in containers(launcher):
            launcher.engine.remove_container(found["Id"], force=True)
        label = f"airflow-mlplat.installation={launcher.installation}"
        assert launcher.engine.networks(filters={"label": label}) == []


def containers(launcher: DockerLauncher) -> list[dict]:
    """All containers of a launcher's installation."""
    label = f"airflow-mlplat.installation={launcher.installation}"
    return launcher.engine.containers(all=True, filters={"label": label})


class TestDockerLauncher(LauncherSuite, WorkersSuite):
    @pytest.fixture(autouse=True)
    def _make(self, make):
        self.make = make

    def inspect(self, launcher, handle) -> dict:
        """What the engine says of a job's container."""
        return launcher._inspect(launcher.directory(handle))

    def test_workers_have_a_network_for_themselves(self, launcher):
        handle = launcher.submit(of_workers(2, seconds=60), labels={"dag_id": "d"})
        name = launcher._container_name(launcher.directory(handle))
        (network,) = launcher.engine.networks(names=[name])
        assert (network["Internal"], network["Labels"]["dag_id"]) == (True, "d")
        assert len(launcher.engine.inspect_network(name)["Containers"]) == 2
        launcher.cancel(handle)
        assert launcher.engine.networks(names=[name]) == []
        launcher.remove(launcher.directory(handle))
        assert containers(launcher) == []
        launcher.remove(launcher.directory(handle))  # nothing is there any more

    def test_workers_do_not_reach_the_machine(self, make, tmp_path):
        code = (
            "import socket, sys; host = socket.gethostbyname('worker-0').rsplit('.', 1)[0] + '.1'\n"
            "try: socket.create_connection((host, int(sys.argv[1])), 3); print('REACHED')\n"
            "except OSError as error: print('not reached:', error)"
        )
        with socket.create_server(("", 0)) as server:
            port = str(server.getsockname()[1])
            launcher = make(tmp_path, command=lambda *_: [PYTHON, "-c", code, port])
            handle = launcher.submit(of_workers(2))
            until(lambda: "reached" in launcher.logs(handle, 0)[0].lower())
            until(lambda: launcher.state(handle) is JobState.ENDED)  # which removes their network
        assert launcher.logs(handle, 0)[0].startswith("not reached: ")

    def test_workers_may_have_another_network_too(self, launcher):
        handle = launcher.submit(of_workers(2, seconds=60), Limits(network="bridge"))
        name = launcher._container_name(launcher.directory(handle))
        for one in launcher._workers(launcher.directory(handle)):
            assert set(one["NetworkSettings"]["Networks"]) == {name, "bridge"}
        launcher.cancel(handle)

    def test_what_is_left_of_a_start_that_broke_is_replaced(self, launcher):
        job = of_workers(2, greet=True)
        handle = launcher.submit(of_workers(2, greet=True))
        until(lambda: launcher.state(handle) is JobState.ENDED)
        launcher.directory(handle).result.unlink()
        launcher.engine.remove_container(launcher._container_name(launcher.directory(handle)))  # worker 1 is there
        launcher.submit(job)
        until(lambda: launcher.state(handle) is JobState.ENDED)
        assert launcher.result(handle).error is None

    def test_what_the_container_is(self, launcher):
        handle = launcher.submit(spec(seconds=60), Limits(memory_bytes=200 << 20, cpus=0.5), {"dag_id": "d"})
        found = self.inspect(launcher, handle)
        host = found["HostConfig"]
        launcher.cancel(handle)
        assert found["Config"]["User"].split(":")[0] not in ("", "0", "root")
        assert (host["ReadonlyRootfs"], host["NetworkMode"], host["Init"], host["CapDrop"]) == (
            True,
            "none",
            True,
            ["ALL"],
        )
        assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (
            200 << 20, 200 << 20, 500_000_000, 4096
        )  # fmt: skip
        assert host["SecurityOpt"] == ["no-new-privileges"]
        mounts = {mount["Destination"]: mount["RW"] for mount in found["Mounts"]}
        assert mounts == {f"{handle.directory}/told": False, str(launcher.directory(handle).work): True}
        assert found["Config"]["Labels"]["dag_id"] == "d"
        assert found["Config"]["Labels"]["airflow-mlplat.job"] == handle.job_key

    def test_a_container_that_was_made_but_never_started_is_replaced(self, launcher, monkeypatch):
        monkeypatch.setattr(launcher.engine, "start", lambda _: os._exit(9))
        pid = os.fork()
        if not pid:
            launcher.submit(spec())
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
        monkeypatch.undo()
        assert [found["State"] for found in containers(launcher)] == ["created"]
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        assert launcher.result(handle).error is None

    def test_a_container_that_ended_well_is_removed_and_one_that_failed_is_kept(self, launcher):
        well, badly = launcher.submit(spec()), launcher.submit(spec(error="user"))
        for handle in (well, badly):
            self.end(launcher, handle)
            launcher.result(handle)
        assert [found["Labels"]["airflow-mlplat.job"] for found in containers(launcher)] == [badly.job_key]

    def test_sweep_removes_containers_that_failed_long_ago(self, tmp_path):
        launcher = self.make(tmp_path, keep_days=1)
        handle = launcher.submit(spec(error="user"))
        self.end(launcher, handle)
        assert launcher.sweep() == []
        long_ago = time.time() - 2 * 86400
        os.utime(launcher.directory(handle).lease, (long_ago, long_ago))
        assert launcher.sweep() == [handle.job_key]
        assert containers(launcher) == []
        assert not Path(handle.directory).exists()

    def test_a_good_result_is_never_thrown_away(self, launcher):
        """It is in the job's outbox alone until a task commits it, which may be hours later."""
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        before, result = launcher.result(handle), launcher.directory(handle).result
        long_ago = time.time() - 86400
        os.utime(result, (long_ago, long_ago))
        launcher.submit(spec())
        assert launcher.result(handle) == before

    def test_the_output_is_there_for_docker_logs(self, launcher):
        handle = launcher.submit(spec(error="user"))
        self.end(launcher, handle)
        assert launcher.engine.logs(self.inspect(launcher, handle)["Id"]).decode().startswith("started")

    def test_docker_kill(self, launcher):
        handle = launcher.submit(spec(seconds=60))
        self.ready(launcher, handle)
        launcher.engine.kill(self.inspect(launcher, handle)["Id"])
        self.end(launcher, handle)
        with pytest.raises(JobDiedError, match=r"killed by signal 9 \(SIGKILL\) after .*without a result(.|\n)*ready"):
            launcher.result(handle)

    def test_docker_stop(self, launcher):
        handle = launcher.submit(spec(seconds=60))
        self.ready(launcher, handle)
        launcher.engine.stop(self.inspect(launcher, handle)["Id"], timeout=5)
        with pytest.raises(JobDiedError, match="was stopped from outside"):
            launcher.result(handle)

    def test_cancel_of_a_job_whose_directory_somebody_removed(self, launcher):
        handle = launcher.submit(spec(seconds=60))
        self.ready(launcher, handle)
        shutil.rmtree(handle.directory)
        launcher.cancel(handle)
        assert not self.inspect(launcher, handle)["State"]["Running"]

    def test_a_container_that_somebody_removed(self, launcher):
        handle = launcher.submit(spec(seconds=60))
        self.ready(launcher, handle)
        launcher.engine.remove_container(self.inspect(launcher, handle)["Id"], force=True)
        assert launcher.state(handle) is JobState.ENDED
        with pytest.raises(JobDiedError, match="lost its container, without a result"):
            launcher.result(handle)

    def test_a_job_that_forks_without_bound_ends_clearly(self, launcher):
        code = "import os\nwhile True: os.fork()"
        launcher._command = lambda *_: [PYTHON, "-c", code]
        handle = launcher.submit(spec(), Limits(processes=50))
        self.end(launcher, handle)
        with pytest.raises(JobDiedError, match=r"exited with code 1(.|\n)*Resource temporarily unavailable"):
            launcher.result(handle)

    @pytest.mark.parametrize("path", ["/etc/x", "/opt/mlplat/x", "/x"])
    def test_nothing_else_can_be_written(self, launcher, path):
        launcher._command = lambda *_: [PYTHON, "-c", f"open({path!r}, 'w')"]
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        assert (
            "Read-only file system" in launcher.logs(handle, 0)[0] or "Permission denied" in launcher.logs(handle, 0)[0]
        )

    def test_there_is_no_network(self, launcher):
        launcher._command = lambda *_: [PYTHON, "-c", "import socket; socket.create_connection(('1.1.1.1', 53), 3)"]
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        assert "Network is unreachable" in launcher.logs(handle, 0)[0]

    def test_a_secret_is_a_file_that_is_asked_for(self, tmp_path, monkeypatch):
        secrets = tmp_path / "secrets"
        secrets.mkdir()
        for name in ("token", "other"):
            (secrets / name).write_text(f"value of {name}")
        launcher = self.make(tmp_path / "jobs", secrets=secrets)
        launcher._command = lambda *_: [PYTHON, "-c", "import os; print(os.listdir('/run/secrets'))"]
        handle = launcher.submit(spec(), Limits(secrets=["token"]))
        inspected = json.dumps(self.inspect(launcher, handle))
        self.end(launcher, handle)
        assert launcher.logs(handle, 0)[0] == "['token']\n"
        assert "value of token" not in inspected

    def test_what_a_job_cannot_change(self, launcher):
        """What says who it is, how long it may run and who wants it: there it only reads, or sees nothing."""
        code = """
import os, sys
told = sys.argv[1].replace('work', 'told')
for name in ('launch.json', 'lease', 'cancel', '../spec.json', '../submit.lock'):
    try: open(os.path.join(told, name), 'a'); print('wrote', name)
    except OSError as error: print(error.strerror)
"""
        launcher._command = lambda _, folder: [PYTHON, "-c", code, str(folder)]
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        assert "wrote" not in launcher.logs(handle, 0)[0]
        assert launcher.spec(handle) == spec()

    @pytest.mark.parametrize("name", ["log.txt", "result.json", "exit.json", "outbox", "tmp"])
    @pytest.mark.parametrize("kind", ["link", "folder", "pipe", "huge"])
    def test_whatever_a_job_leaves_it_is_told_and_started_again(self, launcher, tmp_path, name, kind):
        secret = tmp_path / "secret"
        secret.write_text("secret of the machine\n")
        code = f"""
import os, shutil
name, kind = {name!r}, {kind!r}
if os.path.isdir(name): shutil.rmtree(name)
elif os.path.exists(name): os.remove(name)
if kind == 'link': os.symlink({str(secret)!r}, name)
elif kind == 'folder': os.makedirs(name + '/x')
elif kind == 'pipe': os.mkfifo(name)
else: os.truncate(os.open(name, os.O_CREAT | os.O_RDWR), 1 << 40)
"""
        launcher._command = lambda _, folder: [PYTHON, "-c", code]
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        assert "secret of" not in launcher.logs(handle, 0)[0]
        with pytest.raises((JobDiedError, BuildError)) as caught:
            launcher.result(handle)
        assert "secret of" not in str(caught.value)
        if (name, kind) != ("exit.json", "folder"):
            assert "exited with code 0" in str(caught.value)
        launcher.submit(spec())
        self.end(launcher, handle)

    def test_a_job_that_stops_its_supervisor_is_killed_when_its_time_is_over(self, launcher, monkeypatch):
        monkeypatch.setattr(docker, "OVERDUE_SECONDS", 0.5)
        code = "import os, signal, time; os.kill(os.getppid(), signal.SIGSTOP); time.sleep(60)"
        launcher._command = lambda *_: [PYTHON, "-c", code]
        handle = launcher.submit(spec(), Limits(timeout_seconds=1))
        self.end(launcher, handle)
        with pytest.raises(JobDiedError, match="killed by signal 9"):
            launcher.result(handle)

    def test_a_job_that_logs_without_end_is_held_to_its_time(self, launcher):
        code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
        launcher._command = lambda *_: [PYTHON, "-c", code]
        handle = launcher.submit(spec(), Limits(timeout_seconds=1))
        self.end(launcher, handle)
        with pytest.raises(JobDiedError, match=r"time limit of 1 s after [1-9]\."):
            launcher.result(handle)


@pytest.mark.parametrize(
    ("limits", "kind", "message"),
    [
        (Limits(gpu="required"), ConfigError, "the Docker Engine has no GPU to give"),
        (Limits(network="nowhere"), ConfigError, "has no such network"),
        (Limits(cpus=100000), ConfigError, "limits cpus is more than"),
        (Limits(memory_bytes=1000), ConfigError, "limits memory_bytes is too small"),
    ],
    ids=lambda value: str(value) if isinstance(value, Limits) else "",
)
def test_what_the_engine_refuses(make, tmp_path, limits, kind, message):
    launcher = make(tmp_path)
    work = spec()
    if limits.gpu == "required":
        work = dataclasses.replace(work, image=IMAGE + "+gpu")
    with pytest.raises(kind, match=message):
        launcher.submit(work, limits)
    assert launcher.state(launcher.handle(work)) is JobState.ENDED


def test_an_image_that_is_gone(make, tmp_path):
    with pytest.raises(ConfigError, match=r"the image is not there any more.*make images"):
        make(tmp_path).submit(dataclasses.replace(spec(), image="sha256:" + "0" * 64))


def test_an_engine_that_is_not_there(tmp_path):
    from docker import APIClient

    with contextlib.closing(APIClient(base_url="tcp://127.0.0.1:1", version="1.41")) as client:
        launcher = DockerLauncher(tmp_path, lambda: client)
        with pytest.raises(LaunchError, match=r"does not answer.*docker info"):
            launcher.submit(spec())


class TestImage:
    def test_its_digest_and_code(self, make, tmp_path, prep_image):
        launcher = make(tmp_path, images=prep_image.replace("prep", "{name}"))
        found = launcher.image(None)
        assert found.digest == launcher.engine.inspect_image(prep_image)["Id"]
        assert found.code_version == code_version()

    def test_gpu_is_part_of_it_if_it_is_used(self, make, tmp_path, prep_image):
        launcher = make(tmp_path, images=prep_image)
        plain = launcher.image(None).digest
        assert launcher.image(None, Limits(gpu="required")).digest == plain + "+gpu"
        assert launcher.image(None, Limits(gpu="auto")).digest in (plain, plain + "+gpu")

    def test_one_that_no_registry_has(self, make, tmp_path):
        with pytest.raises((ConfigError, LaunchError), match=r"cannot use image 'airflow-mlplat.invalid/no:1'"):
            make(tmp_path, images="airflow-mlplat.invalid/no:1").image(None)

    @pytest.mark.parametrize(
        ("labels", "error"),
        [
            ({}, (ConfigError, "has no airflow-mlplat in it; expected label airflow-mlplat.code-version")),
            ({CODE_LABEL: "c", CONTRACT_LABEL: "99"}, (ContractError, "another contract version; expected 1; got 99")),
        ],
    )
    def test_one_that_is_not_ours(self, make, tmp_path, labels, error):
        launcher = make(tmp_path, images="airflow-mlplat/labels-test:1")
        changes = [f"LABEL {name}={value}" for name, value in labels.items()]
        made = launcher.engine.import_image_from_data(empty_tar(), "airflow-mlplat/labels-test", "1", changes)
        assert "error" not in json.loads(made.splitlines()[-1])
        with pytest.raises(error[0], match=error[1]):
            launcher.image(None)


def empty_tar() -> bytes:
    """An archive of nothing."""
    return b"\0" * 1024


def test_a_handle_of_nothing(make, tmp_path):
    launcher = make(tmp_path)
    handle = launcher.handle(spec())
    assert launcher.state(handle) is JobState.ENDED
    launcher.cancel(handle)
    assert processes_of(tmp_path) == []
    assert launcher.sweep() == []
