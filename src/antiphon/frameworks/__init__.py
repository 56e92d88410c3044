"""Agents of other frameworks as language models.

    from antiphon.frameworks import langgraph
    Agent("You answer the phone.", llm=langgraph.LangGraphModel(graph))

What Antiphon passes to them is the conversation as it was heard. They have tools and models of their own; an
object is needed, so no name makes one, as with vendors.
"""
