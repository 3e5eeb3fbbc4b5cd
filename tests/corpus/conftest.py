"""One small corpus a session."""

import pytest

from mmgraph.corpus import CorpusSize, make, plan

SIZE = CorpusSize(videos=8, images=6, music=8, texts=10, users=9)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """The folder of a small corpus of seed 3, written by two workers. Only to be read."""
    folder = tmp_path_factory.mktemp("sample") / "corpus"
    make(folder, seed=3, size=SIZE, workers=2)
    return folder


@pytest.fixture(scope="session")
def truth():
    """The plan behind ``corpus``."""
    return plan(3, SIZE)
