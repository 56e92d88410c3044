import type { FalseInterruption, Transcript, Turn, Unprompted } from "../../js/src/index.ts";

/** A line of the transcript. Of the agent: `heard` is how much of `text` was played. `over`: no more comes. */
export interface Line {
  readonly id: number;
  who: "user" | "agent" | "aside";
  text: string;
  heard: string;
  over: boolean;
  cut: boolean;
  turn: Turn | undefined;
  readonly segments: Map<string, Transcript>;
}

/**
 * The transcript: words as they come in, put right by the server's account of each turn.
 *
 * `changed` is told of each line that is new or different, and of all of them in their order.
 */
export function lines(changed: (line: Line, all: readonly Line[]) => void) {
  const all: Line[] = [];
  let count = 0;

  function add(who: Line["who"], behind?: Line): Line {
    const line: Line = { id: ++count, who, text: "", heard: "", over: false, cut: false, turn: undefined, segments: new Map() };
    all.splice(behind ? all.indexOf(behind) + 1 : all.length, 0, line);
    return line;
  }

  const of = (turn: Turn, who: Line["who"]) => all.find((line) => line.who === who && line.turn?.number === turn.number);

  /**
   * Where a new segment goes: on, where the same side has been speaking, or in a line of its own. What a user says
   * into a reply does not end it: the agent goes on, until it is told to be cut off.
   */
  function place(who: "user" | "agent"): Line {
    const last = all.findLast((line) => line.who !== "aside");
    if (last?.who === who && !(who === "user" ? last.turn : last.over)) return last;
    const before = all.findLast((line) => line.who === "agent");
    const goesOn = before && !before.over && [...before.segments.values()].some((segment) => !segment.final);
    if (who === "agent" && goesOn && !last?.turn) return before;
    const line = add(who);
    if (who === "agent" && last?.turn && !last.turn.interrupted && !of(last.turn, "agent")) line.turn = last.turn;
    return line;
  }

  /** The line of a turn whose words came before the server told of it. */
  function waiting(turn: Turn): Line | undefined {
    const open = all.filter((line) => line.who === "user" && !line.turn);
    const found = open.find((line) => same(line.text, turn.user)) ?? open.find((line) => contains(turn.user, line.text));
    return found ?? parted(open.find((line) => plain(line.text).startsWith(plain(turn.user))), turn);
  }

  /** The line in which the user went on: what was said behind the turn gets a line of its own. */
  function parted(line: Line | undefined, turn: Turn): Line | undefined {
    const later = line ? [...line.segments.values()].filter(({ text }) => !contains(turn.user, text)) : [];
    if (!line || !later.length || later.length === line.segments.size) return line;
    const next = add("user", line);
    for (const it of later) {
      line.segments.delete(it.segment);
      next.segments.set(it.segment, it);
    }
    changed(Object.assign(next, { text: joined(later.map(({ text }) => text)), over: later.every(({ final }) => final) }), all);
    return line;
  }

  /** The line of the same speech, of which a part was taken for a turn, and not answered. */
  function revised({ number, started }: Turn): Line | undefined {
    return all.find(({ who, turn }) => who === "user" && turn && turn.number < number && turn.started === started && !of(turn, "agent"));
  }

  function answer(user: Line): Line | undefined {
    const next = all.slice(all.indexOf(user) + 1).find((line) => (line.who === "agent" && !line.turn) || (line.who === "user" && line.turn));
    return next?.who === "agent" ? next : undefined;
  }

  /** The server's account of a reply: as it was written so far, or, at its end, as it was said and heard. */
  function told(line: Line, { said, heard, interrupted }: Unprompted, turn?: Turn): void {
    line.turn = turn;
    const text = said.trim();
    const over = interrupted || (text !== "" && boundary(text, heard) >= text.length);
    if (over || !line.segments.size) Object.assign(line, { text, heard, cut: interrupted, over });
    changed(line, all);
  }

  return {
    all: all as readonly Line[],

    clear(): void {
      all.length = 0;
    },

    transcript(event: Transcript): void {
      const known = all.find((line) => line.segments.has(event.segment));
      if (known?.who === "aside" || (known?.over && known.turn)) return; // the server has told the whole
      const line = known ?? place(event.who);
      line.segments.set(event.segment, event);
      const segments = [...line.segments.values()];
      line.text = joined(segments.map((segment) => segment.text));
      line.cut = segments.some((segment) => segment.status === "cut");
      line.over = event.who === "user" ? segments.every((segment) => segment.final) : line.cut;
      line.heard = joined(segments.map((segment) => segment.heard ?? ""));
      changed(line, all);
    },

    turn(turn: Turn): void {
      const before = all.findLast((line) => line.who === "user" && line.turn && line.turn.number < turn.number);
      const user = of(turn, "user") ?? revised(turn) ?? waiting(turn) ?? (turn.user ? add("user") : undefined);
      if (user) {
        Object.assign(user, { text: turn.user || user.text, over: true, turn });
        changed(user, all);
      }
      const agent = of(turn, "agent") ?? (user && (answer(user) ?? (turn.said || turn.failures.length ? add("agent", user) : undefined)));
      if (agent) told(agent, turn as Unprompted, turn);
      if (before && all.includes(before)) changed(before, all); // it may be known now that nothing answers it
    },

    unprompted(event: Unprompted): void {
      const known = all.find((line) => line.who === "agent" && !line.turn && (!line.over || contains(event.said, line.text)));
      if (known || event.said) told(known ?? add("agent"), event);
    },

    falseInterruption({ text }: FalseInterruption): void {
      if (!text) return;
      const line = all.findLast((line) => line.who === "user" && !line.turn && same(line.text, text)) ?? add("user");
      changed(Object.assign(line, { who: "aside", text, over: true } as const), all);
    },
  };
}

/** Where the unheard rest of `text` begins: `heard` is a beginning of it, whatever its spaces. */
export function boundary(text: string, heard: string): number {
  let at = 0;
  for (const letter of heard.replace(/\s+/g, "")) {
    while (/\s/.test(text[at] ?? "")) at++;
    if (!text.startsWith(letter, at)) return Math.min(heard.length, text.length);
    at += letter.length;
  }
  return at;
}

const joined = (parts: string[]): string => parts.map((part) => part.trim()).filter(Boolean).join(" ");
const plain = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
const same = (one: string, other: string): boolean => plain(one) === plain(other);
const contains = (whole: string, part: string): boolean => plain(part) !== "" && plain(whole).includes(plain(part));
