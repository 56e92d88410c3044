"""A graph of LangGraph that answers the phone: `pip install langgraph`, then run this file.

It needs no key, as its one node is a rule. In a graph of yours, nodes ask models, whose words are spoken as
they come.
"""

import re

from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]

from antiphon import Agent
from antiphon.frameworks import langgraph

REPAIRS = {"7": "ready to be collected", "8": "waiting for a new chain"}


def answer(state: MessagesState) -> dict[str, list[AIMessage]]:
    """Say how far a repair is, by the number that the caller has just said."""
    number = re.search(r"\d+", state["messages"][-1].text)
    if number is None:
        return {"messages": [AIMessage("Please tell me the number of your repair.")]}
    known = REPAIRS.get(number[0])
    return {"messages": [AIMessage(f"Your bicycle is {known}." if known else "I cannot find that number.")]}


graph = StateGraph(MessagesState)
graph.add_node(answer)  # pyright: ignore[reportUnknownMemberType]
graph.add_edge(START, "answer")
repairs = graph.compile()  # pyright: ignore[reportUnknownMemberType]

agent = Agent(
    "You answer the phone of a bicycle shop.",
    llm=langgraph.LangGraphModel(repairs),
    greeting="Bicycle repairs.",
)

if __name__ == "__main__":
    agent.run()
