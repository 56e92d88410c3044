"""AWS Polly.

https://docs.aws.amazon.com/polly/latest/dg/API_SynthesizeSpeech.html
"""

import json
import re

from .http import HttpAnswer, HttpVendorServer, VendorRequest
from .server import KEY, Fault, spoken, word_times

__all__ = ["AwsPolly"]

SIGNED = re.compile(
    rf"AWS4-HMAC-SHA256 Credential={KEY}/\d{{8}}/[\w-]+/polly/aws4_request, "
    r"SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}"
)


class AwsPolly(HttpVendorServer):
    """Polly's voices, and their marks."""

    def check(self, request: VendorRequest) -> None:
        """Check signature and fields."""
        assert (request.method, request.path) == ("POST", "/v1/speech"), request
        assert SIGNED.fullmatch(request.headers["authorization"]), request.headers
        asked = request.json
        assert asked["Engine"] in ("standard", "neural", "long-form", "generative"), asked
        assert asked["VoiceId"], asked
        assert 0 < len(asked["Text"]) <= 3000, asked
        if asked["OutputFormat"] == "pcm":
            assert asked["SampleRate"] in ("8000", "16000"), asked
        else:
            assert asked["OutputFormat"] == "json", asked
            assert asked["SpeechMarkTypes"] == ["word"], asked

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Send samples, or lines of JSON with marks."""
        asked, text = request.json, request.json["Text"]
        if self.fault is Fault.MALFORMED:
            await answer.begin("application/json")
            await answer.send(b'{"message": "no audio today"}')
            return
        if asked["OutputFormat"] == "pcm":
            await answer.begin("audio/pcm")
            for pcm in spoken(text, int(asked["SampleRate"])):
                await answer.send(pcm)
            return
        await answer.begin("application/x-json-stream")
        at = 0
        for word, start, _ in zip(*word_times(text), strict=True):
            at = text.index(word, at)
            place = {"start": len(text[:at].encode()), "end": len(text[: at + len(word)].encode())}
            mark = {"time": int(start * 1000), "type": "word", "value": word, **place}
            await answer.send(json.dumps(mark).encode() + b"\n")
            at += len(word)
