"""A part of your own among those of an agent, and a recorded caller to try it: own_part.py CALLER.wav"""

import asyncio
import sys

from antiphon import Agent, Processor, Session, on
from antiphon.audio.resample import resample
from antiphon.audio.wav import read
from antiphon.conversation.conversation import Conversation
from antiphon.frames import UserTurn, replace
from antiphon.telemetry.latency import Latency
from antiphon.transports.caller import Caller, CallerLine


class Vocabulary(Processor):
    """Mends what speech recognition gets wrong: what it hears, and what was meant."""

    def __init__(self, words: dict[str, str]) -> None:
        self.words = words

    @on(UserTurn)
    def mend(self, turn: UserTurn):
        text = turn.text
        for heard, meant in self.words.items():
            text = text.replace(heard, meant)
        yield replace(turn, text=text)


agent = Agent("You answer the phone of a bicycle shop. One or two short sentences.")


async def main(recording: str) -> None:
    sound = read(recording)
    caller = Caller([CallerLine(resample(sound.mono(), sound.sample_rate, 16000), cue="now")], 16000)
    parts = agent.pipeline(caller)
    place = next(index for index, part in enumerate(parts) if isinstance(part, Conversation))
    parts.insert(place, Vocabulary({"die now mow": "dynamo"}))

    latency = Latency()
    async with agent:  # its models are ready before the call begins
        await Session(parts, observers=[latency]).run()
    for turn in latency.turns:
        heard = turn.answer.heard if turn.answer else "no answer"
        print(f"{turn.user}\n    {heard}\n    voice to voice {turn.voice_to_voice or 0:.2f} s")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
