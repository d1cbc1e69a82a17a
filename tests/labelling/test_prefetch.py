"""Handing work between threads: order, bounds, and errors where they belong."""

import threading
import time

import pytest

from judge.labelling.prefetch import background, prefetch


def test_items_come_in_order_and_only_a_few_ahead():
    made = []

    def items():
        for i in range(20):
            made.append(i)
            yield i

    taken = prefetch(items(), depth=2)
    assert next(taken) == 0
    time.sleep(0.2)
    assert len(made) <= 4
    assert list(taken) == list(range(1, 20))


def test_what_making_an_item_raises_comes_at_its_place():
    def items():
        yield 1
        raise ValueError("broken")

    taken = prefetch(items())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="broken"):
        next(taken)


def test_ending_early_ends_the_thread():
    taken = prefetch(iter(range(10**9)))
    next(taken)
    taken.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_everything_handed_over_is_taken_also_when_the_caller_fails():
    taken = []

    def slowly(item):
        time.sleep(0.01)
        taken.append(item)

    def work():
        with background(slowly) as put:
            for i in range(5):
                put(i)
            raise KeyError("caller")

    with pytest.raises(KeyError):
        work()
    assert taken == list(range(5))


def test_what_taking_raises_reaches_the_caller_and_nothing_is_taken_after_it():
    taken = []

    def take(item):
        taken.append(item)
        raise OSError("disk full")

    def work():
        with background(take) as put:
            for i in range(100):
                put(i)

    with pytest.raises(OSError, match="disk full"):
        work()
    assert taken == [0]
