/** Everything that a client takes and gives. Durations and times are seconds, levels are 0 to 1. */

export type TransportKind = "webrtc" | "websocket";

/** Answers a function call of the agent; what it returns (or a promise of it) is what the model reads. */
export type ToolHandler = (args: Record<string, unknown>, call: { name: string; id: string }) => unknown;

export interface Options {
  transport?: TransportKind;
  /**
   * Where to connect directly: the offer route ("/api/offer") for WebRTC, the socket ("wss://host/ws") for
   * websocket. Not needed with `start`. Relative addresses are relative to the page.
   */
  endpoint?: string;
  /**
   * Ask the server for a session first: `url` is its route "/start". `body` is posted beside the transport:
   * `agent` names the agent, `body` in it is for that agent's program.
   */
  start?: { url: string; body?: { agent?: string; body?: unknown; [name: string]: unknown }; headers?: Record<string, string> };
  /** Headers of the requests that carry the WebRTC offer. */
  headers?: Record<string, string>;
  /** Anything for the agent, sent along with a direct WebRTC offer. */
  data?: unknown;
  /** The microphone at the start: on (default), off, or a device by its id. Off asks for no permission. */
  mic?: boolean | string;
  /** The camera at the start: off (default), on, or a device by its id. WebRTC only. */
  camera?: boolean | string;
  /** The loudspeaker by its device id. */
  speaker?: string;
  /** How loud the agent is played, 0 to 1 (default). */
  volume?: number;
  tools?: Record<string, ToolHandler>;
  /** Ask the server for its turns, their latency and the state of the floor: "turn", "floor", "unprompted". */
  observe?: boolean;
  iceServers?: RTCIceServer[];
  /** Come back by itself when the connection is lost (default true). */
  reconnect?: boolean;
  /** Seconds that `connect` waits for the agent (default 15). */
  timeout?: number;
  /** Where `antiphon-worklet.js` is served, for pages whose policy forbids scripts from blobs. */
  worklet?: string;
}

/** idle > connecting > ready > (reconnecting > ready)* > ended; connect() may be called again then. */
export type State = "idle" | "connecting" | "ready" | "reconnecting" | "ended";

export interface StateChange {
  state: State;
  /** Why it ended, or why it has to reconnect; empty otherwise. */
  reason: string;
}

export interface Transcript {
  who: "user" | "agent";
  /** What is being said: the same for each event that tells more of it. */
  segment: string;
  text: string;
  /** Nothing more will change. */
  final: boolean;
  /** Of the agent: how much of `text` has been heard so far. */
  heard?: string;
  /** Of the agent: not yet spoken, being spoken, spoken to its end, or cut off. The user: "interim", "final". */
  status: "new" | "speaking" | "spoken" | "cut" | "interim" | "final";
}

export interface Floor {
  state: "nobody" | "user" | "agent" | "both";
  detail: "listening" | "speaking" | "ending" | "thinking" | "talking" | "held" | (string & {});
  reason: string;
  /** Seconds of the session. */
  at: number;
}

/** Six parts that add up to `voiceToVoice`. */
export interface TurnParts {
  endpointing: number;
  stt: number;
  firstToken: number;
  firstSentence: number;
  firstAudio: number;
  playout: number;
}

/** A turn of the user and the answer to it, as the server knows them; told again when more is known. */
export interface Turn {
  number: number;
  user: string;
  started: number;
  ended: number;
  reason: string;
  voiceToVoice: number | null;
  parts: TurnParts | null;
  /** Seconds by which the reply was begun before the turn was over. */
  saved: number;
  reply: number | null;
  said: string;
  heard: string;
  interrupted: boolean;
  interruptedReason: string;
  tools: { name: string; seconds: number | null; failed: boolean }[];
  failures: string[];
  /** It was written, not spoken: it has no sound, and its latencies count from when it was sent. */
  typed: boolean;
  /** Voice-to-voice latency measured here; absent where this end and the server do not agree on the last sound. */
  atEar?: number;
}

/** What the agent said of its own accord, such as a greeting. */
export interface Unprompted {
  reply: number;
  said: string;
  heard: string;
  interrupted: boolean;
}

/** About 25 times a second: 0 is silence (-60 dB and below), 1 is full scale. */
export interface Levels {
  mic: number;
  agent: number;
}

/** From the caller's last sound in the microphone's track, or the text sent, to the agent's first in its track. */
export interface Latency {
  atEar: number;
  /** The number of the turn; null where the server was not asked for turns. */
  turn: number | null;
}

export interface ToolActivity {
  id: string;
  name: string;
  arguments: Record<string, unknown>;
  status: "started" | "running" | "done" | "failed" | "cancelled";
  result: unknown;
}

export interface FalseInterruption {
  kind: string;
  text: string;
}

/** A message of the client protocol as it came, for what has no event of its own. */
export interface Message {
  type: string;
  id: string;
  data: unknown;
}

export interface Device {
  id: string;
  label: string;
}

export interface Devices {
  mics: Device[];
  cameras: Device[];
  speakers: Device[];
}

/** Absent where there is none. */
export interface Tracks {
  mic?: MediaStreamTrack;
  camera?: MediaStreamTrack;
  agent?: MediaStreamTrack;
  agentVideo?: MediaStreamTrack;
}

export interface Events {
  state: StateChange;
  transcript: Transcript;
  floor: Floor;
  turn: Turn;
  unprompted: Unprompted;
  falseInterruption: FalseInterruption;
  interrupted: object;
  level: Levels;
  latency: Latency;
  tool: ToolActivity;
  /** Data that the agent's program sent of its own accord. */
  message: unknown;
  /** Every message of the protocol. */
  protocol: Message;
  tracks: Tracks;
  error: AntiphonError;
}

export type ErrorCode =
  | "start" // the server gave no session; `status` says how it refused
  | "connection" // no connection, or it was lost for good
  | "timeout" // no answer in time
  | "refused" // the server answered a request with an error
  | "mic" // no permission, or no such device
  | "camera"
  | "playback" // the browser wants a click first: call `resume()` in one
  | "agent" // the agent says that something failed
  | "usage"; // not connected, or an option that does not fit

export class AntiphonError extends Error {
  override readonly name = "AntiphonError";
  readonly code: ErrorCode;
  /** The status of HTTP, where there was one. */
  readonly status: number | undefined;
  /** Seconds to wait before another try, where the server said. */
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, { status, retryAfter, cause }: { status?: number; retryAfter?: number; cause?: unknown } = {}) {
    super(message, { cause });
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter || undefined;
  }
}
