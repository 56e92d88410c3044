"""Tokens are good once, and not for long."""

from antiphon.server.tokens import Tokens


def test_once() -> None:
    tokens: Tokens[str] = Tokens(60)
    token = tokens.mint("a session")
    assert len(token) >= 32
    assert tokens.redeem(token) == "a session"
    assert tokens.redeem(token) is None
    assert tokens.redeem("guessed") is None


def test_not_for_long() -> None:
    now = 0.0
    tokens: Tokens[str] = Tokens(60, lambda: now)
    first, second, long = tokens.mint("a"), tokens.mint("b"), tokens.mint("c", 120)
    now = 59.9
    assert tokens.redeem(first) == "a"
    now = 60
    assert tokens.redeem(second) is None
    assert tokens.redeem(long) == "c"


def test_one_that_let_nobody_in_is_good_again() -> None:
    tokens: Tokens[str] = Tokens(60)
    token = tokens.mint("a")
    tokens.keep(token, tokens.redeem(token) or "")
    assert tokens.redeem(token) == "a"


def test_their_number_is_bounded() -> None:
    now = 0.0
    tokens: Tokens[int] = Tokens(60, lambda: now, most=100)
    kept = [tokens.mint(number) for number in range(1000)]
    assert len(tokens) == 100
    assert (tokens.redeem(kept[0]), tokens.redeem(kept[-1])) == (None, 999)
    now = 61
    tokens.mint(0)
    assert len(tokens) == 1  # those that had run out are gone
