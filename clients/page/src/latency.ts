import type { Turn, TurnParts } from "../../js/src/index.ts";
import { make, ms, the } from "./dom.ts";

const PARTS: [name: keyof TurnParts, label: string, detail: string][] = [
  ["endpointing", "End of turn", "From your last sound until it is certain that you have finished."],
  ["stt", "Recognition", "Until the last of your words are recognised."],
  ["firstToken", "Language model", "Until the model gives the first word of its answer, tools included."],
  ["firstSentence", "First sentence", "Until there are enough words to begin to speak them."],
  ["firstAudio", "Voice", "Until the voice has made its first sound."],
  ["playout", "Playout", "Until that sound leaves the server."],
];
const BEYOND = "What the network, buffers and devices add to the server’s time, both ways.";
const ASK = "Point at a part, or move to it, to read what it is.";
const EMPTY = "After your first turn it stands here: the time from your last sound to the first of the answer, and where it went.";
const LIMITS: [seconds: number, label: string][] = [[0.5, "500 ms"], [1, "1 s"], [4, "4 s"]];
const MOST = 60; // turns that the chart shows

type Of = (turn: Turn) => number | null | undefined;

/** Voice-to-voice at the ear where it was measured, else at the server. */
const whole: Of = (turn) => turn.atEar ?? turn.voiceToVoice;
const beyond: Of = (turn) => (turn.atEar === undefined || turn.voiceToVoice === null ? null : turn.atEar - turn.voiceToVoice);

/** A message has no sound that could have been timed. */
const isTyped = (turn: Turn): boolean => turn.started === turn.ended && turn.atEar === undefined;

/** The latency of every turn, one of them in its parts. `changed` is told which. */
export function latencyPanel(changed: (turn: number | undefined) => void) {
  const turns: Turn[] = [];
  const detail = the("detail");
  let chosen: number | undefined; // undefined follows the latest
  let rest = "";

  const limits = LIMITS.map(([, label]) => make("span", {}, make("b", {}, label)));
  the("limits").append(...limits);

  /** What turns spoken, or typed, took: one says nothing of the other. */
  const all = (of: Of, typed: boolean): number[] => turns.filter((turn) => isTyped(turn) === typed).map(of).filter((value) => value != null);
  const answered = (): Turn[] => turns.filter((turn) => whole(turn) != null);
  const shown = (): Turn | undefined => answered().find((turn) => turn.number === chosen) ?? answered().at(-1);

  function show(): void {
    const turn = shown();
    for (const part of ["waterfall", "detail", "history"]) the(part).hidden = !turn;
    the("which").textContent = turn ? `Turn ${turn.number} of ${turns.length}` : "";
    the("figure").replaceChildren(...(turn ? [ms(whole(turn)!), make("small", {}, " ms")] : []));
    the("beside").textContent = turn ? `from your ${isTyped(turn) ? "message to its first sound" : "last sound to its first"}, at ${turn.atEar === undefined ? "the server" : "your ear"}` : EMPTY;
    if (turn) {
      waterfall(turn);
      history(turn);
    }
    strip();
  }

  function waterfall(turn: Turn): void {
    const total = whole(turn)!;
    let from = 0;
    const rows: HTMLElement[] = [];
    const add = (label: string, words: string, of: Of, kind = ""): void => {
      const seconds = of(turn);
      const bar = make(`b${kind}`, {});
      bar.style.setProperty("--from", `${(from / total) * 100}%`);
      bar.style.setProperty("--share", `${(Math.max(0, seconds ?? 0) / total) * 100}%`);
      from += seconds ?? 0;
      const name = make("button", { type: "button", "aria-describedby": "detail" }, label);
      const row = make("tr", {}, make("th", { scope: "row" }, name), make("td.lane", { "aria-hidden": true }, make("i", {}, ...(seconds == null ? [] : [bar]))), ...numbers(of, turn));
      const tell = (words: string) => () => void (detail.textContent = words);
      row.addEventListener("pointerenter", tell(words));
      row.addEventListener("pointerleave", () => tell(rest)());
      name.addEventListener("focus", tell(words));
      name.addEventListener("blur", () => tell(rest)());
      rows.push(row);
    };
    if (turn.parts) for (const [name, label, words] of PARTS) add(label, words, (turn) => turn.parts?.[name]);
    add("Network, device", BEYOND, beyond, ".beyond");

    const held = [...the("parts").children].findIndex((row) => row.contains(document.activeElement));
    the("parts").replaceChildren(...rows);
    rows[held]?.querySelector("button")?.focus();
    the("total").replaceChildren(
      make("tr", {}, make("th", { scope: "row" }, "At the server"), make("td.lane", { "aria-hidden": true }), ...numbers((turn) => turn.voiceToVoice, turn)),
      make("tr.ear", {}, make("th", { scope: "row" }, "At your ear"), make("td.lane", { "aria-hidden": true }), ...numbers((turn) => turn.atEar, turn)),
    );
    the("caption").textContent = `Turn ${turn.number}, part by part, in milliseconds, beside the median and the 95th percentile of all turns`;
    rest = !turn.parts ? "The server keeps the parts to itself." : turn.saved > 0.0005 ? `The answer was begun ${ms(turn.saved)} ms before the turn was over.` : ASK;
    if (held < 0) detail.textContent = rest;
  }

  /** A duration of this turn, and of all together. */
  function numbers(of: Of, turn: Turn): HTMLElement[] {
    const [here, values] = [of(turn), all(of, isTyped(turn))];
    const cell = (kind: string, seconds: number | null | undefined) => make(`td.number${kind}`, {}, seconds == null ? "–" : ms(seconds));
    return [cell(".ms", here), ...[0.5, 0.95].map((share) => cell("", quantile(values, share)))];
  }

  function history(current: Turn): void {
    const top = Math.max(1.2, ...turns.slice(-MOST).map((turn) => (whole(turn) ?? 0) * 1.06));
    const bars = the("bars");
    const held = bars.contains(document.activeElement);
    bars.replaceChildren(
      ...turns.slice(-MOST).map((turn) => {
        const words = described(turn);
        const input = make<HTMLInputElement>("input", { type: "radio", name: "turn", "aria-label": words });
        input.checked = turn === current;
        input.disabled = whole(turn) == null;
        input.addEventListener("change", () => choose(turn.number));
        const label = make(input.disabled ? "label.unanswered" : "label", { title: words }, input, make("i", {}), make("b", {}));
        label.style.setProperty("--ear", `${((turn.atEar ?? 0) / top) * 100}%`);
        label.style.setProperty("--server", `${((turn.voiceToVoice ?? 0) / top) * 100}%`);
        return label;
      }),
    );
    if (held) bars.querySelector<HTMLInputElement>("input:checked")?.focus();
    if (chosen === undefined) bars.scrollLeft = bars.scrollWidth;
    LIMITS.forEach(([limit], at) => {
      limits[at]!.hidden = limit > top || limit * 8 < top; // there is no room for all of them
      limits[at]!.style.setProperty("--at", `${(limit / top) * 100}%`);
    });
  }

  /** The short form of it all, where there is no room for it. */
  function strip(): void {
    const last = answered().at(-1);
    const strip = the("strip");
    const isOpen = strip.ariaExpanded === "true";
    const spark = make("span.spark", { "aria-hidden": true });
    for (const turn of isOpen ? [] : answered().slice(-12)) {
      const bar = make("i", {});
      bar.style.setProperty("--ear", `${Math.min(100, whole(turn)! / 0.012)}%`);
      spark.append(bar);
    }
    const words = isOpen ? [make("strong", {}, "Back to the conversation")] : last ? [make("strong", {}, `${ms(whole(last)!)} ms`), " to the last answer"] : ["How fast it answers"];
    strip.firstElementChild!.replaceChildren(...words, spark);
  }

  function choose(number: number): void {
    chosen = number === answered().at(-1)?.number ? undefined : number;
    show();
    changed(shown()?.number);
  }

  function add(turn: Turn): void {
    const at = turns.findIndex((known) => known.number === turn.number);
    turns[at < 0 ? turns.length : at] = turn;
    show();
    changed(shown()?.number);
  }

  show();
  return {
    add,
    choose,
    strip,
    current: () => shown()?.number,

    /** An answer of which the server tells nothing. */
    heard(atEar: number): void {
      const none = { voiceToVoice: null, parts: null, saved: 0, reply: null, user: "", said: "", heard: "", tools: [], failures: [] };
      const unknown = { ...none, started: 0, ended: 0, reason: "", interrupted: false, interruptedReason: "" };
      add({ ...unknown, number: turns.length + 1, atEar });
    },

    clear(): void {
      turns.length = 0;
      chosen = undefined;
      show();
    },

    /** "It answered after 430 ms (median of 6 turns)."; empty before the first. */
    summary(): string {
      const spoken = all(whole, false);
      const values = spoken.length ? spoken : all(whole, true);
      const median = quantile(values, 0.5);
      return median === undefined ? "" : `It answered after ${ms(median)}\u00a0ms (${values.length > 1 ? `median of ${values.length} turns` : "one turn"}).`;
    },
  };
}

function described(turn: Turn): string {
  const parts = [[turn.atEar, "ear"], [turn.voiceToVoice, "server"]] as const;
  const known = parts.flatMap(([seconds, where]) => (seconds == null ? [] : `${ms(seconds)} ms at the ${where}`));
  return `Turn ${turn.number}: ${known.join(", ") || "not answered"}`;
}

/** The value that this share of them does not exceed, between neighbours linearly. */
export function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((one, other) => one - other);
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return below === undefined || above === undefined ? undefined : below + (above - below) * (place % 1);
}
