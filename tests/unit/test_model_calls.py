"""Tool calls of realtime models: their ids in a session."""

import re

from antiphon.frames import ToolCall
from antiphon.services.realtime_response import ModelCalls

CALL = ToolCall("call_1", "weather", "{}")


def test_two_models_do_not_take_results_of_each_other() -> None:
    playing, judging = ModelCalls(), ModelCalls()
    call, other = playing.own(CALL, 1, "Realtime"), judging.own(CALL, 1, "the judge/2")
    assert judging.ended(call) is None
    assert playing.ended(other) is None
    assert playing.ended(call) == judging.ended(other) == "call_1", "the model's own id"
    assert playing.ended(call) is None, "it has a result already"


def test_ids_have_characters_that_all_vendors_take() -> None:
    call = ModelCalls().own(ToolCall("?" * 1000, "weather", "{}"), 1, "the judge/2")
    assert re.fullmatch("[A-Za-z0-9_-]{1,40}", call.id)
