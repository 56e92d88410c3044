"""The front door: an agent as a program.

    from antiphon import Agent

    agent = Agent("You answer the phone of a bicycle shop. One or two short sentences.")
    agent.run()

Leave the models out and local ones are used: no account, no key, no network.
"""

from .agent import AgentDefinition

__all__ = ["Agent"]


class Agent(AgentDefinition):
    """An agent that can be run as a program of its own; everything else of it is an `AgentDefinition`."""

    def run(self) -> None:
        """Run the command line for this agent; without arguments it serves a page at http://localhost:7860."""
        from .cli.run import run  # typer and all that comes with it, only in a program

        run(self)
