"""Several agents on one server, one of them made for each caller: `antiphon serve examples/two_agents.py`."""

from antiphon import Agent
from antiphon.server.port import Opening

shop = Agent("You answer the phone of a bicycle shop. One or two short sentences.")


def concierge(opening: Opening) -> Agent:
    """An agent that knows who comes: what the client sent along, or who calls."""
    guest = (opening.call and opening.call.caller) or "a guest"
    match opening.body:
        case {"name": str(name)}:
            guest = name
        case _:
            pass
    return Agent(f"You are the concierge of a hotel. You speak with {guest}.", greeting="Good evening.")


agents = {"shop": shop, "concierge": concierge}
