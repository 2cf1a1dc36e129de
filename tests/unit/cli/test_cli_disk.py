"""syncache/cli/disk.py: threads that wait for disks."""

from __future__ import annotations

import asyncio
import errno
import threading

import pytest

from syncache.cli import disk


def test_result_that_comes_too_late_is_undone():
    """Or a file would stay open."""
    answers, undone = threading.Event(), threading.Event()

    async def main():
        one = disk.Disk(0.01)

        def work():
            answers.wait(60)
            return undone

        with pytest.raises(OSError, match=disk.SILENT) as caught:
            await one.ask("", work, lambda result: result.set())
        answers.set()
        assert await asyncio.to_thread(undone.wait, 60)
        one.close()
        return caught.value.errno

    assert errno.ETIMEDOUT == asyncio.run(main())


def test_result_that_comes_after_the_end_of_the_loop_is_undone():
    """The thread does it by itself: there is nobody else."""
    answers, undone = threading.Event(), threading.Event()

    async def main():
        one = disk.Disk(0.01)

        def work():
            answers.wait(60)
            return undone

        with pytest.raises(OSError, match=disk.SILENT):
            await one.ask("", work, lambda result: result.set())
        one.close()

    asyncio.run(main())
    answers.set()
    assert undone.wait(60)


def test_folder_has_its_share_of_the_threads_and_no_more():
    """A dead disk leaves some to others; what nobody waits for any more is not done."""
    answers, begun = threading.Event(), []

    async def main():
        one = disk.Disk(0.05)

        def work():
            begun.append(1)
            answers.wait(60)

        asked = [one.ask("dead", work) for _ in range(3 * disk.THREADS_MAX)]
        waiting = asyncio.gather(*asked, return_exceptions=True)
        await asyncio.sleep(0)
        other = await asyncio.wait_for(one.ask("good", lambda: "found"), 60)
        late = {type(error) for error in await waiting}
        answers.set()
        again = await disk.Disk().ask("dead", lambda: "found")
        one.close()
        return other, late, again

    assert ("found", {TimeoutError}, "found") == asyncio.run(main())
    assert disk.SHARE_MAX == len(begun)


def test_many_who_ask_for_a_folder_take_turns():
    async def main():
        one = disk.Disk()
        asked = [one.ask("", lambda n=n: n) for n in range(3 * disk.THREADS_MAX)]
        found = await asyncio.gather(*asked)
        one.close()
        return found

    assert list(range(3 * disk.THREADS_MAX)) == asyncio.run(main())
