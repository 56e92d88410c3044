"""An agent that talks with its client's program: requests, functions there, the user interface."""

from antiphon import Agent, Processor, Scope, on, tool
from antiphon.frames import ClientMessage, ServerMessage
from antiphon.pipeline import Part
from antiphon.rtvi import client_tool, ui_command
from antiphon.transports.port import Transport


class Cart(Processor):
    """Answers client.sendClientRequest("cart", {add: "bell"})."""

    def __init__(self) -> None:
        self.items: list[str] = []

    @on(ClientMessage)
    def message(self, message: ClientMessage):
        match message:
            case ClientMessage("cart", {"add": str(item)}, asked):
                self.items.append(item)
                yield ServerMessage({"items": self.items}, answers=asked)
            case ClientMessage("cart", _, asked):
                yield ServerMessage("cart wants {add: string}", answers=asked, failed=True)
            case _:
                yield message


@tool
async def show(page: str, scope: Scope) -> str:
    """Show the user a page of the shop: bells, brakes or tyres."""
    if scope.client is None:
        return "the user is on the phone and has no screen"
    scope.session.send(ui_command("navigate", {"view": page}))
    return "it is on the screen"


where = client_tool("where", "Where the user is, as latitude and longitude.", timeout=10.0)


class Shop(Agent):
    """An agent with a part of its own behind the transport."""

    def pipeline(self, transport: Transport) -> list[Part]:
        first, *rest = super().pipeline(transport)
        return [first, Cart(), *rest]


agent = Shop("You help in the web shop of a bicycle shop. One or two short sentences.", tools=[show, where])

if __name__ == "__main__":
    agent.run()
