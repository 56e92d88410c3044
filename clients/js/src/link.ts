/** A connection to the server, by whatever it is carried. */
export interface Link {
  /** Resolves when messages can be sent; rejects with an AntiphonError. */
  open(signal: AbortSignal): Promise<void>;
  /** The same again after `lost`. True: the session is the same one; false: it is a new one. */
  reopen(signal: AbortSignal): Promise<boolean>;
  send(text: string): void;
  /** The agent is ready for the microphone. */
  ready(): void;
  setMic(track: MediaStreamTrack | null, enabled: boolean): Promise<void>;
  /** Absent where it carries no video. */
  setCamera?(track: MediaStreamTrack | null): Promise<void>;
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

/** Rejects when the signal does; for a race. */
export const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
