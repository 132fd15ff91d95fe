"""What a job's process sets up; its work on SIGTERM is shown in test_runner.py."""

from __future__ import annotations

import signal

import pytest

from airflow_mlplat.runtime.process import Stopped, stop, stopping


def test_sigterm_raises_once():
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert not stopping()
        with pytest.raises(Stopped) as caught:
            stop(signal.SIGTERM, None)
        assert caught.value.code == 143
        assert not isinstance(caught.value, (Exception, SystemExit)), "what a user's code may catch, or raise"
        assert stopping()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
