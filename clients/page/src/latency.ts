import type { Turn, TurnParts } from "../../js/src/index.ts";
import { make, ms, the } from "./dom.ts";
import { unanswered } from "./unanswered.ts";

const PARTS: [name: keyof TurnParts, label: string, detail: string][] = [
  ["endpointing", "End of turn", "From your last sound until it is certain that you have finished."],
  ["stt", "Recognition", "Until the last of your words are recognised."],
  ["firstToken", "Language model", "Until the model gives the first word of its answer, tools included."],
  ["firstSentence", "First sentence", "Until there are enough words to begin to speak them."],
  ["firstAudio", "Voice", "Until the voice has made its first sound."],
  ["playout", "Playout", "Until that sound leaves the server."],
];
const BEYOND = "What the network, buffers and devices add to the server’s time, both ways.";
const APART = "Not measured in this turn: your browser and the server do not mean the same last sound of yours.";
const ASK = "Point at a part, or move to it, to read what it is.";
const EMPTY = "After your first turn it stands here: the time from your last sound to the first of the answer, and where it went.";
const LIMITS: [seconds: number, label: string][] = [[0.5, "500 ms"], [1, "1 s"], [4, "4 s"]];
const MOST = 60; // turns that the chart shows

type Of = (turn: Turn) => number | null | undefined;

/** Voice-to-voice at the ear where it was measured, else at the server. */
const whole: Of = (turn) => turn.atEar ?? turn.voiceToVoice;
const beyond: Of = (turn) => (turn.atEar === undefined || turn.voiceToVoice === null ? null : turn.atEar - turn.voiceToVoice);

/** The latency of every turn, one of them in its parts. `changed` is told which. */
export function latencyPanel(changed: (turn: number | undefined) => void) {
  const turns: Turn[] = [];
  const detail = the("detail");
  let chosen: number | undefined; // undefined follows the latest
  let rest = "";

  const limits = LIMITS.map(([, label]) => make("span", {}, make("b", {}, label)));
  the("limits").append(...limits);

  /** What turns spoken, or typed, took: one says nothing of the other. */
  const all = (of: Of, typed: boolean): number[] => turns.filter((turn) => turn.typed === typed).map(of).filter((value) => value != null);
  const answered = (): Turn[] => turns.filter((turn) => whole(turn) != null);
  const shown = (): Turn | undefined => turns.find((turn) => turn.number === chosen) ?? answered().at(-1);
  const whyNot = (turn: Turn): string => unanswered(turn, turns[turns.indexOf(turn) + 1]);

  function show(): void {
    const turn = shown();
    const seconds = turn && whole(turn);
    for (const part of ["waterfall", "detail", "history"]) the(part).hidden = !turn;
    the("which").textContent = turn ? `Turn ${turn.number} of ${turns.length}${turn.typed ? ", typed" : ""}` : "";
    the("figure").replaceChildren(...(seconds != null ? [ms(seconds), make("small", {}, " ms")] : turn ? ["–"] : []));
    the("beside").textContent =
      seconds != null ? `from ${turn!.typed ? "sending your message to the first sound of the answer" : "your last sound to the first of the answer"}, at ${turn!.atEar === undefined ? "the server" : "your ear"}`
      : turn ? `No answer. ${sentence(whyNot(turn) || "none yet")}` : EMPTY;
    if (turn) {
      waterfall(turn);
      history(turn);
    }
    strip();
  }

  function waterfall(turn: Turn): void {
    const total = whole(turn) || 1;
    let from = 0;
    const rows: HTMLElement[] = [];
    const add = (label: string, words: string, of: Of, kind = ""): void => {
      const seconds = of(turn);
      const bar = make(`b${kind}`, {});
      bar.style.setProperty("--from", `${(from / total) * 100}%`);
      bar.style.setProperty("--share", `${(Math.max(0, seconds ?? 0) / total) * 100}%`);
      from += seconds ?? 0;
      const name = make("button", { type: "button", "aria-describedby": "detail" }, label);
      const row = make("tr", {}, make("th", { scope: "row" }, name), make("td.lane", { "aria-hidden": true }, make("i", {}, ...(seconds ? [bar] : []))), ...numbers(of, turn));
      const tell = (words: string) => () => void (detail.textContent = words);
      row.addEventListener("pointerenter", tell(words));
      row.addEventListener("pointerleave", () => tell(rest)());
      name.addEventListener("focus", tell(words));
      name.addEventListener("blur", () => tell(rest)());
      rows.push(row);
    };
    if (turn.parts) for (const [name, label, words] of PARTS) add(label, words, (turn) => turn.parts?.[name]);
    add("Network, device", turn.voiceToVoice !== null && turn.atEar === undefined ? APART : BEYOND, beyond, ".beyond");

    const held = [...the("parts").children].findIndex((row) => row.contains(document.activeElement));
    the("parts").replaceChildren(...rows);
    rows[held]?.querySelector("button")?.focus();
    the("total").replaceChildren(
      make("tr", {}, make("th", { scope: "row" }, "At the server"), make("td.lane", { "aria-hidden": true }), ...numbers((turn) => turn.voiceToVoice, turn)),
      make("tr.ear", {}, make("th", { scope: "row" }, "At your ear"), make("td.lane", { "aria-hidden": true }), ...numbers((turn) => turn.atEar, turn)),
    );
    the("caption").textContent = `Turn ${turn.number}, part by part, in milliseconds, beside the median and the 95th percentile of all ${turn.typed ? "typed" : "spoken"} turns`;
    rest = whole(turn) == null ? "" : !turn.parts ? "The server keeps the parts to itself." : turn.saved > 0.0005 ? `The answer was begun ${ms(turn.saved)} ms before the turn was over.` : ASK;
    if (held < 0) detail.textContent = rest;
  }

  /** A duration of this turn, and of all together. */
  function numbers(of: Of, turn: Turn): HTMLElement[] {
    const [here, values] = [of(turn), all(of, turn.typed)];
    const cell = (kind: string, seconds: number | null | undefined) => make(`td.number${kind}`, {}, seconds == null ? "–" : ms(seconds));
    return [cell(".ms", here), ...[0.5, 0.95].map((share) => cell("", quantile(values, share)))];
  }

  function history(current: Turn): void {
    const top = Math.max(1.2, ...turns.slice(-MOST).map((turn) => (whole(turn) ?? 0) * 1.06));
    const bars = the("bars");
    const held = bars.contains(document.activeElement);
    the("legend-none").hidden = turns.slice(-MOST).every((turn) => whole(turn) != null);
    bars.replaceChildren(
      ...turns.slice(-MOST).map((turn) => {
        const words = described(turn, whyNot(turn));
        const input = make<HTMLInputElement>("input", { type: "radio", name: "turn", "aria-label": words });
        input.checked = turn === current;
        input.addEventListener("change", () => choose(turn.number));
        const label = make(whole(turn) == null ? "label.unanswered" : "label", { title: words }, input, make("i", {}), make("b", {}));
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
    const words = isOpen ? [make("strong", {}, "Back to the conversation")] : last ? [make("strong", {}, `${ms(whole(last)!)} ms`), make("span", {}, "to the last answer. ", make("u", {}, "Every turn"))] : ["How fast it answers"];
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
    turns: turns as readonly Turn[],
    current: () => shown()?.number,

    /** An answer of which the server tells nothing. */
    heard(atEar: number): void {
      add({ number: turns.length + 1, atEar, voiceToVoice: null, parts: null, saved: 0, typed: false } as Turn);
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

const sentence = (words: string): string => `${words[0]!.toUpperCase()}${words.slice(1)}.`;

function described(turn: Turn, whyNot: string): string {
  const parts = [[turn.atEar, "ear"], [turn.voiceToVoice, "server"]] as const;
  const known = parts.flatMap(([seconds, where]) => (seconds == null ? [] : `${ms(seconds)} ms at the ${where}`));
  return `Turn ${turn.number}: ${known.join(", ") || `no answer${whyNot && `, ${whyNot}`}`}`;
}

/** The value that this share of them does not exceed, between neighbours linearly. */
export function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((one, other) => one - other);
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return below === undefined || above === undefined ? undefined : below + (above - below) * (place % 1);
}
