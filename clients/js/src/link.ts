import { AntiphonError } from "./types.ts";

/** The place of a track in what is sent. */
export type Device = 0 | 1;
export const MIC: Device = 0;
export const CAMERA: Device = 1;

/** A connection to the server, by whatever it is carried. */
export interface Link {
  /** Resolves when messages can be sent; rejects with an AntiphonError. */
  open(signal: AbortSignal): Promise<void>;
  /** The same again after `lost`. True: the session is the same one; false: it is a new one. */
  reopen(signal: AbortSignal): Promise<boolean>;
  send(text: string): void;
  /** The agent is ready for the microphone. */
  ready(): void;
  readonly carriesVideo: boolean;
  /** The microphone's track or the camera's, and whether it is on. */
  put(which: Device, track: MediaStreamTrack | null, on: boolean): Promise<void>;
  close(): void;
}

export interface LinkEvents {
  message(text: string): void;
  /** The connection is gone without anybody wanting that. */
  lost(reason: string): void;
  /** The agent has hung up. */
  left(): void;
  /** A track of the agent; `played` where it is heard already. */
  track(track: MediaStreamTrack, played: boolean): void;
  /** The agent was interrupted: what is buffered of it is stale. */
  interrupted(): void;
}

/** The same promise, which also rejects when the signal does. */
export const unless = <Value>(signal: AbortSignal, promise: Promise<Value>): Promise<Value> =>
  Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    }),
  ]);

export const unconnected = () => new AntiphonError("usage", "There is no connection.");

/** What a message says; nothing where it is no JSON. */
export function parsed(text: string): any {
  try {
    return JSON.parse(text);
  } catch {}
}
