import { parsed } from "./link.ts";
import { AntiphonError, type Message } from "./types.ts";

interface Waiting {
  resolve: (data: unknown) => void;
  reject: (error: unknown) => void;
  timer: ReturnType<typeof setTimeout>;
}

export type Protocol = ReturnType<typeof protocol>;

/** The client protocol over whatever carries text: messages out, messages in, and answers to requests. */
export function protocol(write: (text: string) => void, read: (message: Message) => void) {
  const label = "rtvi-ai";
  const waiting = new Map<string, Waiting>();
  const next = () => crypto.randomUUID();
  const settle = (id: string) => {
    const one = waiting.get(id);
    clearTimeout(one?.timer);
    waiting.delete(id);
    return one;
  };
  const send = (type: string, data: unknown = {}, id = next()) => write(JSON.stringify({ label, type, id, data }));

  /** Sends a message and waits for the one that bears its id. */
  const ask = (type: string, data: unknown, seconds: number) =>
    new Promise<unknown>((resolve, reject) => {
      const id = next();
      const late = () => settle(id)?.reject(new AntiphonError("timeout", `No answer to ${type} within ${seconds} s.`));
      waiting.set(id, { resolve, reject, timer: setTimeout(late, seconds * 1000) });
      try {
        send(type, data, id);
      } catch (error) {
        settle(id)?.reject(error);
      }
    });

  return {
    send,
    ask,

    /** Tells the server who we are, and gives what it says of itself. */
    handshake: (seconds: number) =>
      ask("client-ready", { version: "2.1.0", about: { library: "antiphon-js", library_version: "0.1.0", platform: navigator.userAgent } }, seconds),

    /** Takes a message as it came; what is none of ours is left alone. */
    received(text: string): void {
      const message = parsed(text);
      const { type, id, data } = message ?? {};
      if (message?.label !== label || typeof type !== "string") return;
      if (type === "bot-ready") settle(id)?.resolve(data);
      if (type === "server-response") settle(id)?.resolve(data?.d);
      if (type === "error-response") settle(id)?.reject(new AntiphonError("refused", String(data?.error)));
      read({ type, id, data });
    },

    /** Whoever still waits for an answer gets none. */
    end(reason: string): void {
      for (const id of [...waiting.keys()]) settle(id)?.reject(new AntiphonError("connection", reason));
    },
  };
}
