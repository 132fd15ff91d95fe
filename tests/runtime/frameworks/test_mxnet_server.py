"""The processes beside worker 0: they end with it, however it ends."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest

from tests.runtime.frameworks.conftest import ENV, free_ports

pytestmark = pytest.mark.mxnet
FRAMEWORK = "mxnet"

CODE = """
import sys, time
from airflow_mlplat.runtime.frameworks.mxnet_server import Servers
told = {"DMLC_PS_ROOT_URI": "127.0.0.1", "DMLC_PS_ROOT_PORT": sys.argv[1], "DMLC_NUM_WORKER": "1",
        "DMLC_NUM_SERVER": "1", "DMLC_NODE_HOST": "127.0.0.1"}
servers = Servers(told)
print("started", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_with_their_parent(python, number):
    command = [python, "-c", CODE, str(free_ports(1)[0])]
    with subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout.readline() == "started\n"
        time.sleep(1)
        job.send_signal(number)
        job.stdout.read()  # which ends when all have ended that can write to it
