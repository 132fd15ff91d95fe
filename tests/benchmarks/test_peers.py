"""Every peer gives every sample of the set just once in an epoch, with its label; and pixels as ours."""

from __future__ import annotations

import json

import pytest

from benchmarks import prepare
from benchmarks.peers import PEERS
from tests.benchmarks.conftest import COUNT


@pytest.mark.parametrize("name", PEERS)
def test_peer(name, images, needs):
    needs(PEERS[name][1])
    found = json.loads(
        prepare.run(PEERS[name][1], "check", name, images, prepare.prepare(name, images)).splitlines()[-1]
    )
    assert (found["raw"], found["decoded"]) == (COUNT, COUNT)
    assert (found["raw_wrong"], found["decoded_wrong"]) == (0, 0)
    assert found["shapes"] == {"uint8 (3, 224, 224)": COUNT}
    assert (found["raw_of_two_epochs"], found["decoded_of_two_epochs"]) == (2 * COUNT, 2 * COUNT)
