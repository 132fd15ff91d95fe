"""The suite's assertions are shown in full, as those of test files."""

import pytest

pytest.register_assert_rewrite("tests.launchers.suite")
