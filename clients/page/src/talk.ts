import type { AntiphonClient } from "../../js/src/index.ts";

/** What the page needs of a conversation: the client has it, and the sample. */
export type Talk = Pick<AntiphonClient, "on" | "connect" | "disconnect" | "sendText" | "setMic" | "setCamera" | "setSpeaker" | "setVolume" | "devices" | "resume" | "tracks"> & {
  /** Seconds; the sample has a clock of its own. */
  now(): number;
};
