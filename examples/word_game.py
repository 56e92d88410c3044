"""A word game: you describe a word, one model guesses it aloud, and another judges.

    python examples/word_game.py

The local models need no key; they are small, and a small judge errs. With OPENAI_API_KEY, player and judge
are OpenAI's.
"""

import os

from antiphon import Agent, Parallel, Processor, on
from antiphon.frames import Remarked, ServerMessage, SessionStarted
from antiphon.pipeline import Part
from antiphon.services.listener import Listener
from antiphon.transports.port import Transport
from antiphon.vendors import create
from antiphon.vendors.openai.realtime import Realtime

KEY = "OPENAI_API_KEY" in os.environ
JUDGE = Realtime(speaks=False) if KEY else create("realtime", "local")
WORDS = ["bicycle", "umbrella", "piano", "volcano", "library", "penguin"]

PLAYER = """You play a word game. The user describes a word without saying it. After each clue, guess: say one
short sentence such as "Is it a spoon?". If you cannot guess, ask for another clue."""

RULES = """The secret word is "{word}". After each message, say yes if it contains "{word}", no if not.
"Is it a {word}?" - yes. "Is it a spoon?" - no. "It has four legs, and you sit on it." - no.
"My {word} is new." - yes. Answer with this one word alone."""


class Game(Processor):
    """Gives the words, one after another, and counts those that were guessed."""

    def __init__(self, judge: Listener) -> None:
        self.judge = judge
        self.words = iter(WORDS)
        self.guessed = 0
        self.over = False

    @on(SessionStarted)
    def next_word(self, signal: SessionStarted | None = None) -> None:
        """Show the user the next word, and tell it to the judge."""
        word = next(self.words, None)
        if word is None:
            self.over = True
            self.session.say(f"That was the last word. We got {self.guessed} of {len(WORDS)}.")
            return
        self.judge.instruct(RULES.format(word=word))
        self.push(ServerMessage({"word": word}))
        print(f"Describe this word, and do not say it: {word}")

    @on(Remarked)
    def judged(self, verdict: Remarked) -> None:
        """End the round if the word was said: by the player it was guessed, by the user it is a foul."""
        if not verdict.text.lower().startswith("yes") or self.over:
            return
        guessed = verdict.about == "agent"
        self.guessed += guessed
        self.session.interrupt("the round is over")
        self.session.say(
            "Hurrah! The next word, please." if guessed else "You said it! Another word, please."
        )
        self.next_word()


class WordGame(Agent):
    """A player whose game is judged by a second model, in a branch beside it."""

    def pipeline(self, transport: Transport) -> list[Part]:
        *ears, conversation, player, playout, output = super().pipeline(transport)
        judge = Listener(JUDGE, RULES, user="the one who describes", agent="the one who guesses")
        return [*ears, Parallel([conversation, player], [judge, Game(judge)]), playout, output]


agent = WordGame(
    PLAYER,
    realtime="openai/gpt-realtime-2.1:marin" if KEY else "local",
    greeting="Let us play! Describe the word, and I guess.",
)

if __name__ == "__main__":
    agent.run()
