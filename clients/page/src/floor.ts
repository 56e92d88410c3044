import type { Floor } from "../../js/src/index.ts";
import { the } from "./dom.ts";

type Held = Pick<Floor, "state" | "detail">;

/** What is heard where the user speaks while the agent does this. */
const OVERLAPS: Record<string, string> = { thinking: "speaking", talking: "both" };

/** Who may speak, as a sentence. */
export function floorSign() {
  let last: Held | undefined; // none where something else is said than who has the floor
  let isOpen = true; // the microphone

  const put = (words: string, state: Floor["state"]): void => {
    the("floor").dataset.state = state;
    the("floor-words").textContent = words;
  };

  const sign = {
    agent: "The agent",

    say(words: string, state: Floor["state"] = "nobody"): void {
      last = undefined;
      put(words, state);
    },

    show(now: Held): void {
      last = now;
      const { state, detail } = now;
      const sentences: Record<string, string> = {
        listening: isOpen ? "Listening" : "Your microphone is off",
        speaking: "You are speaking",
        ending: "You have paused",
        thinking: `${sign.agent} is thinking`,
        talking: `${sign.agent} is speaking`,
        held: `${sign.agent} has paused for you`,
        both: "You both speak",
      };
      const what = (state === "both" && OVERLAPS[detail]) || detail;
      put(sentences[what] ?? what, what === "speaking" ? "user" : state);
    },

    /** Whether the user can be heard: an agent that does not hear is not said to listen. */
    hears(yes: boolean): void {
      isOpen = yes;
      if (last) sign.show(last);
    },
  };
  return sign;
}
