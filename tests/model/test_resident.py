"""How far the process grows: what is allocated and freed within counts, what came before does not."""

import numpy as np
import pytest

from mmgraph.model import resident
from mmgraph.model.resident import growth

MB = 10**6
linux = pytest.mark.skipif(not resident._STATUS.exists(), reason="only Linux says how large a process is")


@linux
def test_what_is_freed_within_counts_and_what_was_before_does_not():
    before = np.ones(150 * MB, np.uint8)
    del before
    with growth() as large:
        one = np.ones(100 * MB, np.uint8)
        del one
    with growth() as small:
        pass
    assert 90 * MB < large.bytes < 130 * MB
    assert small.bytes < 20 * MB


def test_where_the_system_does_not_say_nothing_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(resident, "_FORGET", tmp_path / "no" / "such")
    with growth() as unknown:
        pass
    assert unknown.bytes is None
