import type { AntiphonError } from "../../js/src/index.ts";

/** What went wrong, in plain words, and what can be done about it. */
export interface Problem {
  title: string;
  words: string;
  /** Seconds after which another try makes sense. */
  wait?: number;
  needsKey?: boolean;
}

/** iPhones, and iPads, which give themselves out as Macs. */
export const isApple = /iPhone|iPad|Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1;

const ALLOW = isApple ? "Tap the icon beside the address, then Website Settings, and allow it there." : "Allow it with the icon beside the address.";
const DEVICES: Record<string, [title: (device: string) => string, words: string]> = {
  NotAllowedError: [(it) => `The browser does not let this page use the ${it}.`, `${ALLOW} Then try again, or type instead.`],
  NotFoundError: [(it) => `There is no ${it}.`, "Connect one and try again, or type instead."],
  NotReadableError: [(it) => `The ${it} is busy.`, "Another program uses it. Close that one and try again, or type instead."],
};

/** `key` is the one that was shown. */
export function problem(error: unknown, key = ""): Problem {
  const { code, status, message = "", retryAfter, cause } = error as Partial<AntiphonError>;
  if (code === "mic" || code === "camera") {
    if (!isSecureContext) return { title: "Browsers give microphones only to safe pages.", words: "Open this page over https, or on localhost. Or type instead." };
    const device = code === "mic" ? "microphone" : "camera";
    if (!cause) return { title: `The ${device} has gone.`, words: "It was unplugged, or is no longer allowed. Bring it back or choose another under Devices, then switch it on again." };
    const [title, words] = DEVICES[(cause as DOMException).name] ?? [(it) => `The ${it} cannot be opened.`, "Choose another one under Devices, or type instead."];
    return { title: title(device), words };
  }
  if (code === "agent") return { title: "The agent reports a failure.", words: message };
  if (code === "playback") return { title: "The browser holds the sound back.", words: `Tap, click or press a key to hear the agent.${isApple ? " If you still hear nothing, switch silent mode off." : ""}` };
  if (status === 401) {
    return { title: key ? "The server does not accept this key." : "This server asks for a key.", words: "Enter one that you were given. It is kept until you close this tab.", needsKey: true };
  }
  if (status === 429 && /your address/.test(message)) {
    return { title: "Your network has its share of the lines.", words: "As many conversations come from it as the server allows, or too many in a short time.", wait: retryAfter || 10 };
  }
  if (status === 503 && message) return { title: "The server takes no conversation at the moment.", words: `It says: ${message}`, wait: retryAfter || 10 };
  if (status === 429 || status === 503) return { title: "All lines are busy.", words: "As many people are talking as the server has room for.", wait: retryAfter || 10 };
  if (code === "start" && !status) return { title: "The server does not answer.", words: "It may have stopped, or your network does not reach it. Once it runs again, try again." };
  if (status) return { title: "The server did not begin a conversation.", words: `It says: ${message}` };
  if (code === "timeout") return { title: "The agent does not answer.", words: "The server was reached, but no conversation began. Try again; if it stays so, look at the server’s log." };
  if (code === "usage") return { title: "This browser cannot talk to the agent.", words: `${message} A current Chrome, Edge, Firefox or Safari can.` };
  return { title: "There is no connection to the agent.", words: "Check your network, and try again. Where a network lets no calls through, the server needs a TURN server." };
}
