import type { Floor, ToolActivity } from "../../js/src/index.ts";
import { the, tooled } from "./dom.ts";

type Held = Pick<Floor, "state" | "detail">;

/** What is heard where the user speaks while the agent does this. */
const OVERLAPS: Record<string, string> = { thinking: "speaking", talking: "both" };
const RUNNING: ToolActivity["status"][] = ["started", "running"];

/** Who may speak, as a sentence. */
export function floorSign() {
  let last: Held | undefined; // none where something else is said than who has the floor
  let isOpen = true; // the microphone
  const using = new Map<string, string>(); // the tools that run, by their calls

  const put = (words: string, state: Floor["state"] | "off"): void => {
    the("floor").dataset.state = state;
    the("floor-words").textContent = words;
  };

  const sign = {
    agent: "The agent",

    say(words: string, state: Floor["state"] = "nobody"): void {
      last = undefined;
      using.clear();
      put(words, state);
    },

    show(now: Held): void {
      last = now;
      const { state, detail } = now;
      const tool = [...using.values()].at(-1);
      const sentences: Record<string, string> = {
        listening: isOpen ? "Listening" : "Your microphone is off",
        speaking: "You are speaking",
        ending: "You have paused",
        thinking: tool === undefined ? `${sign.agent} is thinking` : `${sign.agent} is using ${tool ? `“${tooled(tool)}”` : "a tool"}`,
        talking: `${sign.agent} is speaking`,
        held: `${sign.agent} has paused for you`,
        both: "You both speak",
      };
      const what = (state === "both" && OVERLAPS[detail]) || detail;
      put(sentences[what] ?? what, what === "speaking" ? "user" : what === "listening" && !isOpen ? "off" : state);
    },

    /** A tool begins or ends: it is in use no longer than that. */
    tool({ id, name, status }: Pick<ToolActivity, "id" | "name" | "status">): void {
      if (!RUNNING.includes(status)) using.delete(id);
      else if (id) using.set(id, name);
      if (last) sign.show(last);
    },

    /** Whether the user can be heard: an agent that does not hear is not said to listen. */
    hears(yes: boolean): void {
      isOpen = yes;
      if (last) sign.show(last);
    },
  };
  return sign;
}
