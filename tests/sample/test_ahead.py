"""Batches made ahead are those of the source, in order; what goes wrong there goes wrong here, and one that leaves early can."""

import threading

import pytest

from mmgraph.sample.ahead import Ahead


class Counted:
    """A source of numbers that remembers which thread made them."""

    def __init__(self, count, bad=None):
        self.count, self.bad, self.made = count, bad, []

    def __len__(self):
        return self.count

    def batch(self, number):
        if number == self.bad:
            raise ValueError(f"number {number}")
        self.made.append((number, threading.current_thread().name))
        return number


@pytest.mark.parametrize("count", [0, 1, 5])
def test_all_come_in_order(count):
    class Source(Counted):
        def __iter__(self):
            return iter(range(self.count))

    assert list(Ahead(Source(count))) == list(range(count))


def test_another_thread_is_one_ahead():
    source = Counted(5)
    batches = iter(Ahead(source))
    next(batches)
    next(batches)
    batches.close()
    assert [number for number, _ in source.made] == [0, 1, 2]
    assert threading.current_thread().name not in {name for _, name in source.made}


def test_a_mistake_arrives():
    batches = iter(Ahead(Counted(3, bad=1)))
    assert next(batches) == 0
    with pytest.raises(ValueError, match="number 1"):
        next(batches)
