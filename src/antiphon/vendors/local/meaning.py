"""Sentence embeddings: how near English texts are in meaning.

all-MiniLM-L6-v2 in 8 bits: 384 numbers for a text, and the cosine of two such vectors.
https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .mel import FloatArray
from .resident import Resident, library, onnx_session

NAME = "minilm"
MOST_TOKENS = 128  # of one text; what follows is left out
REMEMBERED = 512  # results kept, each of a text or of a list of words


class SentenceModel(Protocol):
    """A model that turns texts into vectors.

    The nearer two texts are in meaning, the larger is the cosine of their vectors.
    """

    def vector(self, text: str) -> FloatArray:
        """Return a vector of length 1."""
        ...

    def vectors(self, texts: tuple[str, ...]) -> FloatArray:
        """Return a row for each of some short texts, computed together."""
        ...


class MiniLM:
    """The model and its tokenizer; it remembers the newest texts."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer: Any = library("tokenizers").Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MOST_TOKENS)
        self._tokenizer.enable_padding()
        self._model = onnx_session(folder / "model.onnx")
        self.vectors = lru_cache(REMEMBERED)(self._vectors)

    def vector(self, text: str) -> FloatArray:
        """Return a vector of length 1."""
        return self.vectors((text,))[0]

    def _vectors(self, texts: Sequence[str]) -> FloatArray:
        """Return (texts, 384): the mean over the tokens of each, scaled to length 1."""
        encoded = self._tokenizer.encode_batch(list(texts))
        tokens = np.array([one.ids for one in encoded], np.int64)
        mask = np.array([one.attention_mask for one in encoded], np.int64)
        (hidden,) = self._model.run(
            ["last_hidden_state"],
            {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)},
        )
        sums: FloatArray = (hidden * mask[:, :, None]).sum(1)
        return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def _load() -> SentenceModel:
    from ...models import path

    return MiniLM(path(NAME))


MODEL: Resident[SentenceModel] = Resident("meaning", _load)
