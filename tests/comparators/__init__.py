import pytest

pytest.register_assert_rewrite("tests.comparators.runs")
