"""The endpoints that list vendors' voices, a row each; and lists only printed.

A vendor that signs its requests, or whose voices are here, has a function instead (`Vendor.voices`).
"""

from ..services.voice_list import VoiceListing

__all__ = ["PRINTED_VOICES", "VOICE_LISTINGS"]

_ROWS = (
    VoiceListing(
        "azure", "https://{AZURE_SPEECH_REGION}.tts.speech.microsoft.com/cognitiveservices/voices/list",
        "https://learn.microsoft.com/azure/ai-services/speech-service/rest-text-to-speech#get-a-list-of-voices",
        voices="", id="ShortName", name="DisplayName", language="Locale", about=("Gender", "Status"),
        key_header="Ocp-Apim-Subscription-Key", key_prefix="",
    ),
    VoiceListing(
        "cartesia", "https://api.cartesia.ai/voices", "https://docs.cartesia.ai/api-reference/voices/list",
        voices="data", query={"limit": 100}, page="starting_after", cursor="next_page",
        key_header="X-API-Key", key_prefix="", headers={"Cartesia-Version": "2026-03-01"},
    ),
    VoiceListing(
        "deepgram", "https://api.deepgram.com/v1/models",
        "https://developers.deepgram.com/reference/manage/models/list", voices="tts", id="canonical_name",
        language="languages", about=("metadata.accent", "metadata.tags"), key_prefix="Token ",
    ),
    VoiceListing(
        "elevenlabs", "https://api.elevenlabs.io/v2/voices", "https://elevenlabs.io/docs/api-reference/voices/search",
        id="voice_id", language="labels.language", about=("labels.gender", "labels.accent", "description"),
        query={"page_size": 100}, page="next_page_token", cursor="next_page_token",
        key_header="xi-api-key", key_prefix="",
    ),
    VoiceListing(
        "fish", "https://api.fish.audio/model", "https://docs.fish.audio/api-reference/endpoint/model/list-models",
        voices="items", id="_id", name="title", language="languages", about=("description", "tags"),
        query={"page_size": 100, "sort_by": "task_count"},
    ),
    VoiceListing(
        "google", "https://texttospeech.googleapis.com/v1/voices",
        "https://cloud.google.com/text-to-speech/docs/reference/rest/v1/voices/list", id="name", name="",
        language="languageCodes", about=("ssmlGender",), are_models=True,
        key_header="x-goog-api-key", key_prefix="",
    ),
    VoiceListing(
        "gradium", "https://api.gradium.ai/api/voices/", "https://docs.gradium.ai/api-reference",
        voices="", id="uid", query={"include_catalog": True, "limit": 1000},
        key_header="x-api-key", key_prefix="",
    ),
    VoiceListing(
        "hume", "https://api.hume.ai/v0/tts/voices", "https://dev.hume.ai/voice/reference/voices/list",
        voices="voices_page", id="name", name="", page="page_number",
        query={"provider": "HUME_AI", "page_size": 100, "page_number": 0},
        key_header="X-Hume-Api-Key", key_prefix="",
    ),
    VoiceListing(
        "inworld", "https://api.inworld.ai/voices/v1/voices",
        "https://docs.inworld.ai/api-reference/voiceAPI/voiceservice/list-voices", id="voiceId",
        name="displayName", language="langCode", page="pageToken", cursor="nextPageToken",
        key_prefix="Basic ",
    ),
    VoiceListing(
        "kokoro", "http://localhost:8880/v1/audio/voices", "https://github.com/remsky/Kokoro-FastAPI",
    ),
    VoiceListing(
        "lmnt", "https://api.lmnt.com/v1/ai/voice/list", "https://docs.lmnt.com/api/voices/list",
        voices="", key_header="X-API-Key", key_prefix="", headers={"lmnt-version": "1.1"},
    ),
    VoiceListing(
        "minimax", "https://api.minimax.io/v1/get_voice",
        "https://platform.minimax.io/docs/api-reference/voice-management-get", voices="system_voice",
        id="voice_id", name="voice_name", language="", about=("description",), body={"voice_type": "system"},
    ),
    VoiceListing(
        "mistral", "https://api.mistral.ai/v1/audio/voices",
        "https://docs.mistral.ai/studio/audio/text-to-speech/voices", voices="items", language="languages",
        about=("gender", "tags"), query={"limit": 1000, "offset": 0},
    ),
    VoiceListing(
        "murf", "https://api.murf.ai/v1/speech/voices",
        "https://murf.ai/api/docs/api-reference/text-to-speech/get-voices", voices="", id="voiceId",
        name="displayName", language="locale", about=("gender", "accent", "description"),
        key_header="api-key", key_prefix="",
    ),
    VoiceListing(
        "neuphonic", "https://api.neuphonic.com/voices", "https://docs.neuphonic.com/api-reference/voices",
        voices="data.voices", language="lang_code", about=("tags",), key_header="x-api-key", key_prefix="",
    ),
    VoiceListing(
        "orpheus", "http://localhost:5005/v1/audio/voices", "https://github.com/Lex-au/Orpheus-FastAPI",
    ),
    VoiceListing(
        "piper", "http://localhost:5000/voices",
        "https://github.com/OHF-Voice/piper1-gpl/blob/main/docs/API_HTTP.md", voices="", name="dataset",
        language="language.code", about=("audio.quality",),
    ),
    VoiceListing(
        "resemble", "https://app.resemble.ai/api/v2/voices", "https://docs.resemble.ai/api-reference/voices/list",
        voices="items", id="uuid", language="default_language", about=("voice_type",),
        query={"page": 1, "page_size": 1000}, page="page",
    ),
    VoiceListing(
        "rime", "https://users.rime.ai/data/voices/voice_details.json",
        "https://docs.rime.ai/api-reference/data/voice-details", voices="", id="speaker", name="",
        language="lang", about=("modelId", "gender", "age", "dialect"),
    ),
    VoiceListing(
        "smallest", "https://api.smallest.ai/waves/v1/lightning-v3.1/get_voices",
        "https://docs.smallest.ai/waves/api-reference", id="voiceId", name="displayName",
        language="tags.language", about=("tags.gender", "tags.accent"),
    ),
    VoiceListing(
        "soniox", "https://api.soniox.com/v1/tts-models", "https://soniox.com/docs/tts/concepts/voices",
        voices="models.voices", name="", language="",
    ),
    VoiceListing(
        "speaches", "http://localhost:8000/v1/audio/voices", "https://speaches.ai/usage/text-to-speech",
    ),
    VoiceListing(
        "speechify", "https://api.speechify.ai/v1/voices", "https://docs.speechify.ai/api-reference/tts/voices/list",
        voices="", name="display_name", language="locale", about=("gender", "type"),
    ),
    VoiceListing(
        "vllm", "http://localhost:8091/v1/audio/voices", "https://docs.vllm.ai/projects/vllm-omni",
    ),
    VoiceListing(
        "xai", "https://api.x.ai/v1/tts/voices", "https://docs.x.ai/developers/model-capabilities/audio/text-to-speech",
        id="voice_id",
    ),
)  # fmt: skip

VOICE_LISTINGS = {row.vendor: row for row in _ROWS}
"""The endpoints by the name of their vendor."""

PRINTED_VOICES = {
    # https://console.groq.com/docs/text-to-speech/orpheus (English)
    "groq": "autumn diana hannah austin daniel troy",
    # https://platform.openai.com/docs/guides/text-to-speech#voice-options
    "openai": "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse",
    # https://github.com/kyutai-labs/pocket-tts
    "pocket_tts": "alba marius javert jean fantine cosette eponine azelma",
    # https://docs.sarvam.ai/api-reference-docs/text-to-speech (bulbul:v3)
    "sarvam": "shubh aditya ritu priya neha rahul pooja rohan simran kavya amit dev ishita shreya ratan "
    "varun manan sumit roopa kabir aayan ashutosh advait anand tanya tarun sunny mani gokul vijay shruti "
    "suhani mohit kavitha rehan soham rupali",
    # https://docs.speechmatics.com/text-to-speech/quickstart
    "speechmatics": "sarah theo megan jack",
    # https://docs.together.ai/docs/text-to-speech (Orpheus; the endpoint mixes the voices of all models)
    "together": "tara leah jess leo dan mia zac zoe",
}
"""The voices that a vendor's documentation lists, and no endpoint does."""
