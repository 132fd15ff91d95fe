"""Work that may end its process."""

from __future__ import annotations

import os

import pytest

from airflow_mlplat.errors import BuildError
from airflow_mlplat.runtime.frameworks.survival import check_survival


def test_what_ends_well_is_done_elsewhere():
    done: list[int] = []
    check_survival(lambda: done.append(1), "making")
    assert done == []


def test_what_ends_its_process_does_not_end_ours():
    def work():
        os.write(
            2,
            b"I1126 12:00:00.000001 7 net.cpp:1] Creating layer\nF1126 12:00:00.000002 7 net.cpp:2] Check failed: a\n",
        )
        os.write(2, b"*** Check failure stack trace: ***\n")
        os.abort()

    with pytest.raises(BuildError, match=r"^the net ended Caffe; got Check failed: a\.$"):
        check_survival(work, "the net")


def test_without_a_word(capfd):
    with pytest.raises(BuildError, match="the net ended Caffe; got no word"):
        check_survival(lambda: os.kill(os.getpid(), 9), "the net")
    assert capfd.readouterr().err == ""


def test_what_it_raises_does_not_count(capfd):
    check_survival(lambda: 1 // 0, "making")
    assert capfd.readouterr().err == ""
