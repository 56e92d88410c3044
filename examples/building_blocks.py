"""The two building blocks, put into a session by hand and run with what is typed."""

import asyncio

from antiphon import Playout, Processor, Session, Stage, on
from antiphon.frames import Text, UserText, UserTurn, replace


class Directory:
    """Stands for whatever has to be waited for."""

    async def name_of(self, number: str) -> str:
        await asyncio.sleep(0.05)
        return {"+4930123": "Ada"}.get(number, "somebody")


db = Directory()


class Shout(Processor):
    @on(Text)
    def shout(self, frame: Text):
        yield replace(frame, text=frame.text.upper())


class CallerName(Stage):
    @on(UserTurn)
    async def greet(self, turn: UserTurn):
        name = await db.name_of("+4930123")
        yield replace(turn, text=f"[{name}] {turn.text}")


class Typed(Processor):
    @on(UserText)
    def turn(self, frame: UserText):
        yield UserTurn(frame.text, self.session.now, self.session.now)


class Answer(Processor):
    @on(UserTurn)
    def answer(self, turn: UserTurn):
        self.session.say(f"hello, {turn.text}")


class Show(Processor):
    @on(Text)
    def show(self, frame: Text):
        print(frame.text)


async def main() -> None:
    async with Session([Typed(), CallerName(), Answer(), Shout(), Show(), Playout()]) as session:
        session.send(UserText("it is me"))
        await asyncio.sleep(0.1)
        await session.end()


if __name__ == "__main__":
    asyncio.run(main())
