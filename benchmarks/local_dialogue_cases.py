"""What `local_dialogue` asks: sixty spoken sentences to three agents, in two halves, and three conversations.

The sentences were written before anything was tuned. Half of them ("tuned") may be looked at while the local
model's prompt and its gate are worked on; the others ("held out") are only ever measured.
"""

from dataclasses import dataclass, field
from typing import Literal

from antiphon.context import AgentSaid, Entry, ToolSpec, UserSaid

Kind = Literal["tool", "field", "off topic"]


@dataclass(frozen=True, slots=True)
class Case:
    """One utterance. `arguments` are words of which one must stand in each argument of the call.

    `before` is what was said earlier, of which an odd last line was cut off by the caller.
    """

    kind: Kind
    said: str
    tool: str = ""
    arguments: dict[str, str] = field(default_factory=dict[str, str])
    before: tuple[str, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The conversation up to and with this utterance; the last reply in it was interrupted."""
        entries: list[Entry] = []
        for at, line in enumerate(self.before):
            cut = at == len(self.before) - 1
            entries.append(AgentSaid(line, interrupted=cut) if at % 2 else UserSaid(line))
        return (*entries, UserSaid(self.said))


@dataclass(frozen=True, slots=True)
class TestedAgent:
    """An agent, what its tools answer, and one of these words must be in a reply that tells the result."""

    name: str
    instructions: str
    tools: tuple[ToolSpec, ...]
    results: dict[str, str]
    facts: dict[str, tuple[str, ...]]
    tuned: tuple[Case, ...]
    held_out: tuple[Case, ...]
    conversations: tuple[Case, ...]


def tool(name: str, description: str, required: tuple[str, ...] = (), **properties: object) -> ToolSpec:
    """A tool as `@tool` would describe it."""
    schema = {"type": "object", "properties": properties, "required": list(required or properties)}
    return ToolSpec(name, description, schema)


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}

SHOP = TestedAgent(
    "bicycle shop",
    "You answer the phone of a bicycle shop. One or two short sentences.",
    (tool("opening_hours", "When the shop is open on a day of the week.", day=TEXT),),
    {"opening_hours": "nine to five"},
    {"opening_hours": ("nine", "9", "five", "5")},
    tuned=(
        Case("tool", "When are you open on Monday?", "opening_hours", {"day": "monday"}),
        Case("tool", "uh what time do you close on Friday", "opening_hours", {"day": "friday"}),
        Case(
            "tool",
            "Sorry, wait. And the opening hours on Sunday?",
            "opening_hours",
            {"day": "sunday"},
            before=("How do I choose a good bike?", "To choose a good bike, think about where you"),
        ),
        Case("tool", "Are you there on Saturday morning, too?", "opening_hours", {"day": "saturday"}),
        Case("field", "Hello, do you repair bicycles?"),
        Case("field", "I need new brakes for my bike."),
        Case("field", "What's the best bike for a long tour?"),
        Case(
            "field",
            "Actually, do you sell helmets?",
            before=("When are you open on Monday?", "The shop is open from"),
        ),
        Case("off topic", "We are sure that one war is enough."),
        Case("off topic", "Can you tell me who wrote Hamlet?"),
        Case("off topic", "My grandmother makes the best apple pie."),
    ),
    held_out=(
        Case("tool", "Can I come by on Wednesday, or are you closed?", "opening_hours", {"day": "wednesday"}),
        Case("tool", "Till when could I pick up my bike on Thursday?", "opening_hours", {"day": "thursday"}),
        Case(
            "tool",
            "No no, I meant Tuesday. When do you open?",
            "opening_hours",
            {"day": "tuesday"},
            before=("When are you open on Monday?", "On Monday we are open from nine"),
        ),
        Case("field", "How much air should I put in my tires?"),
        Case("field", "My chain keeps falling off, what can I do?"),
        Case(
            "field",
            "Okay. And is an electric bike a good idea for me?",
            before=("How do I choose a good bike?", "First, think about how far you want to"),
        ),
        Case("off topic", "He might even have been made amiable himself."),
        Case("off topic", "What is the capital of Portugal?"),
        Case("off topic", "The juice of lemons makes fine punch."),
    ),
    conversations=(
        Case("field", "Hi there. Do you repair flat tires?"),
        Case(
            "tool", "Could you look up your opening hours on Saturday?", "opening_hours", {"day": "saturday"}
        ),
        Case("field", "How do I choose a good bike?"),
        Case("tool", "Sorry, wait. And the opening hours on Sunday?", "opening_hours", {"day": "sunday"}),
    ),
)

RESTAURANT = TestedAgent(
    "restaurant",
    "You are the friendly host of Luigi's, a small Italian restaurant. Keep it short.",
    (
        tool(
            "book_table",
            "Reserve a table.",
            people=WHOLE | {"description": "how many guests"},
            day=TEXT,
            time=TEXT,
        ),
        tool("todays_special", "What the chef recommends today."),
    ),
    {"book_table": "reserved, number 42", "todays_special": "mushroom risotto, 14 euros"},
    {"book_table": ("reserved", "42", "booked", "forty"), "todays_special": ("risotto", "mushroom")},
    tuned=(
        Case(
            "tool",
            "I'd like a table for four on Friday at eight.",
            "book_table",
            {"people": "4", "day": "friday", "time": "eight"},
        ),
        Case("tool", "So what's good today?", "todays_special"),
        Case(
            "tool",
            "Could you book us in tomorrow at half past seven, we're two",
            "book_table",
            {"people": "2", "day": "tomorrow", "time": "half past seven"},
        ),
        Case("field", "Good evening! How are you doing?"),
        Case("field", "Do you have anything for vegetarians?"),
        Case(
            "field",
            "Oh nice. Is your pasta home-made?",
            before=("What is the special today?", "Today the chef recommends the mushroom"),
        ),
        Case("off topic", "How far away is the moon?"),
        Case("off topic", "These days a chicken leg is a rare dish."),
        Case(
            "off topic",
            "Hang on, my dog is barking at the mailman.",
            before=("Do you have pizza?", "Yes, we have many kinds of pizza, and"),
        ),
    ),
    held_out=(
        Case(
            "tool",
            "Hi, we'd be six people, on Sunday, around noon.",
            "book_table",
            {"people": "6", "day": "sunday", "time": "noon"},
        ),
        Case("tool", "What does the chef recommend?", "todays_special"),
        Case("tool", "Is there a special on the menu tonight?", "todays_special"),
        Case(
            "tool",
            "Yes, please reserve one for three at seven on Tuesday.",
            "book_table",
            {"people": "3", "day": "tuesday", "time": "seven"},
            before=("Do you have a garden?", "Yes, we have a lovely garden, would you"),
        ),
        Case("field", "Is it very loud at your place?"),
        Case("field", "My wife is allergic to nuts."),
        Case("field", "We had a lovely evening with you last week, thank you."),
        Case("off topic", "Which team won the world cup in nineteen ninety?"),
        Case("off topic", "I have to paint the fence again this summer."),
        Case("off topic", "Tell me a joke about computers."),
        Case(
            "off topic",
            "The birch canoe slid on the smooth planks.",
            before=("Hello?", "Good evening, this is Luigi's, how may"),
        ),
    ),
    conversations=(
        Case("tool", "Hello, what is the special today?", "todays_special"),
        Case("field", "That sounds lovely, I like mushrooms."),
        Case(
            "tool",
            "Then a table for two on Thursday at seven, please.",
            "book_table",
            {"people": "2", "day": "thursday", "time": "seven"},
        ),
        Case("field", "Thank you, see you on Thursday."),
    ),
)

PARCELS = TestedAgent(
    "parcel service",
    "You are the voice of Swift Parcels, which delivers parcels in Europe. Answer in one sentence.",
    (
        tool("track_parcel", "Where a parcel is now.", number=TEXT | {"description": "parcel number"}),
        tool("find_branch", "The address of the nearest branch in a town.", town=TEXT),
        tool(
            "shipping_price",
            "What it costs to send a parcel.",
            size={"type": "string", "enum": ["small", "medium", "large"]},
        ),
    ),
    {
        "track_parcel": "in the depot in Lyon, arrives tomorrow",
        "find_branch": "12 Station Road",
        "shipping_price": "8 euros",
    },
    {
        "track_parcel": ("lyon", "tomorrow", "depot"),
        "find_branch": ("station road", "12"),
        "shipping_price": ("8", "eight"),
    },
    tuned=(
        Case("tool", "Where is my parcel? The number is 4 7 1 1.", "track_parcel", {"number": "4 7 1 1"}),
        Case("tool", "How much is it to send a large parcel?", "shipping_price", {"size": "large"}),
        Case(
            "tool",
            "Wait, wait. Have you got a branch in Geneva?",
            "find_branch",
            {"town": "geneva"},
            before=("How much does a small parcel cost?", "A small parcel costs"),
        ),
        Case("field", "Thanks, that was really helpful."),
        Case("field", "How should I wrap a vase?"),
        Case("field", "Are you allowed to deliver wine?"),
        Case("field", "Your driver was very kind yesterday."),
        Case("off topic", "It is easy to tell the depth of a well."),
        Case("off topic", "What's the square root of eighty one?"),
        Case("off topic", "I can't sleep when the moon is full."),
    ),
    held_out=(
        Case("tool", "I'm waiting for AB 99 20, is it on its way?", "track_parcel", {"number": "ab 99 20"}),
        Case("tool", "Which is your closest office, I live in Dresden", "find_branch", {"town": "dresden"}),
        Case(
            "tool",
            "Stop. I only want the price for a small one.",
            "shipping_price",
            {"size": "small"},
            before=("What can I send with you?", "You can send almost anything with us, for example"),
        ),
        Case("field", "Do I need a special box for books?"),
        Case("field", "Hello, am I talking to a machine?"),
        Case(
            "field",
            "I see. And what happens if nobody is home?",
            before=("Where is parcel 12 34?", "Your parcel is in the depot and"),
        ),
        Case("field", "I'd like to complain, my box was all wet."),
        Case("off topic", "Do you like the music of Mozart?"),
        Case("off topic", "Rice is often served in round bowls."),
        Case("off topic", "My neighbour is learning to play the drums."),
    ),
    conversations=(
        Case("field", "Good morning, are you a real person?"),
        Case("tool", "Where is my parcel? It's number 8 2 2.", "track_parcel", {"number": "8 2 2"}),
        Case("off topic", "It rained all night where I live."),
        Case("tool", "And what is the price of a medium parcel?", "shipping_price", {"size": "medium"}),
    ),
)

AGENTS = (SHOP, RESTAURANT, PARCELS)
