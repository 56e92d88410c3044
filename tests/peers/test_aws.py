"""AWS' own client, and Pipecat's for Transcribe over a websocket, for which AWS has none."""

import asyncio
import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.aws_polly import AwsPolly
from antiphon.testing.loopback.bedrock import BedrockServer
from antiphon.testing.loopback.http import HttpVendorServer
from parts import TEXT, audio_bytes

TOOLS: Any = {
    "tools": [
        {
            "toolSpec": {
                "name": "hours",
                "description": "Opening hours",
                "inputSchema": {"json": {"type": "object", "properties": {"day": {"type": "string"}}}},
            }
        }
    ]
}


def client(service: str, server: HttpVendorServer) -> Any:
    return boto3.client(
        service,
        region_name="eu-west-1",
        endpoint_url=server.url,
        aws_access_key_id=KEY,
        aws_secret_access_key="a secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.client(BedrockServer, "boto3")
async def test_bedrock() -> None:
    async with BedrockServer() as server:
        model = "us.amazon.nova-lite-v1:0"

        def converse(messages: Any, **more: Any) -> list[Any]:
            bedrock = client("bedrock-runtime", server)
            return [*bedrock.converse_stream(modelId=model, messages=messages, **more)["stream"]]

        messages = [{"role": "user", "content": [{"text": "Hello?"}]}]
        told = await asyncio.to_thread(converse, messages, system=[{"text": "Be brief."}])
        words = [one["contentBlockDelta"]["delta"]["text"] for one in told if "contentBlockDelta" in one]
        assert "".join(words) == TEXT
        assert told[-1]["metadata"]["usage"]["outputTokens"] == 3

        messages = [{"role": "user", "content": [{"text": "When are you open?"}]}]
        told = await asyncio.to_thread(converse, messages, toolConfig=TOOLS)
        [start] = [one["contentBlockStart"]["start"] for one in told if "contentBlockStart" in one]
        assert start["toolUse"]["name"] == "hours"
        parts = [
            one["contentBlockDelta"]["delta"]["toolUse"]["input"]
            for one in told
            if "contentBlockDelta" in one
        ]
        assert json.loads("".join(parts)) == {"day": "Monday"}
        assert {"messageStop": {"stopReason": "tool_use"}} in told


@pytest.mark.client(AwsPolly, "boto3")
async def test_polly() -> None:
    async with AwsPolly() as server:

        def synthesize(**asked: Any) -> bytes:
            asked |= {"Engine": "neural", "VoiceId": "Joanna", "Text": TEXT}
            return client("polly", server).synthesize_speech(**asked)["AudioStream"].read()

        audio = await asyncio.to_thread(synthesize, OutputFormat="pcm", SampleRate="16000")
        assert len(audio) == audio_bytes(TEXT, 16000)
        marks = await asyncio.to_thread(synthesize, OutputFormat="json", SpeechMarkTypes=["word"])
        assert [json.loads(line)["value"] for line in marks.splitlines()] == TEXT.split()


@pytest.mark.client(AwsPolly, "boto3")
async def test_a_refused_key() -> None:
    async with AwsPolly(Fault.REFUSED) as server:
        asked = {
            "VoiceId": "Joanna",
            "Engine": "neural",
            "Text": TEXT,
            "OutputFormat": "pcm",
            "SampleRate": "8000",
        }
        with pytest.raises(ClientError, match="401"):
            await asyncio.to_thread(lambda: client("polly", server).synthesize_speech(**asked))
