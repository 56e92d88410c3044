"""What does importing Pipecat cost: its pipeline alone, and the smallest bot behind a websocket?"""

from benchmarks import Values
from benchmarks.imports import cost_of

CORE = (
    "pipecat.frames.frames",
    "pipecat.pipeline.pipeline",
    "pipecat.pipeline.worker",
    "pipecat.workers.runner",
    "pipecat.processors.frame_processor",
)
BOT = (
    "pipecat.audio.vad.silero",
    "pipecat.pipeline.pipeline",
    "pipecat.pipeline.worker",
    "pipecat.workers.runner",
    "pipecat.processors.aggregators.llm_response_universal",
    "pipecat.services.openai.llm",
    "pipecat.services.deepgram.stt",
    "pipecat.services.deepgram.tts",
    "pipecat.transports.websocket.fastapi",
)


def measure(quick: bool) -> Values:
    """`core_ms`, `core_mib`, `bot_ms`, `bot_mib`."""
    return cost_of({"core": CORE, "bot": BOT}, quick)
