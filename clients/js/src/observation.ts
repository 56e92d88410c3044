import type { Emit } from "./events.ts";
import type { Turn } from "./types.ts";

type Data = Record<string, any>;

const PATIENCE = 1000; // ms that a turn may come after its sound, or its sound after the turn

/** What the server tells of turns and of the floor, joined with what was measured at the ear. */
export function observation(emit: Emit) {
  const turns: Turn[] = [];
  let isTold = false; // whether the server tells of turns
  const played = new Set<number>(); // turns whose answer has begun
  let telling: { number: number; at: number } | undefined; // the turn whose answer is about to sound
  let sounding: { seconds: number; at: number } | undefined; // the sound whose turn is about to be told

  const find = (number: number) => turns.findIndex((turn) => turn.number === number);

  const join = () => {
    if (!telling || !sounding || Math.abs(telling.at - sounding.at) > PATIENCE) return;
    const turn = turns[find(telling.number)]!;
    const atEar = sounding.seconds;
    telling = sounding = undefined;
    turn.atEar = atEar;
    emit("latency", { atEar, turn: turn.number });
    emit("turn", turn);
  };

  const take = (turn: Turn, isFresh: boolean) => {
    const place = find(turn.number);
    const atEar = turns[place]?.atEar;
    if (atEar !== undefined) turn.atEar = atEar;
    turns[place < 0 ? turns.length : place] = turn;
    emit("turn", turn);
    if (turn.voiceToVoice === null || played.has(turn.number)) return;
    played.add(turn.number);
    if (!isFresh) return;
    telling = { number: turn.number, at: performance.now() };
    join();
  };

  const tell: Record<string, (what: any) => void> = {
    turn: (turn) => take(turn, true),
    floor: (floor) => emit("floor", floor),
    unprompted: (reply) => emit("unprompted", reply),
    false_interruption: (what) => emit("falseInterruption", what),
  };

  return {
    turns,
    agent: "",

    /** The answer to the request for observation: what there was so far. */
    all({ agent = "", turns = [], unprompted = [], floor }: Data): void {
      this.agent = agent;
      isTold = true;
      unprompted.forEach((reply: Data) => tell.unprompted!(camel(reply)));
      turns.forEach((turn: Data) => take(camel(turn) as Turn, false));
      if (floor) tell.floor!(floor);
    },

    /** Takes a server message; false where it tells something else. */
    told({ type, ...what }: Data): boolean {
      const [whose, name] = String(type).split(".");
      if (whose === "antiphon") tell[name!]?.(camel(what));
      return whose === "antiphon";
    },

    /** An answer has begun to sound, so long after the caller's last sound. */
    heard(seconds: number): void {
      if (!isTold) return emit("latency", { atEar: seconds, turn: null });
      sounding = { seconds, at: performance.now() };
      join();
    },
  };
}

/** The same with the names of its fields in camel case. */
function camel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camel);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()), camel(inner)]),
  );
}
