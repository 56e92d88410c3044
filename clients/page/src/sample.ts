import { AntiphonError, type ErrorCode, type Events, type StateChange, type ToolActivity, type Transcript, type Turn, type TurnParts } from "../../js/src/types.ts";
import type { Talk } from "./talk.ts";
import { murmur } from "./waves.ts";

/** An invented conversation, played through the same events as a real one: `?sample`. */

interface Exchange {
  user: string;
  reply: string;
  parts: [endpointing: number, stt: number, firstToken: number, firstSentence: number, firstAudio: number, playout: number];
  beyond: number; // what the ear adds
  saved?: number;
  tool?: [name: string, seconds: number];
  heard?: string; // up to where the user let it speak
  aside?: string; // said into it, without taking the floor
}

const GREETING = "Hello, this is the bicycle shop. How can I help?";
const EXCHANGES: Exchange[] = [
  { user: "Hi, are you open on Saturday?", reply: "Yes, on Saturday we are open from ten to four.", parts: [0.196, 0.021, 0.148, 0.031, 0.074, 0.012], beyond: 0.048, tool: ["opening_hours", 0.038] },
  { user: "And could you look at my brakes? They squeal when it rains.", reply: "We can. A brake check takes about twenty minutes and costs fifteen euros, and if the pads are worn we have most kinds in stock.", parts: [0.204, 0.018, 0.102, 0.038, 0.071, 0.011], beyond: 0.051, saved: 0.112, heard: "We can. A brake check takes about twenty minutes and costs fifteen euros," },
  { user: "With new pads?", reply: "Pads come on top: twelve euros a pair, fitted.", parts: [0.188, 0.024, 0.094, 0.027, 0.069, 0.012], beyond: 0.044, saved: 0.09 },
  { user: "Do I have to leave the bike with you?", reply: "No. You can wait here; the coffee next door is good.", parts: [0.211, 0.02, 0.118, 0.022, 0.077, 0.01], beyond: 0.062 },
  { user: "Do you also have a loan bike, with a child seat, in case it takes longer?", reply: "Let me see. There is one loan bike with a child seat, and it is free on Saturday.", parts: [0.232, 0.026, 0.607, 0.041, 0.083, 0.014], beyond: 0.057, tool: ["loan_bikes", 0.412] },
  { user: "Perfect. Could you keep that one for me?", reply: "It is yours for Saturday.", parts: [0.199, 0.017, 0.121, 0.019, 0.07, 0.011], beyond: 0.046 },
  { user: "And when should I come?", reply: "Any time before three. Mornings are quiet, and then we can also true your rear wheel and have a look at the chain, which tends to", parts: [0.183, 0.022, 0.107, 0.033, 0.072, 0.012], beyond: 0.049, saved: 0.131, heard: "Any time before three. Mornings are quiet, and then we can also" },
  { user: "Half past ten, then.", reply: "Half past ten on Saturday. I have put you down for a brake check, and the loan bike will be ready.", parts: [0.179, 0.019, 0.088, 0.024, 0.068, 0.011], beyond: 0.045, saved: 0.142, aside: "mhm" },
];
const PARTS: (keyof TurnParts)[] = ["endpointing", "stt", "firstToken", "firstSentence", "firstAudio", "playout"];
const NOTHING: Omit<Turn, "number"> = { user: "", started: 0, ended: 0, reason: "", voiceToVoice: null, parts: null, saved: 0, reply: null, said: "", heard: "", interrupted: false, interruptedReason: "", tools: [], failures: [], typed: false };
const UNANSWERED: Record<string, Partial<Turn>[]> = {
  dropped: [
    { user: "And do you", interrupted: true, interruptedReason: "the user said more" },
    { user: "And do you sell locks?", interrupted: true, interruptedReason: "the user typed" },
    { user: "Do you sell locks?", typed: true, said: "We do.", heard: "We do.", voiceToVoice: 0.297, atEar: 0.341, parts: { endpointing: 0, stt: 0, firstToken: 0.182, firstSentence: 0.031, firstAudio: 0.073, playout: 0.011 } },
  ],
  apart: [{ user: "Thank you!", said: "See you on Saturday.", heard: "See you on Saturday.", voiceToVoice: 0.389, parts: { endpointing: 0.179, stt: 0.019, firstToken: 0.088, firstSentence: 0.024, firstAudio: 0.068, playout: 0.011 } }],
};
const PACE = 14; // characters a second

type Told = { [Name in keyof Events]: [at: number, name: Name, event: Events[Name]] }[keyof Events];
const SEEN = 4; // seconds before its end, at which it is entered
const FAILURES: Record<string, unknown> = {
  denied: { code: "mic", cause: new DOMException("", "NotAllowedError") },
  full: { code: "start", status: 429, retryAfter: 20 },
  key: { code: "start", status: 401 },
  failed: { code: "connection" },
};
const TROUBLES: Record<string, [code: ErrorCode, message?: string]> = { gone: ["mic"], silenced: ["playback"], failing: ["agent", "the voice failed: no answer within 5 s"] };

/**
 * By its scene: "start" and "first" play it from the beginning, "still" and "" (which goes on) from near its end;
 * "quiet" is an agent that waits to be spoken to, "dropped" has turns without an answer, "apart" one whose last
 * sound both ends do not agree on; "connecting", "lost" and "ended" are those states; "denied", "full", "key" and "failed" are what may go wrong
 * before it, "gone", "silenced" and "failing" within it. A number is the second at which it stands still.
 */
export function sample(scene: string): Talk {
  const listeners = new Map<string, Set<(event: never) => void>>();
  const told = script();
  let now = 0; // seconds of the conversation
  let next = 0;
  let timer = 0;

  function tell<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of listeners.get(name) ?? []) listener(event as never);
  }

  function until(at: number): void {
    for (let what; (what = told[next]) && what[0] <= at; next++) {
      now = what[0];
      tell(what[1], what[2]);
    }
    now = at;
  }

  function play(): void {
    const begun = performance.now() / 1000 - now;
    timer = window.setInterval(() => until(performance.now() / 1000 - begun), 20);
  }

  /** Turns behind the script's own. */
  function more(turn: Partial<Turn>, at: number): void {
    const whole = { ...NOTHING, number: EXCHANGES.length + 1 + at, started: 90 + at, ended: 90.5 + at, ...turn };
    tell("transcript", { who: "user", segment: `more ${at}`, text: whole.user, final: true, status: "final" });
    tell("turn", whole);
  }

  function end(reason: string): void {
    clearInterval(timer);
    tell("state", state("ended", reason));
  }

  const nothing = async (): Promise<void> => undefined;
  return {
    tracks: {},
    now: () => now,
    setMic: nothing,
    setCamera: nothing,
    setSpeaker: nothing,
    setVolume: () => undefined,
    resume: nothing,
    devices: async () => ({ mics: [{ id: "desk", label: "Desk microphone" }], cameras: [{ id: "cam", label: "Webcam" }], speakers: [{ id: "room", label: "Room speaker" }] }),
    disconnect: async () => end(""),
    sendText: (text) => tell("transcript", { who: "user", segment: `typed ${now}`, text, final: true, status: "final" }),

    on(name, listener) {
      const all = listeners.get(name) ?? new Set();
      listeners.set(name, all.add(listener as (event: never) => void));
      return () => void all.delete(listener as (event: never) => void);
    },

    async connect() {
      tell("state", state("connecting"));
      if (scene === "connecting") await new Promise(() => undefined);
      if (FAILURES[scene]) throw FAILURES[scene];
      tell("state", state("ready"));
      if (scene === "start" || scene === "first") return play();
      if (scene === "quiet") return;
      if (Number(scene)) return until(Number(scene));
      until(told.at(-1)![0] - SEEN);
      if (scene === "lost") tell("state", state("reconnecting", "the network is gone"));
      else if (scene === "ended") end("the agent has left");
      else if (TROUBLES[scene]) tell("error", new AntiphonError(TROUBLES[scene][0], TROUBLES[scene][1] ?? ""));
      else if (UNANSWERED[scene]) UNANSWERED[scene].forEach((turn, at) => more(turn, at));
      else if (scene !== "still") play();
    },
  };
}

const state = (state: StateChange["state"], reason = ""): StateChange => ({ state, reason });

/** All that is told, in its order. */
function script(): Told[] {
  const told: Told[] = [];
  const levels: [from: number, to: number, who: 0 | 1][] = [];
  const floor = (at: number, state: "nobody" | "user" | "agent", detail: string): void => void told.push([at, "floor", { state, detail, reason: "", at }]);

  const speak = (from: number, segment: string, text: string, heard?: string): number => {
    const to = from + (heard ?? text).length / PACE;
    levels.push([from, to, 1]);
    const say = (at: number, heard: string, status: Transcript["status"]): void => void told.push([at, "transcript", { who: "agent", segment, text, heard, status, final: status === "spoken" || status === "cut" }]);
    say(from, "", "new");
    for (const [at, part] of growing(heard ?? text)) say(from + at, part, "speaking");
    say(to, heard ?? text, heard === undefined ? "spoken" : "cut");
    return to;
  };

  let at = 0.5;
  floor(at, "agent", "talking");
  at = speak(at, "greeting", GREETING);
  told.push([at, "unprompted", { reply: 1, said: GREETING, heard: GREETING, interrupted: false }]);

  EXCHANGES.forEach((one, index) => {
    const number = index + 1;
    const cutIn = EXCHANGES[index - 1]?.heard !== undefined;
    const started = at + (cutIn ? -0.25 : 0.9);
    const ended = started + one.user.length / PACE;
    if (!cutIn) floor(at, "nobody", "listening");
    floor(started, "user", "speaking");
    levels.push([started, ended, 0]);
    for (const [part, text] of growing(one.user)) told.push([started + part, "transcript", { who: "user", segment: `u${number}`, text, final: false, status: "interim" }]);
    const voiceToVoice = one.parts.reduce((sum, part) => sum + part, 0);
    const said = ended + voiceToVoice;
    floor(ended, "user", "ending");
    floor(ended + one.parts[0], "nobody", "thinking");
    told.push([ended + one.parts[0] + one.parts[1], "transcript", { who: "user", segment: `u${number}`, text: one.user, final: true, status: "final" }]);
    const turn: Turn = {
      number,
      user: one.user,
      started,
      ended,
      reason: "",
      voiceToVoice,
      parts: Object.fromEntries(PARTS.map((part, at) => [part, one.parts[at]])) as unknown as TurnParts,
      saved: one.saved ?? 0,
      reply: number + 1,
      said: "",
      heard: "",
      interrupted: false,
      interruptedReason: "",
      tools: one.tool ? [{ name: one.tool[0], seconds: one.tool[1], failed: false }] : [],
      failures: [],
      typed: false,
    };
    const atEar = voiceToVoice + one.beyond;
    if (one.tool) {
      const [name, seconds] = one.tool;
      const asked = ended + one.parts[0] + one.parts[1] + 0.06;
      const tool = (at: number, status: ToolActivity["status"]): void => void told.push([at, "tool", { id: name, name, arguments: {}, status, result: null }]);
      tool(asked, "started");
      tool(asked + seconds, "done");
    }
    told.push([said, "turn", turn]);
    floor(said, "agent", "talking");
    told.push([ended + atEar, "latency", { atEar, turn: number }]);
    told.push([ended + atEar, "turn", { ...turn, atEar }]);
    at = speak(ended + atEar, `a${number}`, one.reply, one.heard);
    if (one.aside !== undefined) {
      const aside = ended + atEar + 2.2;
      levels.push([aside, aside + 0.35, 0]);
      told.push([aside + 0.4, "falseInterruption", { kind: "backchannel", text: one.aside }]);
    }
    told.push([at, "turn", { ...turn, atEar, said: one.reply, heard: one.heard ?? one.reply, interrupted: one.heard !== undefined }]);
  });
  floor(at, "nobody", "listening");

  for (let now = 0; now < at + 1; now += 0.04) {
    const loud = (who: 0 | 1): number => Math.max(0, ...levels.filter(([from, to, by]) => by === who && from <= now && now < to).map(([from, to]) => 0.3 + 0.7 * murmur(now + who * 7.3, (now - from) / (to - from)) ** 0.85));
    told.push([now, "level", { mic: loud(0), agent: loud(1) }]);
  }
  return told.map((one, place) => [one, place] as const).sort(([one, a], [other, b]) => one[0] - other[0] || a - b).map(([one]) => one);
}

/** A text word by word, with the time of each. */
function* growing(text: string): Generator<[at: number, part: string]> {
  for (const word of text.matchAll(/\S+/g)) {
    const end = word.index + word[0].length;
    if (end < text.length) yield [end / PACE, text.slice(0, end)];
  }
}
