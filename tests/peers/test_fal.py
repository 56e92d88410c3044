"""fal's own client."""

from base64 import b64encode
from typing import Any

import fal_client
import fal_client.client
import pytest

from antiphon.services.wav import wav
from antiphon.testing.loopback import KEY, LOUD, WORDS, Fault
from antiphon.testing.loopback.whisper import FalWizper

ASKED: dict[str, Any] = {
    "audio_url": "data:audio/wav;base64," + b64encode(wav(LOUD, 16000)).decode(),
    "task": "transcribe",
}


@pytest.mark.client(FalWizper, "fal-client")
async def test_wizper(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FalWizper() as server:
        monkeypatch.setattr(fal_client.client, "RUN_URL_FORMAT", f"{server.url}/")
        told = await fal_client.AsyncClient(key=KEY).run("fal-ai/wizper", ASKED)
        assert told["text"].strip() == WORDS


@pytest.mark.client(FalWizper, "fal-client")
async def test_a_refused_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FalWizper(Fault.REFUSED) as server:
        monkeypatch.setattr(fal_client.client, "RUN_URL_FORMAT", f"{server.url}/")
        with pytest.raises(Exception, match="401|no, because"):
            await fal_client.AsyncClient(key=KEY).run("fal-ai/wizper", ASKED)
