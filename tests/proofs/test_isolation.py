"""What a job in a container is and sees, and what becomes of one that wants more."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import MlplatError
from airflow_mlplat.launchers import DockerLauncher, JobState, Limits
from airflow_mlplat.launchers.follow import last_words
from tests.proofs.conftest import Proof

SECRETS = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://airflow:wGxq81database@db/airflow",
    "AIRFLOW__CORE__FERNET_KEY": "wGxq81fernet",
    "AIRFLOW_CONN_SHOP": "postgresql://shop:wGxq81connection@db/shop",
    "AWS_SECRET_ACCESS_KEY": "wGxq81aws",
    "MLPLAT_CATALOG": "postgresql://catalog:wGxq81catalog@db/catalog",
}
MARK = "wGxq81"
LIMITS = Limits(memory_bytes=1 << 30, cpus=1, processes=400, timeout_seconds=120)
WAITS = "import time\ndef build(params):\n    print('at work', flush=True)\n    time.sleep(100)\n"
HOSTILE = {
    "writes into the store": ("open({store!r} + '/blobs/x', 'w')", "Read-only file system"),
    "writes into its inputs' manifests": ("open(next(walk({store!r})), 'a')", "Permission denied"),
    "writes into another job's directory": ("open({other!r} + '/work/0/x', 'w')", "No such file or directory"),
    "writes beside it": ("open('/opt/mlplat/x', 'w')", "Read-only file system"),
    "reads another job's output": ("open({other!r} + '/work/0/log.txt')", "No such file or directory"),
    "reads another model in the store": ("open({model!r})", "No such file or directory"),
    "reads Airflow's database": ("open({home!r} + '/airflow.db')", "No such file or directory"),
    "reaches the network": ("socket.create_connection(('127.0.0.1', {port}), 3)", "Connection refused"),
    "reaches the internet": ("socket.create_connection(('1.1.1.1', 53), 3)", "Network is unreachable"),
    "reaches the Docker Engine": ("open('/var/run/docker.sock')", "No such file or directory"),
    "renews its own lease": (
        "os.utime(os.environ['HOME'].replace('work/0', 'told') + '/lease')",
        "Read-only file system",
    ),
    "becomes root": ("os.setuid(0)", "Operation not permitted"),
    "mounts": ("os.execvp('mount', ['mount', '-t', 'tmpfs', 'x', '/mnt'])", "must be superuser"),
    "forks without bound": ("[os.fork() for _ in range(10000)]", "Resource temporarily unavailable"),
    "eats memory without bound": ("bytearray(os.urandom(1 << 20)) * 8000", "over its memory limit of 1024 MiB"),
}
"""What a build file tries, and what its user reads."""
LEFTOVERS = {
    "another job's result": "Path('result.json').write_text(json.dumps({{**RESULT, 'job_key': 'f' * 64}}))",
    "another model's name": "model('champion')",
    "a model out of another one": "model('x', parents=[{other_model!r}])",
    "a link as its log": "Path('log.txt').unlink(); os.symlink({home!r} + '/airflow.db', 'log.txt')",
    "a link as its outbox": "model('x'); os.rename('outbox', 'elsewhere'); os.symlink('elsewhere', 'outbox')",
    "a pipe as its result": "os.mkfifo('result.json')",
    "a result without end": "os.truncate(os.open('result.json', os.O_CREAT | os.O_RDWR), 1 << 40)",
    "an ending that is none": "Path('exit.json').mkdir()",
}
"""What a hostile build file leaves behind, before it ends its job with exit code 0."""
LEAVES = """
import hashlib, json, os
from pathlib import Path
HERE = Path(os.environ['HOME'])
RESULT = {{'job_key': HERE.parents[1].name, 'stage': 'train', 'outputs': {{}}, 'metrics': {{}}, 'stats': {{}},
          'error': None, 'contract_version': 1}}
def model(name, parents=()):
    document = dict(format=1, kind='model', name=name, files={{}}, parents=list(parents))
    content = json.dumps(document, sort_keys=True, separators=(',', ':')).encode()
    digest = hashlib.sha256(content).hexdigest()
    path = HERE / f'outbox/manifests/model/{{digest}}.json'
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    output = dict(kind='model', name=name, digest=digest)
    Path('result.json').write_text(json.dumps({{**RESULT, 'outputs': {{'model': output}}}}))
def build(params):
    os.chdir(HERE)
    {code}
    os._exit(0)
"""
PREFIX = """
import os, socket
def walk(folder):
    for path, _, files in os.walk(folder):
        yield from (os.path.join(path, name) for name in files)
def build(params):
    return """


@pytest.mark.proof("isolation")
def test_isolation(
    proof: Proof, docker_engine: str, docker_client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import airflow_mlplat.hooks.jobs  # noqa: F401 - Airflow reads its variables, now, not those below

    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    home = Home(tmp_path, docker_engine, docker_client)
    launcher = home.launcher
    other = launcher.submit(home.spec(WAITS), LIMITS, {"dag_id": "isolation"})
    while "at work" not in launcher.logs(other, 0)[0]:
        assert launcher.state(other) is JobState.RUNNING, last_words(launcher, other)
        time.sleep(0.1)

    (found,) = docker_client.containers(filters={"label": f"airflow-mlplat.job={other.job_key}"})
    inspected = docker_client.inspect_container(found["Id"])
    checks = properties(inspected, home, Path(other.directory))
    wrong = [name for name, right in checks.items() if not right]
    proof.row(
        len(checks) - len(wrong), "things right in `docker inspect`", f"{len(checks)}", not wrong, ", ".join(wrong)
    )
    texts = [
        json.dumps(inspected),
        *(p.read_text(errors="replace") for p in Path(other.directory).rglob("*") if p.is_file()),
    ]
    secrets = sum(text.count(MARK) for text in texts)
    proof.row(secrets, f"secrets of ours in it and in the {len(texts) - 1} files of the job", "0", secrets == 0)

    before, clear = home.digest(), 0
    for name, (code, words) in HOSTILE.items():
        told = home.run(PREFIX + code.format(other=other.directory, **home.places()))
        good = words in told
        clear += good
        print(
            f"{name} | {told.split(' Its last log lines')[0][:200]}{'' if good else '   <-- WRONG: ' + told}",
            flush=True,
        )
    proof.row(clear, "hostile build files fail with a clear message", f"{len(HOSTILE)}", clear == len(HOSTILE))
    harmless = sum(home.leaves(name, code) for name, code in LEFTOVERS.items())
    of = f"{len(LEFTOVERS)}"
    proof.row(harmless, "hostile leftovers are told, and nothing is taken", of, harmless == len(LEFTOVERS))
    same = home.digest() == before
    proof.row("unchanged" if same else "changed", "store", "unchanged", same)
    lives = launcher.state(other) is JobState.RUNNING
    proof.row("at work" if lives else "ended", "neighbour", "at work", lives)
    launcher.cancel(other)
    launcher.engine.remove_container(found["Id"], force=True)
    proof.not_run("no Kubernetes launcher yet: pod spec", "as above")


def properties(inspected: dict, home: Home, directory: Path) -> dict[str, bool]:
    """What must be so."""
    host, config = inspected["HostConfig"], inspected["Config"]
    mounts = {mount["Destination"]: mount["RW"] for mount in inspected["Mounts"]}
    return {
        "not root": config["User"].split(":")[0] not in ("", "0", "root"),
        "no root group": config["User"].split(":")[1] != "0",
        "read-only root": host["ReadonlyRootfs"],
        "no network": host["NetworkMode"] == "none",
        "no capability": host["CapDrop"] == ["ALL"] and not host["CapAdd"],
        "not privileged": not host["Privileged"],
        "no new privileges": "no-new-privileges" in host["SecurityOpt"],
        "own processes": host["PidMode"] == "" and host["IpcMode"] in ("private", ""),
        "init": host["Init"],
        "memory": host["Memory"] == host["MemorySwap"] == LIMITS.memory_bytes,
        "processors": host["NanoCpus"] == 10**9,
        "processes": host["PidsLimit"] == LIMITS.processes,
        "mounts": mounts
        == {f"{directory}/told": False, f"{directory}/work/0": True, str(home.store.backend.root): False},
        "variables": not any(name in json.dumps(config["Env"]) for name in SECRETS),
        "image by digest": inspected["Image"] == home.image,
    }


class Home:
    """An installation with a store: a small dataset, and a model that is nobody's input."""

    def __init__(self, folder: Path, url: str, docker) -> None:
        from docker import APIClient

        from airflow_mlplat.hooks.launchers import readable
        from airflow_mlplat.store import Sample, SpanWriter, open_store

        self.folder = folder
        (folder / "airflow.db").write_text("not for jobs\n")
        self.store = open_store(folder / "store")
        with SpanWriter(self.store, "x", "2026-01-01", ["a", "b"]) as writer:
            for number in range(4):
                writer.add(Sample(str(number), npy(number), number % 2, None))
            self.span = writer.commit()
        files = {"weights": self.store.put_blob(b"of another")}
        model = {"format": 1, "kind": "model", "name": "other", "files": files, "parents": []}
        self.model = self.store.put_manifest(model)
        self.image = docker.inspect_image("airflow-mlplat/mxnet:latest")["Id"]
        self.launcher = DockerLauncher(folder / "jobs", lambda: APIClient(base_url=url), grant=readable)

    def spec(self, build: str) -> JobSpec:
        """A training with a build file."""
        files, inputs = {"build.py": self.store.put_blob(build.encode())}, {"dataset": [self.span]}
        return JobSpec(
            "train", "x", self.store.url, "c", self.image, {"shape": [8, 8, 1]}, inputs, files, framework="mxnet"
        )

    def run(self, build: str) -> str:
        """What the user reads of a training with a build file."""
        handle = self.launcher.submit(self.spec(build), dataclasses.replace(LIMITS, timeout_seconds=30))
        while self.launcher.state(handle) is JobState.RUNNING:
            time.sleep(0.1)
        return last_words(self.launcher, handle)

    def leaves(self, name: str, code: str) -> bool:
        """Whether what a build file leaves behind becomes an error, and nothing in the store."""
        from airflow_mlplat.hooks.jobs import JobHook

        hook = JobHook()
        text = LEAVES.format(code=code.format(other_model=self.model.to_json(), **self.places()))
        handle = self.launcher.submit(self.spec(text), dataclasses.replace(LIMITS, timeout_seconds=30))
        while self.launcher.state(handle) is JobState.RUNNING:
            time.sleep(0.1)
        logged = self.launcher.logs(handle, 0)[0]
        try:
            committed = hook.commit(self.launcher, handle)
        except MlplatError as error:
            told = str(error)
        else:
            told = f"TAKEN: {committed}" if committed.error is None else committed.error.message
        good = "TAKEN" not in told and "not for jobs" not in told + logged
        print(
            f"leaves {name} | {told.split(' Its last log lines')[0][:200]}{'' if good else '   <-- WRONG'}", flush=True
        )
        return good

    def places(self) -> dict[str, object]:
        """Where hostile code looks."""
        root: Callable = self.store.backend.root.joinpath
        model = root("manifests/model", f"{self.model.digest}.json")
        return {"store": str(root()), "home": str(self.folder), "model": str(model), "port": 22}

    def digest(self) -> str:
        """Of all files of the store but build files, which come with each training."""
        found = hashlib.sha256()
        for folder in ("manifests", "shards", "results"):
            for path in sorted((self.store.backend.root / folder).rglob("*")):
                if path.is_file():
                    found.update(f"{path} {path.stat().st_mtime_ns}".encode() + path.read_bytes())
        return found.hexdigest()


def npy(number: int) -> bytes:
    """A small image."""
    import io

    file = io.BytesIO()
    np.save(file, np.full((8, 8), number, np.uint8))
    return file.getvalue()
