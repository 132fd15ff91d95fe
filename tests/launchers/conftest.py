"""What tests of launchers share."""

from __future__ import annotations

import pytest

# The suite's assertions are shown in full, as those of test files.
pytest.register_assert_rewrite("tests.launchers.suite")
