import type { Turn } from "../../js/src/index.ts";
import { make, ms, the } from "./dom.ts";
import type { Line } from "./lines.ts";
import { unanswered } from "./unanswered.ts";

/** A conversation as somebody takes it along. */
export interface Saved {
  agent: string;
  begun: Date;
  lines: readonly Line[];
  turns: readonly Turn[];
}

const COLUMNS: [title: string, of: (turn: Turn) => number | null | undefined][] = [
  ["at your ear", (turn) => turn.atEar],
  ["at the server", (turn) => turn.voiceToVoice],
  ["end of turn", (turn) => turn.parts?.endpointing],
  ["recognition", (turn) => turn.parts?.stt],
  ["language model", (turn) => turn.parts?.firstToken],
  ["first sentence", (turn) => turn.parts?.firstSentence],
  ["voice", (turn) => turn.parts?.firstAudio],
  ["playout", (turn) => turn.parts?.playout],
];

/** The transcript, and below it a table of latencies whose columns are parted by tabs. */
export function asText({ agent, begun, lines, turns }: Saved): string {
  const said = lines.map(({ who, text, heard, cut, turn }) => {
    const seconds = turn?.atEar ?? turn?.voiceToVoice;
    if (who === "user") return `You: ${text}`;
    if (who === "aside") return `(“${text}” did not interrupt)`;
    return `${agent}${seconds == null ? "" : ` (after ${ms(seconds)} ms)`}: ${cut ? `${heard} … (interrupted)` : text}`;
  });
  const rows = turns.map((turn, at) => [
    turn.number,
    turn.typed ? "typed" : "spoken",
    ...COLUMNS.map(([, of]) => (of(turn) == null ? "–" : ms(of(turn)!))),
    unanswered(turn, turns[at + 1]),
  ]);
  const head = ["turn", "how", ...COLUMNS.map(([title]) => title), ""];
  return [`Conversation with ${agent}, ${begun.toLocaleString()}`, "", ...said, "", "Latency in milliseconds", ...[head, ...rows].map((row) => row.join("\t").trimEnd()), ""].join("\n");
}

/** The same for programs; durations in seconds. */
export function asJson({ agent, begun, lines, turns }: Saved): string {
  const said = lines.map(({ who, text, heard, cut, turn }) => ({ who, text, ...(who === "agent" && { heard, cut }), turn: turn?.number ?? null }));
  return JSON.stringify({ agent, begun, lines: said, turns }, null, 2);
}

export function download(what: Saved): void {
  const href = URL.createObjectURL(new Blob([asJson(what)], { type: "application/json" }));
  const name = `antiphon ${what.agent} ${what.begun.toISOString().slice(0, 19)}`.toLowerCase().replace(/\W+/g, "-");
  make<HTMLAnchorElement>("a", { href, download: `${name}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

/** Into the clipboard; its button says for a moment what has come of it. */
export async function copy(what: Saved, say: (words: string) => void): Promise<void> {
  const button = the("copy");
  const label = button.querySelector("span")!;
  const done = await navigator.clipboard.writeText(asText(what)).then(() => "Copied", () => "The browser does not allow it");
  label.textContent = done;
  button.dataset.done = "";
  say(done);
  setTimeout(() => {
    label.textContent = "Copy";
    delete button.dataset.done;
  }, 2000);
}
