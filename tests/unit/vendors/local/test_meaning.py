"""The sentence model, with its network and its tokenizer replaced."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from antiphon.vendors.local import meaning
from antiphon.vendors.local.meaning import MiniLM


class Letters:
    """Tokens are letters, padded to the longest text."""

    def __init__(self) -> None:
        self.encoded: list[list[str]] = []

    def from_file(self, path: str) -> "Letters":
        assert path.endswith("tokenizer.json")
        return self

    def enable_truncation(self, most: int) -> None:
        assert most == meaning.MOST_TOKENS

    def enable_padding(self) -> None: ...

    def encode_batch(self, texts: list[str]) -> list[SimpleNamespace]:
        self.encoded.append(texts)
        longest = max(map(len, texts))
        return [
            SimpleNamespace(
                ids=[ord(letter) for letter in text.ljust(longest, "\0")],
                attention_mask=[1] * len(text) + [0] * (longest - len(text)),
            )
            for text in texts
        ]


class OneHot:
    """Each token is a vector of its own; padding is a large one, which must not count."""

    def run(self, names: list[str], inputs: dict[str, Any]) -> list[Any]:
        assert names == ["last_hidden_state"]
        hidden = np.eye(128, dtype=np.float32)[inputs["input_ids"]]
        hidden[:, :, 0] *= 1000
        return [hidden]


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> Letters:
    fake = Letters()
    monkeypatch.setattr(meaning, "library", lambda name: SimpleNamespace(Tokenizer=fake))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(meaning, "onnx_session", lambda path: OneHot())  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    return fake


def test_a_vector_is_the_mean_of_the_tokens_without_the_padding(letters: Letters, tmp_path: Path) -> None:
    model = MiniLM(tmp_path)
    long, short = model.vectors(("abcd", "a"))
    assert np.linalg.norm(long) == pytest.approx(1)
    assert float(long @ short) == pytest.approx(0.5)
    assert float(short @ model.vector("a")) == pytest.approx(1)


def test_what_was_computed_is_remembered(letters: Letters, tmp_path: Path) -> None:
    model = MiniLM(tmp_path)
    for _ in range(3):
        model.vector("ab")
        model.vectors(("a", "b"))
    assert letters.encoded == [["ab"], ["a", "b"]]
