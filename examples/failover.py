"""An agent with a spare voice: if its vendor fails, another goes on in the middle of the sentence."""

from antiphon import Agent, Switch
from antiphon.pipeline import Part
from antiphon.services.tts import TTS
from antiphon.transports.port import Transport
from antiphon.vendors import create

SPARE = create("tts", "local")


class WithSpareVoice(Agent):
    """Goes on with another voice if its own fails."""

    def pipeline(self, transport: Transport) -> list[Part]:
        parts = super().pipeline(transport)
        place = next(index for index, part in enumerate(parts) if isinstance(part, TTS))
        parts[place] = Switch(main=parts[place], spare=TTS(SPARE))
        return parts


agent = WithSpareVoice("You answer the phone of a bicycle shop.", tts="cartesia/sonic-3")

if __name__ == "__main__":
    agent.run()
