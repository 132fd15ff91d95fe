"""`airflow mlplat environments`; that one is really made is part of the proof `own-data`."""

from __future__ import annotations


def test_an_unknown_framework_is_told(mlplat):
    code, out, err = mlplat("environments", "create", "theano")
    assert (code, out) == (64, "")
    assert "unknown framework; expected caffe | mxnet | tensorflow; got 'theano'" in err
