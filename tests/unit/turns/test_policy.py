"""Policy files: what they change, what they refuse, and that their reference is complete."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from antiphon.errors import ConfigurationError
from antiphon.turns import backchannels, endpointing, idle, interruption, settings
from antiphon.turns.policy import load_policy, parse_policy
from antiphon.turns.settings import TurnSettings

ROOT = Path(__file__).parents[3]


def test_an_empty_policy_is_the_default() -> None:
    assert parse_policy("") == TurnSettings()


def test_what_a_file_leaves_out_is_as_by_default() -> None:
    policy = parse_policy('keys_within = 3\n[limit]\nwords = 50\n[interruption]\nlanguages = ["en"]')
    assert (policy.keys_within, policy.last_key) == (3.0, "#")
    assert (policy.limit.words, policy.limit.seconds) == (50, TurnSettings().limit.seconds)
    assert policy.interruption.languages == ("en",)
    assert policy.endpointing == TurnSettings().endpointing


def test_false_is_none_where_there_may_be_none() -> None:
    policy = parse_policy("wake_phrase = false\n[limit]\nseconds = false\n[endpointing]\nlearn = false")
    assert (policy.wake_phrase, policy.limit.seconds, policy.endpointing.learn) == (None, None, False)


def test_points_and_rules_are_read() -> None:
    policy = parse_policy("""
        [endpointing]
        curve = [[0.2, 2], [0.8, 0.5]]
        [[endpointing.more_rules]]
        pattern = "over$"
        side = "user"
        effect = 3
        reason = "says over"
    """)
    assert policy.endpointing.curve == ((0.2, 2.0), (0.8, 0.5))
    assert [rule.reason for rule in policy.endpointing.more_rules] == ["says over"]
    assert [hint.effect for hint in policy.endpointing.table.told("roger, over", "")] == [3.0]


RULE = '[[endpointing.more_rules]]\nside = "user"\neffect = 1\nreason = "x"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[endpointing]\nflor = 1", "there is no key endpointing.flor; did you mean floor? (known: curve, "),
        ("[pauses]\nx = 1", "there is no key pauses"),
        ("[endpointing]\ntable = 1", "there is no key endpointing.table"),
        ('[endpointing]\nfloor = "x"', "endpointing.floor: expected `float`, got `str`"),
        ("[endpointing]\nfloor = nan", "endpointing.floor: nan is not a number"),
        ("[endpointing]\nfloor = false", "endpointing.floor: expected `float`, got `bool`"),
        ("[endpointing]\ncurve = [[0.1, 'x']]", "endpointing.curve: expected `float`"),
        ("[endpointing]\nfloor = 9", "floor <= ceiling"),
        ("endpointing = 1", "endpointing is a table: write [endpointing]"),
        (
            "[interruption]\nfirst = 'halt'",
            "interruption.first must be 'pause' or 'duck' or 'play on', not 'halt'",
        ),
        ("[interruption]\nlanguages = ['xx']", "no phrases for xx; known: en, de"),
        ("wake_phrase = '('", "wake_phrase is not a valid regular expression"),
        (f"{RULE}patern = 'x'", "there is no key endpointing.more_rules[1].patern; did you mean pattern?"),
        (RULE, "endpointing.more_rules: object missing required field `pattern`"),
        (f"{RULE}pattern = '('", "the rule 'x' has no valid regular expression"),
        ("floor = ", "not TOML"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_policy(file)
    assert str(caught.value).startswith(f"the policy {file}: ")
    assert says in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no\.toml cannot be read: No such file"):
        load_policy(tmp_path / "no.toml")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not text in UTF-8"):
        load_policy(tmp_path / "bytes")


def test_the_example_is_a_policy() -> None:
    policy = load_policy(ROOT / "examples" / "policy.toml")
    assert policy != TurnSettings()
    assert policy.interruption.commands == ("operator",)
    assert (
        policy.endpointing.table.told("my order number 12", "")[0].reason
        == "in the middle of an order number"
    )


# The reference ---------------------------------------------------------------------------------------

DOCS = {
    (node.name, part.target.id): " ".join(str(text.value.value).split())
    for module in (settings, endpointing, interruption, backchannels, idle)
    for node in ast.parse(Path(str(module.__file__)).read_text()).body
    if isinstance(node, ast.ClassDef)
    for part, text in zip(node.body, node.body[1:], strict=False)
    if isinstance(part, ast.AnnAssign)
    and isinstance(part.target, ast.Name)
    and isinstance(text, ast.Expr)
    and isinstance(text.value, ast.Constant)
}
"""What stands below each setting."""


def reference(policy: Any, place: str = "") -> Iterator[str]:
    """A table for the settings of each kind, those of the policy itself first."""
    kind = cast(Any, type(policy))
    rows = [field for field in fields(kind) if not is_dataclass(getattr(policy, field.name))]
    about = (kind.__doc__ or "").split("\n\n")[0]
    yield f"### {f'`[{place}]`' if place else 'The policy itself'}\n\n{' '.join(about.split())}\n"
    yield "| key | default | |\n| --- | --- | --- |"
    for field in rows:
        default = getattr(policy, field.name)
        shown = "the built-in table" if field.name == "rules" else f"`{_toml(default)}`"
        yield f"| `{field.name}` | {shown} | {DOCS.get((kind.__name__, field.name), '')} |"
    yield ""
    for field in fields(kind):
        if is_dataclass(value := getattr(policy, field.name)):
            yield from reference(value, field.name)


def _toml(value: object) -> str:
    if value is None or value is False:
        return "false"
    if value is True:
        return "true"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return f'"{value}"' if isinstance(value, str) else str(value)


def test_the_reference_has_every_key_with_its_default() -> None:
    page = (ROOT / "docs" / "reference" / "turns.md").read_text()
    found = re.search(r"<!-- settings -->\n\n(.*?)\n<!-- end -->", page, re.DOTALL)
    assert found is not None
    wanted = "\n".join(reference(TurnSettings()))
    assert found[1] == wanted, f"docs/reference/turns.md must read:\n{wanted}"
