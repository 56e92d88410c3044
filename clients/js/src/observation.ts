import { latencyOf, type Onset } from "./ear.ts";
import type { Emit } from "./events.ts";
import type { Turn } from "./types.ts";

type Data = Record<string, any>;

const PATIENCE = 1000; // ms that a turn may come after its sound, or its sound after the turn
const NEAR = 0.06; // seconds by which the two ends may judge the same sound apart
const FARTHEST = 1; // seconds that network and devices may add to the server's own figure

/** What the server tells of turns and of the floor, joined with what was measured at the ear. */
export function observation(emit: Emit) {
  const turns: Turn[] = [];
  let isTold = false; // whether the server tells of turns
  let telling: { number: number; at: number } | undefined; // the turn whose answer is about to sound
  let sounding: { onset: Onset; at: number } | undefined; // the sound whose turn is about to be told

  const find = (number: number) => turns.findIndex((turn) => turn.number === number);

  const join = () => {
    if (!telling || !sounding || Math.abs(telling.at - sounding.at) > PATIENCE) return;
    const turn = turns[find(telling.number)]!;
    const atEar = measured(turn, sounding.onset);
    if (atEar === undefined) return; // the next sound may be the one
    telling = sounding = undefined;
    turn.atEar = atEar;
    emit("latency", { atEar, turn: turn.number });
    emit("turn", turn);
  };

  const take = (turn: Turn, isFresh: boolean) => {
    const place = find(turn.number);
    const { atEar, voiceToVoice: before } = turns[place] ?? {};
    if (atEar) turn.atEar = atEar;
    turn.typed = turn.started === turn.ended;
    turns[place < 0 ? turns.length : place] = turn;
    emit("turn", turn);
    if (turn.voiceToVoice === null || before != null || !isFresh) return;
    telling = { number: turn.number, at: performance.now() }; // its answer begins
    join();
  };

  const tell = (name: string | undefined, what: any) => {
    if (name === "turn") take(what, true);
    if (name === "floor" || name === "unprompted") emit(name, what);
    if (name === "false_interruption") emit("falseInterruption", what);
  };

  return {
    turns,
    agent: "",

    /** The answer to the request for observation: what there was so far. */
    all({ agent = "", turns = [], unprompted = [], floor }: Data): void {
      this.agent = agent;
      isTold = true;
      unprompted.forEach((reply: Data) => tell("unprompted", camel(reply)));
      turns.forEach((turn: Data) => take(camel(turn), false));
      if (floor) tell("floor", floor);
    },

    /** Takes a server message; false where it tells something else. */
    told({ type, ...what }: Data): boolean {
      const [whose, name] = String(type).split(".");
      if (whose === "antiphon") tell(name, camel(what));
      return whose === "antiphon";
    },

    /** The agent's voice sets in. */
    heard(onset: Onset): void {
      if (isTold) {
        sounding = { onset, at: performance.now() };
        return join();
      }
      const atEar = latencyOf(onset);
      if (atEar) emit("latency", { atEar, turn: null });
    },
  };
}

/**
 * The turn's latency at the ear: from what the server calls its last sound, or from the typed text. Nothing where
 * both ends do not mean the same: the way there and back takes no negative time, and not for ever. They judge the last
 * sound in blocks of 10 and of 32 ms, so a way of less than no time by NEAR is none.
 */
function measured({ typed, user, voiceToVoice }: Turn, { at, acts }: Onset): number | undefined {
  const served = voiceToVoice!;
  const act = acts.findLast(({ start, text }) => (typed ? text?.trim() === user.trim() : text === undefined && at - start > served));
  const atEar = act && at - act.end;
  return atEar! > served - NEAR && atEar! < served + FARTHEST ? Math.max(atEar!, served) : undefined;
}

/** The same with the names of its fields in camel case. */
const camel = (value: unknown) =>
  JSON.parse(JSON.stringify(value).replace(/"\w+":/g, (name) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())));
