"""Start and stop a real Airflow (API server, scheduler, DAG processor, triggerer) in one folder.

Standard library only: it runs before anything is imported, and drives the `airflow` command of an environment.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AUTH_MANAGER = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
PROCESSES = {
    "api-server": ["api-server", "--workers", "1"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}


class Stack:
    """One Airflow under `home/airflow`, working on the platform in `home`.

    Args:
        home: `MLPLAT_HOME`, absolute.
        dags: Folder of DAG files.
        airflow: The `airflow` command.
        environments: `MLPLAT_ENVIRONMENTS`.
        extra: Further environment variables, connections for instance.
    """

    def __init__(
        self,
        home: Path,
        dags: Path = ROOT / "dags",
        airflow: Path = ROOT / ".venv/bin/airflow",
        environments: Path = ROOT / ".venvs",
        extra: dict[str, str] | None = None,
    ) -> None:
        self.home, self.airflow = home.absolute(), airflow
        self.folder = self.home / "airflow"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.folder / "stack.json"
        known = json.loads(self.state.read_text()) if self.state.exists() else {}
        self.port: int = known.get("port") or free_port()
        self.pids: dict[str, list[int]] = known.get("pids", {})
        self._children: list[subprocess.Popen] = []
        self.password = self._password()
        self.env = self._environment(dags, environments) | (extra or {})

    @property
    def address(self) -> str:
        """Of the UI."""
        return f"http://127.0.0.1:{self.port}"

    def _password(self) -> str:
        path = self.folder / "simple_auth_manager_passwords.json.generated"
        if not path.exists():
            path.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}))
            path.chmod(0o600)
        return json.loads(path.read_text())["admin"]

    def _secret(self, name: str) -> str:
        path = self.folder / f"{name}.secret"
        if not path.exists():
            path.write_text(secrets.token_urlsafe(32))
            path.chmod(0o600)
        return path.read_text()

    def _environment(self, dags: Path, environments: Path) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "MLPLAT_", "PYTHON"))}
        return inherited | {
            "PATH": f"{self.airflow.parent}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__API__BASE_URL": self.address,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": self._secret("api"),
            "AIRFLOW__API_AUTH__JWT_SECRET": self._secret("jwt"),
            "AIRFLOW__CORE__AUTH_MANAGER": AUTH_MANAGER,
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.address}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "6",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            "MLPLAT_HOME": str(self.home),
            "MLPLAT_ENVIRONMENTS": str(environments),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run an `airflow` command; on failure its output is part of the error."""
        done = subprocess.run(
            [str(self.airflow), *arguments], env=self.env, cwd=self.folder, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise SystemExit(
                f"airflow {' '.join(arguments)} failed ({done.returncode}):\n{(done.stdout + done.stderr)[-4000:]}"
            )
        return done

    def start(self, seconds: float = 180) -> None:
        """Migrate the database, start what is not running, wait until all are healthy."""
        migrated = self.folder / "migrated"  # the database's file alone may be half-made
        if not migrated.exists():
            self.cli("db", "migrate")
            migrated.touch()
        for name, arguments in PROCESSES.items():
            if alive(self.pids.get(name)):
                continue
            with (self.folder / f"{name}.log").open("ab") as log:
                process = subprocess.Popen(
                    [str(self.airflow), *arguments],
                    env=self.env,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self._children.append(process)
            self.pids[name] = [process.pid, born(process.pid)]
            self.state.write_text(json.dumps({"port": self.port, "pids": self.pids}))
        self._await_health(seconds)

    def _await_health(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        while time.monotonic() < end:
            for name, known in self.pids.items():
                if not alive(known):
                    tail = (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]
                    self.stop()
                    raise SystemExit(f"airflow {name} ended early; the end of its log:\n{tail}")
            try:
                health = self.request("GET", "/api/v2/monitor/health", token=False)
                if all((health.get(part) or {}).get("status") == "healthy" for part in parts):
                    return
            except (OSError, ValueError):
                pass
            time.sleep(0.5)
        self.stop()
        raise SystemExit(f"Airflow was not healthy after {seconds:.0f} s; its logs are in {self.folder}")

    def stop(self) -> None:
        """End the processes this started, by pid and start time, and nothing else."""
        for sig, wait in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
            living = [known for known in self.pids.values() if alive(known)]
            for pid, _ in living:
                os.killpg(pid, sig)
            end = time.monotonic() + wait
            while any(alive(known) for known in living) and time.monotonic() < end:
                time.sleep(0.1)
        for child in self._children:
            child.wait()
        self.pids, self._children = {}, []
        self.state.write_text(json.dumps({"port": self.port, "pids": {}}))

    def request(self, method: str, path: str, body: object = None, token: bool = True) -> dict:
        """Call the REST API as admin."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {self._token()}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise ValueError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')[:1000]}") from error

    def _token(self) -> str:
        if not hasattr(self, "_jwt"):
            answer = self.request("POST", "/auth/token", {"username": "admin", "password": self.password}, token=False)
            self._jwt = answer["access_token"]
        return self._jwt

    def await_dag(self, dag_id: str, seconds: float = 120) -> None:
        """Until the DAG has been parsed; then unpause it."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.request("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})
                return
            except ValueError as error:
                if time.monotonic() > end:
                    raise SystemExit(f"DAG {dag_id} did not appear: {error}\n{self.import_errors()}") from error
            time.sleep(0.5)

    def import_errors(self) -> str:
        """Of the DAG files."""
        errors = self.request("GET", "/api/v2/importErrors")["import_errors"]
        return "\n".join(f"{e['filename']}:\n{e['stack_trace']}" for e in errors)

    def runs(self, dag_id: str) -> list[dict]:
        """All runs of a DAG, oldest first."""
        return self.request("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100&order_by=run_after")["dag_runs"]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def born(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty when it is gone or a zombie. With the pid: one process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def alive(known: list | None) -> bool:
    """Whether the very process is still there."""
    return bool(known) and bool(known[1]) and born(known[0]) == known[1]
