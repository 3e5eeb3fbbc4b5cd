"""The command line called in this process, on a small folder of tables."""

import pytest
from runs_made import Asked


@pytest.fixture
def asked(tmp_path, capsys):
    return Asked(tmp_path, capsys)
