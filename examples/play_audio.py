"""Audio that is not the agent's voice: a recording, a tone, samples from anywhere, played in a call."""

import numpy as np

from antiphon import Agent, Processor, Session, on, tool
from antiphon.audio.resample import resample
from antiphon.audio.wav import read
from antiphon.flow import Audio
from antiphon.frames import AgentAudio, AudioEnded, frame
from antiphon.pipeline import Part
from antiphon.reply import Reply
from antiphon.transports.port import Transport

RATE = 16000


@frame
class Sound(Audio):
    """A request to play audio: little-endian 16-bit mono samples."""

    pcm: bytes
    sample_rate: int


class SoundPlayer(Processor):
    """Plays each Sound as a reply: in its turn, paced, and until the user interrupts it."""

    @on(Sound)
    def play(self, sound: Sound) -> None:
        def begin(reply: Reply) -> None:
            self.push(AgentAudio(reply.number, sound.pcm, sound.sample_rate))
            self.push(AudioEnded(reply.number))

        self.session.new_reply(begin)


def ring_tone(seconds: float = 2.0) -> Sound:
    """The tone that a caller hears while the other telephone rings, in North America."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = 0.1 * np.sin(2 * np.pi * 440 * time) + 0.1 * np.sin(2 * np.pi * 480 * time)
    return Sound((wave * 32767).astype("<i2").tobytes(), RATE)


def recording(path: str) -> Sound:
    """A wav file of any rate and number of channels."""
    sound = read(path)
    return Sound(resample(sound.mono(), sound.sample_rate, RATE), RATE)


@tool
async def ring_the_workshop(session: Session) -> str:
    """Ring the workshop, and let the caller hear it ring."""
    session.send(ring_tone())
    return "it will ring now"


class Shop(Agent):
    """An agent whose calls can play sounds."""

    def pipeline(self, transport: Transport) -> list[Part]:
        first, *rest = super().pipeline(transport)
        return [first, SoundPlayer(), *rest]


agent = Shop("You answer the phone of a bicycle shop. One short sentence.", tools=[ring_the_workshop])

if __name__ == "__main__":
    agent.run()
