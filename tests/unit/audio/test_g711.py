import hashlib
import importlib
import warnings

import numpy as np
import pytest

from antiphon.audio import g711
from antiphon.errors import UsageError

ALL_SAMPLES = np.arange(65_536, dtype=np.uint16).tobytes()
ALL_CODES = bytes(range(256))


def test_the_tables_are_those_of_audioop() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is gone from Python 3.13 on
        try:
            audioop = importlib.import_module("audioop")
        except ImportError:
            pytest.skip("this Python has no audioop; the digests below stand for it")
    assert g711.encode_mulaw(ALL_SAMPLES) == audioop.lin2ulaw(ALL_SAMPLES, 2)
    assert g711.decode_mulaw(ALL_CODES) == audioop.ulaw2lin(ALL_CODES, 2)
    assert g711.encode_alaw(ALL_SAMPLES) == audioop.lin2alaw(ALL_SAMPLES, 2)
    assert g711.decode_alaw(ALL_CODES) == audioop.alaw2lin(ALL_CODES, 2)


@pytest.mark.parametrize(
    ("coded", "digest"),
    [
        (g711.encode_mulaw(ALL_SAMPLES), "617fa4850d68d3906597e949f7625fb2fc46db479e29707f33159b3d131721cb"),
        (g711.decode_mulaw(ALL_CODES), "3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827"),
        (g711.encode_alaw(ALL_SAMPLES), "f77c76aa923ee25617453f87514828a12896227f82ff383bf3bb53d6ac7c2a0f"),
        (g711.decode_alaw(ALL_CODES), "e04788d110e58ff8c70c93b8480190d973e3b67876b6119abbaec766cc75c174"),
    ],
    ids=["encode_mulaw", "decode_mulaw", "encode_alaw", "decode_alaw"],
)
def test_the_tables_never_change(coded: bytes, digest: str) -> None:
    assert hashlib.sha256(coded).hexdigest() == digest


def test_a_code_survives_the_way_there_and_back() -> None:
    assert g711.encode_alaw(g711.decode_alaw(ALL_CODES)) == ALL_CODES
    # Mu-law has two zeros.
    assert g711.encode_mulaw(g711.decode_mulaw(ALL_CODES)) == ALL_CODES.replace(b"\x7f", b"\xff")


def test_silence() -> None:
    assert g711.encode_mulaw(bytes(4)) == b"\xff\xff"
    assert g711.encode_alaw(bytes(4)) == b"\xd5\xd5"
    assert g711.encode_alaw(b"") == g711.decode_mulaw(b"") == b""


def test_half_a_sample_is_refused() -> None:
    for encode in (g711.encode_alaw, g711.encode_mulaw):
        with pytest.raises(UsageError, match="half a sample"):
            encode(b"abc")
