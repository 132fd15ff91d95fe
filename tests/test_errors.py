"""Errors: one sentence of what, expected, got, and what to do; the tree in the docstring is the tree."""

from __future__ import annotations

import inspect
import pickle

from airflow_mlplat import errors
from airflow_mlplat.errors import DataError, MlplatError, PlatformError, UserError, did_you_mean


def test_a_message_says_what_expected_got_and_what_to_do() -> None:
    error = DataError("too many bad samples", expected="at most 1 %", got="3 %", fix="mend the source")
    assert str(error) == "too many bad samples; expected at most 1 %; got 3 %. mend the source."
    assert str(DataError("nothing there")) == "nothing there."


def test_no_full_stop_is_put_after_an_end() -> None:
    assert str(DataError("no 'epoch'", fix="Did you mean 'epochs'?")) == "no 'epoch'. Did you mean 'epochs'?"
    assert str(DataError("x fails", got="not found.", fix="mend it.")) == "x fails; got not found. mend it."
    assert str(DataError("job 1 failed: no 'epoch'. Did you mean 'epochs'?")).endswith("Did you mean 'epochs'?")


def test_names_that_look_alike_are_hinted_at() -> None:
    assert did_you_mean(["hostpath", "zzz"], ["hostPath", "nfs"]) == "Did you mean 'hostPath'?"
    assert did_you_mean(["zzz"], ["hostPath", "nfs"]) is None


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(DataError("what", expected=1, got=2, fix="do")))
    assert (type(error), str(error), error.got) == (DataError, "what; expected 1; got 2. do.", 2)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, MlplatError)]
    drawn = [line.split()[line.count("│") + 1] for line in (errors.__doc__ or "").splitlines() if "── " in line]
    assert sorted(drawn) == sorted(c.__name__ for c in classes if c is not MlplatError)
    for one in classes:
        if one not in (MlplatError, UserError, PlatformError):
            assert issubclass(one, UserError) != issubclass(one, PlatformError)
