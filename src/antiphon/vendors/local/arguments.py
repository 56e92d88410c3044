"""The arguments of a call, as a grammar that allows nothing but what was said.

A model that may write anything fills in what nobody said: a word of an example, a day that seems likely. So a
text argument is a run of the caller's own words, a number one that was spoken, and everything else a value
that the schema names (enum, const, default, true, false). If a required argument was not said, there is no
grammar, and the agent asks for it.

The grammar is in the Lark dialect of llguidance:
https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ...context import ToolSpec

UNITS = re.split(
    r"\s+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBERS = {
    **{word: value for value, word in enumerate(UNITS)},
    **{word: 20 + 10 * at for at, word in enumerate(TENS)},
    "once": 1,
    "twice": 2,
    "couple": 2,
    "dozen": 12,
}
EMPTY_WORDS = frozenset(
    re.findall(
        r"\S+",
        "a about actually also am an and any are around as at be been but by can could did do "
        "does for from get give got had has have he hello help her here hey hi him his how i i'd "
        "i'll i'm i've if in is it it's its just kind know let like look lot make many may me "
        "meant mine more much my need no not of off oh ok okay on one only or our out please put "
        "say see shall she should show so some sorry stop take tell than thank thanks that that's "
        "the their them then there these they thing this those till to too try uh um until up us "
        "wait want was we we'd we'll we're well were what what's when where which who why will "
        "wish with would yeah yes you you're your ",
    )
)
"""Words that are no argument by themselves, and with which none begins or ends."""
DEEPEST = 4  # objects and lists within each other; a schema that is deeper is not called


@dataclass(slots=True)
class _Grammar:
    """The rules so far, and the words that a text may be made of."""

    spans: str
    """The rule for a text; "" if nothing was said that could be one."""
    words: frozenset[str]
    numbers: Sequence[int | float]
    defs: Mapping[str, dict[str, Any]]
    rules: list[str]
    missing: list[str] = field(default_factory=list[str])

    def rule(self, body: str) -> str:
        name = f"r{len(self.rules)}"
        self.rules.append(f"{name}: {body}")
        return name


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the arguments of a call may be; `missing` names those that were not said.

    `begins` is the JSON with which every such call begins, `grammar` what may follow.
    """

    begins: str
    grammar: str
    missing: tuple[str, ...] = ()


def arguments(tool: ToolSpec, said: Sequence[str]) -> Arguments:
    """Return what the arguments of a call may be.

    They are made of what was said in these turns, the newest last.
    """
    known = words(tool.name.replace("_", " ")) + words(tool.description)
    rules: list[str] = []
    starts = [start for turn in said for start in _spans(turn, frozenset(map(stem, known)), rules)]
    spans = ""
    if starts:
        rules.append(f"span: {' | '.join(starts)}")
        spans = "span"
    numbers = tuple(dict.fromkeys(number for turn in reversed(said) for number in spoken_numbers(turn)))
    heard = frozenset(word for turn in said for word in words(turn))
    grammar = _Grammar(spans, heard, numbers, tool.parameters.get("$defs", {}), rules)
    whole = _object(grammar, tool.parameters, DEEPEST)
    if whole is None:
        return Arguments("", "", tuple(grammar.missing))
    # The first key is the same in every call, if it is required: the model reads it, which is quicker.
    first = re.match(r'\("\{" "((?:[^"\\]|\\.)*): " ', whole)
    begins = "{"
    if first:
        begins += json.loads(f'"{first[1]}:"')
        whole = f'(" " {whole[first.end() :]}'
    else:
        whole = "(" + whole.removeprefix('("{"')
    return Arguments(begins, "\n".join(["%llguidance {}", f"start: {whole}", *rules, ""]))


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation around them."""
    return [word for raw in text.split() if (word := _bare(raw).lower())]


def spoken_numbers(text: str) -> list[int | float]:
    """Return the numbers in a text, in digits or in words up to 99.

    Digits that are said one by one are one number.
    """
    found: list[int | float] = []
    digits = ""
    last_ten = 0
    for word in words(text.replace("-", " ")):
        tens, last_ten = last_ten, 0
        if re.fullmatch(r"\d+", word):
            digits += word
            found.append(int(word))
            if len(digits) > len(word):
                found.append(int(digits))
            continue
        digits = ""
        if re.fullmatch(r"\d+[.,:]\d+", word):
            found.append(float(re.sub("[,:]", ".", word)))
        elif (value := NUMBERS.get(word)) is not None:
            if tens and 0 < value < 10:
                found[-1] = tens + value
            else:
                found.append(value)
                last_ten = value if value in range(20, 100, 10) else 0
    return list(dict.fromkeys(found))


def _bare(word: str) -> str:
    return re.sub(r"^\W+|\W+$", "", word)


def stem(word: str) -> str:
    """Return a word without the s of a plural."""
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _spans(turn: str, known: frozenset[str], rules: list[str]) -> list[str]:
    """Add rules for the runs of words in a turn; return those that may begin one.

    A run neither begins nor ends with an empty word or one that the tool's own description uses.
    """
    spoken = [raw for raw in turn.split() if _bare(raw)]
    telling = [(word := _bare(raw).lower()) not in EMPTY_WORDS and stem(word) not in known for raw in spoken]
    base = len(rules)
    starts: list[str] = []
    more = ""  # the rule for what may follow a word in the middle of a run
    for at in reversed(range(len(spoken))):
        bare, raw = _bare(spoken[at]), spoken[at]
        if not telling[at] and not more:
            continue
        ends = [_literal(bare)] if telling[at] else []
        goes_on = [f"{_literal(raw + ' ')} {more}"] if more else []
        name = f"s{base}_{at}"
        rules.append(f"{name}: {' | '.join(ends + goes_on)}")
        more = name
        if telling[at]:
            starts.append(name)
    return starts[::-1]


def _literal(text: str) -> str:
    """A Lark string for this text as it stands inside a JSON string."""
    return json.dumps(json.dumps(text, ensure_ascii=False)[1:-1], ensure_ascii=False)


def _value(grammar: _Grammar, schema: dict[str, Any], depth: int) -> str | None:
    """An expression for what fits a schema and was said; None if nothing does."""
    if "$ref" in schema:
        schema = grammar.defs.get(str(schema["$ref"]).rpartition("/")[2], {})
    if depth < 0:
        return None
    choices: list[str] = []
    if "const" in schema:
        choices = [_json(schema["const"])]
    elif values := schema.get("enum"):
        said = [value for value in values if set(words(str(value))) <= grammar.words]
        choices = [_json(value) for value in said or (values if grammar.spans else ())]
    elif others := schema.get("anyOf") or schema.get("oneOf"):
        choices = [one for other in others if (one := _value(grammar, other, depth)) is not None]
    else:
        kind = schema.get("type", "string")
        for one in cast(list[str], kind) if isinstance(kind, list) else [str(kind)]:
            if (expression := _typed(grammar, one, schema, depth)) is not None:
                choices.append(expression)
    if "default" in schema and (default := _json(schema["default"])) not in choices:
        choices.append(default)
    return grammar.rule(" | ".join(choices)) if choices else None


def _typed(grammar: _Grammar, kind: str, schema: dict[str, Any], depth: int) -> str | None:
    match kind:
        case "null":
            return '"null"'
        case "boolean":
            return '("true" | "false")'
        case "integer":
            whole = [_json(number) for number in grammar.numbers if isinstance(number, int)]
            return f"({' | '.join(whole)})" if whole else None
        case "number":
            return f"({' | '.join(map(_json, grammar.numbers))})" if grammar.numbers else None
        case "array":
            item = _value(grammar, schema.get("items", {}), depth - 1)
            return f'("[" {item} (", " {item})* "]")' if item else None
        case "object":
            return _object(grammar, schema, depth - 1)
        case _:
            return rf'("\"" {grammar.spans} "\"")' if grammar.spans else None


def _json(value: Any) -> str:
    """A Lark string for a value in JSON."""
    return json.dumps(json.dumps(value, ensure_ascii=False), ensure_ascii=False)


def _object(grammar: _Grammar, schema: dict[str, Any], depth: int) -> str | None:
    """An expression for an object: first what is required, then any of the rest."""
    properties: dict[str, dict[str, Any]] = schema.get("properties", {})
    required = [name for name in properties if name in schema.get("required", ())]
    parts: list[str] = []
    for name in required:
        if (value := _value(grammar, properties[name], depth)) is None:
            grammar.missing.append(name)
        else:
            parts.append(f"{_key(name)} {value}")
    if len(parts) < len(required):
        return None
    optional = [
        f"{_key(name)} {value}"
        for name in properties
        if name not in required and (value := _value(grammar, properties[name], depth)) is not None
    ]
    inner = ' ", " '.join(parts)
    if optional:
        first, later = "", ""  # what may still come if nothing stands before it, and if something does
        for part in reversed(optional):
            alone = f"{part} {later}?" if later else part
            first = grammar.rule(f"{alone} | {first}" if first else alone)
            later = grammar.rule(f'", " {alone} | {later}' if later else f'", " {alone}')
        inner = f"{inner} {later}?" if parts else f"{first}?"
    return f'("{{" {inner} "}}")'


def _key(name: str) -> str:
    """A Lark string for the name of a property."""
    return json.dumps(json.dumps(name, ensure_ascii=False) + ": ", ensure_ascii=False)
