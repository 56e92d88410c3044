"""The class that users import: an agent that can be run as a program.

    from antiphon import Agent

    agent = Agent("You answer the phone of a bicycle shop. One or two short sentences.")
    agent.run()

Without models of your choice it uses local ones: no account, no key, no network.
"""

from .agent import AgentDefinition

__all__ = ["Agent"]


class Agent(AgentDefinition):
    """An `AgentDefinition` that can be run as a program of its own."""

    def run(self) -> None:
        """Run the command line for this agent.

        Without arguments it serves a page at http://localhost:7860.
        """
        from .cli.run import run  # imports typer, which only a program needs

        run(self)
