"""syncache/cli/signals.py: what a signal does before the loop, in it, and after."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading

import pytest

from syncache.cli.signals import STOP, WORDS, Signals, Stopped, held


def send(number):
    os.kill(os.getpid(), number)
    signal.sigpending()  # any call lets the handler run


@pytest.mark.parametrize("number", STOP)
def test_signal_before_the_loop_undoes_the_start(number):
    """Once: what is being undone is not interrupted by a second one."""
    signals = Signals()

    def begin():
        with signals:
            try:
                send(number)
            finally:
                send(number)

    with pytest.raises(Stopped):
        begin()
    assert signals.stopping


@pytest.mark.parametrize("number", STOP)
def test_signal_in_the_loop_is_a_word(number):
    """Nothing is raised in the middle of a packet."""
    with Signals() as signals:
        signals.begin()
        assert not signals.stopping
        send(number)
        assert signals.stopping


@pytest.mark.parametrize(("number", "word"), WORDS.items())
def test_signal_that_asks_for_something_is_taken_once(number, word):
    """At any time; two that come together are one."""
    with Signals() as signals:
        send(number)
        send(number)
        signals.begin()
        assert signals.take(word)
        assert not signals.take(word)
        assert not signals.stopping


@pytest.mark.parametrize("number", [*STOP, *WORDS])
def test_signal_in_the_midst_of_the_end_changes_nothing(number):
    """A process that ends with its command passes over it, however late."""
    code = (
        "import os, signal\n"
        "from syncache.cli.signals import Signals, held\n"
        "with held(['serve'], for_good=True):\n"
        "    with Signals() as signals:\n"
        "        signals.begin()\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        f"os.kill(os.getpid(), {int(number)})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def is_readable(signals):
    return bool(select.select([signals], [], [], 0)[0])


def test_signal_or_thread_ends_the_wait_of_a_loop_once():
    """The descriptor is readable, until that is seen, however often there was one."""
    with Signals() as signals:
        signals.begin()
        assert not is_readable(signals)
        for wake in (lambda: send(signal.SIGHUP), signals.wake):
            thread = threading.Thread(target=wake)
            thread.start()
            thread.join()
            wake()
            assert is_readable(signals)
            signals.rest()
            assert not is_readable(signals)
        for _ in range(70_000):  # more than a pipe holds
            signals.wake()
    signals.wake()  # a thread that is late
    assert -1 == signal.set_wakeup_fd(-1)


def test_handlers_of_before_are_back_afterwards():
    """Of all of them."""
    numbers = (*STOP, *WORDS)
    before = [signal.getsignal(number) for number in numbers]
    with Signals():
        assert before != [signal.getsignal(number) for number in numbers]
    assert before == [signal.getsignal(number) for number in numbers]


@pytest.mark.parametrize("number", WORDS)
@pytest.mark.parametrize(
    ("words", "is_held"),
    [
        (["serve"], True),
        (["shield", "eth0"], True),
        (["inspect", "--tap=eth0"], True),
        (["inspect", "a.pcap"], False),
        (["sysctl", "-a"], False),
    ],
)
def test_signal_before_a_service_has_begun_does_not_end_it(number, words, is_held):
    """It reads its files later than that; a capture ends with its terminal."""
    before = signal.getsignal(number)
    with held(words):
        found = signal.getsignal(number)
        assert is_held == (found == signal.SIG_IGN)
    assert before == signal.getsignal(number)
