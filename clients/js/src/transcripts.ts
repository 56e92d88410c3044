import type { Emit } from "./events.ts";
import type { Transcript } from "./types.ts";

type Data = Record<string, any>;

/** Makes one stream of transcripts out of what the protocol says of both sides. */
export function transcripts(emit: Emit) {
  const tell = (transcript: Transcript) => emit("transcript", transcript);
  let spoken = 0; // utterances of the user so far
  const open = new Map<string, Transcript>(); // segments of the agent that may still change

  return {
    /** `user-transcription`: an interim one stays the same segment until the final one. */
    user({ text, final }: Data): void {
      tell({ who: "user", segment: `user-${spoken}`, text: String(text), final: !!final, status: final ? "final" : "interim" });
      if (final) spoken++;
    },

    /** `bot-output`: a segment when it is made, while it is spoken, and when it has been. */
    agent(data: Data): void {
      const segment = `agent-${data.segment_id ?? data.text}`;
      const text = open.get(segment)?.text ?? String(data.text);
      const silent = data.will_be_spoken === false;
      const final = silent || data.spoken_status === "completed";
      const status = final ? "spoken" : data.spoken_status === "in-progress" ? "speaking" : "new";
      const heard = final ? text : String(data.spoken_progress?.accumulated_text ?? "");
      const transcript: Transcript = { who: "agent", segment, text, final, status };
      if (!silent) transcript.heard = heard;
      if (final) open.delete(segment);
      else open.set(segment, transcript);
      tell(transcript);
    },

    /** The agent was cut off: what is open was heard so far and no further. */
    cut(): void {
      for (const transcript of open.values()) tell({ ...transcript, final: true, status: "cut" });
      open.clear();
    },
  };
}
