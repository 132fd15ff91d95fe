"""CRC-32C against the vectors of RFC 3720, appendix B.4."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.store.checksum import crc32c, crc32c_python

VECTORS = [
    (b"", 0),
    (b"123456789", 0xE3069283),  # the usual check value
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
    (
        bytes.fromhex(
            "01c000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000"
        ),
        0xD9963A56,  # an iSCSI SCSI Read (10) command
    ),
]


@pytest.mark.parametrize("content, expected", VECTORS)
@pytest.mark.parametrize("function", [crc32c, crc32c_python])
def test_vectors(function, content, expected):
    assert function(content) == expected


@given(st.binary(max_size=300))
def test_both_agree(content):
    assert crc32c(content) == crc32c_python(content)


def test_without_the_library():
    code = (
        "import sys; sys.modules['google_crc32c'] = None\n"
        "from airflow_mlplat.store.checksum import crc32c; print(crc32c(b'123456789'))"
    )
    assert int(subprocess.check_output([sys.executable, "-c", code])) == 0xE3069283
