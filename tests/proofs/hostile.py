"""Build files that mean harm, and the installation that they are tried on; by whatever launcher."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import MlplatError
from airflow_mlplat.launchers import Handle, JobState, Launcher, Limits
from airflow_mlplat.launchers.follow import last_words
from tests.proofs.conftest import Proof

MARK = "wGxq81"
"""In every secret."""
SECRETS = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://airflow:wGxq81database@db/airflow",
    "AIRFLOW__CORE__FERNET_KEY": "wGxq81fernet",
    "AIRFLOW_CONN_SHOP": "postgresql://shop:wGxq81connection@db/shop",
    "AWS_SECRET_ACCESS_KEY": "wGxq81aws",
    "MLPLAT_CATALOG": "postgresql://catalog:wGxq81catalog@db/catalog",
}
"""Variables of Airflow's."""
WAITS = "import time\ndef build(params):\n    print('at work', flush=True)\n    time.sleep(800)\n"
HOSTILE = {
    "writes into the store": ("open({store!r} + '/blobs/x', 'w')", "Read-only file system"),
    "writes into its inputs' manifests": ("open(next(walk({store!r})), 'a')", "Permission denied"),
    "writes into another job's directory": ("open({other!r} + '/work' + '/0/x', 'w')", "No such file or directory"),
    "writes beside it": ("open('/opt/mlplat/x', 'w')", "Read-only file system"),
    "reads another job's output": ("open({other!r} + '/work' + '/0/log.txt')", "No such file or directory"),
    "reads another model in the store": ("open({model!r})", "No such file or directory"),
    "reads Airflow's database": ("open({home!r} + '/airflow.db')", "No such file or directory"),
    "reaches the network": ("socket.create_connection(('127.0.0.1', {port}), 3)", "Connection refused"),
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
"""What a build file tries anywhere, and what its user reads."""
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


class Home:
    """An installation with a store: a small dataset, and a model that is nobody's input."""

    def __init__(self, folder: Path, image: str, launcher: Launcher, limits: Limits) -> None:
        from airflow_mlplat.store import Sample, SpanWriter, open_store

        self.folder, self.image, self.launcher, self.limits = folder, image, launcher, limits
        (folder / "airflow.db").write_text("not for jobs\n")
        self.store = open_store(folder / "store")
        with SpanWriter(self.store, "x", "2026-01-01", ["a", "b"]) as writer:
            for number in range(4):
                writer.add(Sample(str(number), npy(number), number % 2, None))
            self.span = writer.commit()
        files = {"weights": self.store.put_blob(b"of another")}
        model = {"format": 1, "kind": "model", "name": "other", "files": files, "parents": []}
        self.model = self.store.put_manifest(model)

    def spec(self, build: str) -> JobSpec:
        """A training with a build file."""
        files, inputs = {"build.py": self.store.put_blob(build.encode())}, {"dataset": [self.span]}
        params = {"shape": [8, 8, 1], "batch_size": 4}
        return JobSpec("train", "x", self.store.url, "c", self.image, params, inputs, files, framework="mxnet")

    def neighbour(self) -> Handle:
        """A job that is at work meanwhile."""
        handle = self.launcher.submit(self.spec(WAITS), self.limits, {"dag_id": "isolation"})
        while "at work" not in self.launcher.logs(handle, 0)[0]:
            assert self.launcher.state(handle) is JobState.RUNNING, last_words(self.launcher, handle)
            time.sleep(0.1)
        return handle

    def secrets(self, handle: Handle, *seen: object) -> tuple[int, int]:
        """How many secrets are in what was seen of a job and in its files; and how many files it has."""
        files = [path.read_text(errors="replace") for path in Path(handle.directory).rglob("*") if path.is_file()]
        return sum(text.count(MARK) for text in [*files, json.dumps(seen)]), len(files)

    def run(self, build: str, workers: int = 1) -> str:
        """What the user reads of a training with a build file."""
        spec = dataclasses.replace(self.spec(build), workers=workers)
        handle = self.launcher.submit(spec, dataclasses.replace(self.limits, timeout_seconds=30))
        while self.launcher.state(handle) is JobState.RUNNING:
            time.sleep(0.1)
        return last_words(self.launcher, handle)

    def attacked(self, proof: Proof, other: Handle, hostile: Mapping[str, tuple[str, str]]) -> None:
        """Take the rows of what hostile build files reach, beside a neighbour at work."""
        before, clear = self.digest(), 0
        for name, (code, words) in hostile.items():
            told = self.run(PREFIX + code.format(other=other.directory, **self.places()))
            good = words in told
            clear += good
            wrong = "" if good else f"   <-- WRONG: {told}"
            print(f"{name} | {told.split(' Its last log lines')[0][:200]}{wrong}", flush=True)
        where = self.launcher.name
        proof.row(
            clear, f"hostile build files fail with a clear message, {where}", f"{len(hostile)}", clear == len(hostile)
        )
        harmless = sum(self.leaves(name, code) for name, code in LEFTOVERS.items())
        of = f"{len(LEFTOVERS)}"
        proof.row(
            harmless, f"hostile leftovers are told, and nothing is taken, {where}", of, harmless == len(LEFTOVERS)
        )
        same, lives = self.digest() == before, self.launcher.state(other) is JobState.RUNNING
        proof.row("unchanged" if same else "changed", f"store, {where}", "unchanged", same)
        proof.row("at work" if lives else "ended", f"neighbour, {where}", "at work", lives)

    def leaves(self, name: str, code: str) -> bool:
        """Whether what a build file leaves behind becomes an error, and nothing in the store."""
        from airflow_mlplat.hooks.jobs import JobHook

        hook = JobHook()
        text = LEAVES.format(code=code.format(other_model=self.model.to_json(), **self.places()))
        handle = self.launcher.submit(self.spec(text), dataclasses.replace(self.limits, timeout_seconds=30))
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
