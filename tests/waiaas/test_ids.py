"""The promises of ``generate_id``: order, uniqueness, and the time inside an id."""

from __future__ import annotations

import copy
import itertools
import queue
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from functools import reduce
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waiaas_migrate.waiaas.ids import MAX_LEAD_MS, IdGenerator, generate_id

MILLION = 1_000_000
NS_PER_MS = 1_000_000
#: 2026-01-01, in nanoseconds.
NEW_YEAR = 1_767_225_600 * 10**9


def time_inside(made: str) -> int:
    """Return the time inside an id, in milliseconds since 1970."""
    return UUID(made).int >> 80


def clock_ms() -> int:
    """Return the clock's time, in milliseconds since 1970."""
    return time.time_ns() // NS_PER_MS


def strictly_rising(made: list[str]) -> bool:
    """Return whether each id sorts after the one before it, which also makes them unique."""
    return all(earlier < later for earlier, later in itertools.pairwise(made))


def clock_showing(*milliseconds: int) -> Callable[[], int]:
    """Return a clock that shows one time after another, counted from the new year."""
    shown: Iterator[int] = iter(milliseconds)
    return lambda: NEW_YEAR + next(shown) * NS_PER_MS


def shown_by(made: str) -> int:
    """Return the time inside an id, counted from the new year."""
    return time_inside(made) - NEW_YEAR // NS_PER_MS


def answer_of(make: Callable[[], str]) -> str:
    """Return the result of ``make``; fail if it hangs."""
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(make()), daemon=True).start()
    return answers.get(timeout=30)


def test_an_id_is_a_uuid_of_version_7() -> None:
    """An id is written as other tools write a UUID, with version 7 and the variant of the RFC."""
    made = generate_id()
    parsed = UUID(made)
    assert type(made) is str
    assert str(parsed) == made
    assert (parsed.version, parsed.variant) == (7, RFC_4122)


def test_the_time_inside_is_the_time_of_making() -> None:
    """The time inside lies between the clock's time before and after the call."""
    before = clock_ms()
    inside = time_inside(generate_id())
    assert before <= inside <= clock_ms() + MAX_LEAD_MS


def test_a_million_ids_are_in_order_and_on_time() -> None:
    """A burst of a million ids rises strictly and ends within 10 ms of the clock."""
    made = [generate_id() for _ in range(MILLION)]
    # Check before and after: this process may be paused between reading the clock and making the id.
    before = clock_ms()
    made.append(generate_id())
    assert before <= time_inside(made[-1]) <= clock_ms() + MAX_LEAD_MS
    assert strictly_rising(made)


def test_eight_threads_share_one_order() -> None:
    """Ids of eight threads at once are unique together and rise within each thread."""
    made: list[list[str]] = [[] for _ in range(8)]
    ends: list[tuple[int, int]] = []
    start = threading.Barrier(8)

    def burst(mine: list[str]) -> None:
        start.wait()
        mine.extend(generate_id() for _ in range(MILLION // 8))
        before = clock_ms()
        inside = time_inside(generate_id())
        ends.append((inside - before, inside - clock_ms()))

    threads = [threading.Thread(target=burst, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(strictly_rising(mine) for mine in made)
    assert len({one for mine in made for one in mine}) == MILLION
    assert len(ends) == 8
    assert all(since >= 0 and lead <= MAX_LEAD_MS for since, lead in ends)


def test_the_order_across_threads_is_the_order_of_making() -> None:
    """If threads make ids one after the other, the ids sort in that order, whichever thread made them."""
    log: list[str] = []
    taking_turns = threading.Lock()
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        for _ in range(5_000):
            with taking_turns:
                log.append(generate_id())

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log) == 40_000
    assert strictly_rising(log)


def test_a_clock_that_stands_still_keeps_the_order() -> None:
    """Within one millisecond the counter keeps the order, and the time inside is the clock's."""
    make = IdGenerator(lambda: NEW_YEAR)
    made = [make() for _ in range(10_000)]
    assert strictly_rising(made)
    assert {shown_by(one) for one in made} == {0}


def test_a_new_millisecond_has_a_new_counter() -> None:
    """Every bit after the time is random in the first id of a millisecond, except the one that leaves room to count."""
    clock = range(200)
    make = IdGenerator(clock_showing(*clock))
    first = [UUID(make()).int for _ in clock]
    behind_the_time = (1 << 80) - 1
    fixed = 0xF << 76 | 0b11 << 62 | 1 << 75
    assert reduce(int.__or__, first) & behind_the_time & ~fixed == behind_the_time & ~fixed
    assert reduce(int.__and__, first) & behind_the_time & ~fixed == 0
    assert {one & fixed for one in first} == {7 << 76 | 0b10 << 62}


def test_a_small_step_back_keeps_the_order() -> None:
    """While the clock is no more than 10 ms behind, ids stay at the last time until it has caught up."""
    make = IdGenerator(clock_showing(100, 99, 95, 90, 99, 100, 101))
    made = [make() for _ in range(7)]
    assert strictly_rising(made)
    assert [shown_by(one) for one in made] == [100, 100, 100, 100, 100, 100, 101]


def test_a_large_step_back_follows_the_clock() -> None:
    """If the clock steps back by more than 10 ms, the time inside follows it and the order starts again."""
    make = IdGenerator(clock_showing(100, 89, 89, 90, 100))
    made = [make() for _ in range(5)]
    assert [shown_by(one) for one in made] == [100, 89, 89, 90, 100]
    assert strictly_rising(made[1:])
    assert len(set(made)) == 5


def test_small_steps_back_do_not_add_up() -> None:
    """Ids follow a clock that moves slowly backwards once they are more than 10 ms ahead of it."""
    clock = range(100, 0, -4)
    make = IdGenerator(clock_showing(*clock))
    made = [make() for _ in clock]
    assert all(0 <= shown_by(one) - shown <= MAX_LEAD_MS for one, shown in zip(made, clock, strict=True))


@given(st.lists(st.integers(0, 60), min_size=1, max_size=60))
def test_any_clock_gets_unique_ids_on_time(clock: list[int]) -> None:
    """However the clock jumps, ids are unique, within 10 ms of it, and rise unless it steps back further than that."""
    make = IdGenerator(clock_showing(*clock))
    made = [make() for _ in clock]
    assert len(set(made)) == len(made)
    assert all(0 <= shown_by(one) - shown <= MAX_LEAD_MS for one, shown in zip(made, clock, strict=True))
    for (earlier, later), shown in zip(itertools.pairwise(made), clock[1:], strict=True):
        assert earlier < later or shown_by(earlier) - shown > MAX_LEAD_MS


def test_one_thread_at_a_time_makes_an_id() -> None:
    """While a thread makes an id, no other thread reads the clock, so none overtakes it."""
    inside: list[int] = []
    most: list[int] = []

    def clock() -> int:
        inside.append(1)
        time.sleep(0.001)
        most.append(len(inside))
        inside.pop()
        return NEW_YEAR

    make = IdGenerator(clock)
    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_an_id_made_inside_a_signal_handler_does_not_wait() -> None:
    """A generator that is called while it makes an id, as by a signal handler, doesn't hang."""
    inner: list[str] = []

    def clock() -> int:
        if not inner:
            inner.append("")
            inner[0] = make()
        return NEW_YEAR

    make = IdGenerator(clock)
    outer = answer_of(make)
    assert strictly_rising([inner[0], outer, make()])


def test_a_child_does_not_wait_for_a_thread_of_its_parent() -> None:
    """If another thread was making an id at the fork, the child, which has no such thread, can make one."""
    held, released = threading.Event(), threading.Event()

    def clock() -> int:
        if threading.current_thread() is left_behind:
            held.set()
            released.wait()
        return NEW_YEAR

    make = IdGenerator(clock)
    left_behind = threading.Thread(target=make)
    left_behind.start()
    held.wait()
    make.continue_after_fork()
    try:
        assert answer_of(make)
    finally:
        released.set()
        left_behind.join()


def test_a_child_jumps_over_its_parents_next_ids() -> None:
    """Even if no time passes, a child's ids sort after its parent's past and far from its parent's next."""
    parent = IdGenerator(lambda: NEW_YEAR)
    past = parent()
    child = copy.copy(parent)
    child.continue_after_fork()
    assert strictly_rising([past, *(parent() for _ in range(1_000)), *(child() for _ in range(1_000))])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_child_continues_after_its_parent() -> None:
    """Children forked in the middle of a burst repeat no id of the parent or of each other, and sort after it.

    In a process of its own: a fork of the test runner, which has threads, is warned of.
    """
    script = """
        import json, os, signal, threading
        from waiaas_migrate.waiaas.ids import generate_id

        def burst(count):
            return [generate_id() for _ in range(count)]

        before = burst(1_000)
        # A thread that holds the generator's lock most of the time, as a server's threads may when it forks.
        running = threading.Event()
        running.set()
        def spin():
            while running.is_set():
                generate_id()
        thread = threading.Thread(target=spin)
        thread.start()
        children = []
        for _ in range(4):
            read, write = os.pipe()
            last = generate_id()
            if os.fork() == 0:
                signal.alarm(30)  # a child that waits for a lock nobody holds must not outlive the test
                with open(write, "w") as out:
                    json.dump(burst(1_000), out)
                os._exit(0)
            os.close(write)
            with open(read) as answer:
                children.append((last, json.load(answer)))
            os.wait()
        running.clear()
        thread.join()
        after = burst(1_000)
        everything = before + after + [made for _, child in children for made in child]
        assert len(set(everything)) == 6_000
        for last, child in children:
            assert child == sorted(child)
            assert last < child[0]
        print("done")
    """
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("done\n", "")
