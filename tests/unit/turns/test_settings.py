"""How long a turn may become."""

import msgspec
import pytest

from antiphon.errors import ConfigurationError
from antiphon.turns.settings import TurnLimit


def test_a_turn_that_never_ends_is_closed() -> None:
    limit = TurnLimit(seconds=60, words=5)
    assert limit.deadline(3.0) == 63.0
    assert limit.reached(3.0, 62.9, "one two three four") is None
    assert limit.reached(3.0, 63.0) == "spoke for 60 s"
    assert limit.reached(3.0, 4.0, "one two three four five") == "said 5 words"
    assert TurnLimit().deadline(3.0) is None
    assert TurnLimit().reached(0.0, 1e9, "word " * 1000) is None


@pytest.mark.parametrize("wrong", [{"seconds": 0.0}, {"words": -3}])
def test_a_limit_is_above_zero(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        msgspec.convert(wrong, TurnLimit)
