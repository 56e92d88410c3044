import type { Floor } from "../../js/src/index.ts";
import { the } from "./dom.ts";

/** What is heard where the user speaks while the agent does this. */
const OVERLAPS: Record<string, string> = { thinking: "speaking", talking: "both" };

/** Who may speak, as a sentence and as a place between the two. */
export function floorSign() {
  const say = (words: string, state: Floor["state"] = "nobody"): void => {
    the("floor").dataset.state = state;
    the("floor-words").textContent = words;
  };
  const sign = {
    agent: "The agent",
    say,

    show({ state, detail }: Pick<Floor, "state" | "detail">): void {
      const sentences: Record<string, string> = {
        listening: "Listening",
        speaking: "You are speaking",
        ending: "Have you finished?",
        thinking: `${sign.agent} is thinking`,
        talking: `${sign.agent} is speaking`,
        held: `${sign.agent} has paused for you`,
        both: "You both speak",
      };
      const what = (state === "both" && OVERLAPS[detail]) || detail;
      say(sentences[what] ?? what, what === "speaking" ? "user" : state);
    },
  };
  return sign;
}
