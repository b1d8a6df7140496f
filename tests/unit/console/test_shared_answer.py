"""An expensive answer is asked for once, whoever wants it."""

import asyncio

from console.shared_answer import SharedAnswer


class Asked:
    """Counts how often it is asked, and answers when it may."""

    def __init__(self) -> None:
        self.times = 0
        self.may_answer = asyncio.Event()
        self.fails = False

    async def ask(self) -> int:
        self.times += 1
        number = self.times
        await self.may_answer.wait()
        if self.fails:
            raise OSError("no")
        return number


async def test_who_asks_meanwhile_gets_the_same_answer() -> None:
    asked = Asked()
    shared = SharedAnswer(asked.ask, fresh_s=60)
    waiting = [asyncio.ensure_future(shared.get()) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # somebody went away; the others still get it
    asked.may_answer.set()
    assert await asyncio.gather(*waiting[1:]) == [1] * 4
    assert await shared.get() == 1
    assert asked.times == 1


async def test_an_old_answer_is_given_while_a_new_one_is_asked_for() -> None:
    asked = Asked()
    asked.may_answer.set()
    shared = SharedAnswer(asked.ask, fresh_s=0, usable_s=60)
    assert await shared.get() == 1
    asked.may_answer.clear()
    assert [await shared.get() for _ in range(3)] == [1, 1, 1]
    await asyncio.sleep(0)
    assert asked.times == 2
    asked.may_answer.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await shared.get() == 2


async def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    asked = Asked()
    asked.fails = True
    shared = SharedAnswer(asked.ask, fresh_s=60)
    waiting = [asyncio.ensure_future(shared.get()) for _ in range(2)]
    await asyncio.sleep(0)
    asked.may_answer.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in found] == [OSError, OSError]
    asked.fails = False
    assert await shared.get() == 2
