import { make, the } from "./dom.ts";
import type { Problem } from "./problems.ts";
import { isApple } from "./problems.ts";

const READY = `The microphone is off until you start.${isApple ? " To hear the agent, switch silent mode off." : ""}`;

/** What is seen before a conversation: who can be talked to, and what kept the last try from it. */
export function startView(say: (words: string) => void) {
  let countdown = 0;

  const hint = (words: string): void => void (the("hint").textContent = words);

  const view = {
    /** What the button does, while a conversation is being begun and else. */
    connecting(on: boolean, mic = true): void {
      the<HTMLButtonElement>("talk").disabled = on;
      the("talk-words").textContent = on ? "Connecting…" : "Start talking";
      the("type").textContent = on ? "Cancel" : "Type instead";
      the("open-test").hidden = on;
      hint(!on ? READY : mic ? "Your browser may ask for the microphone: allow it." : "One moment.");
      if (on) say("Connecting");
    },

    /** `focus`: the one who reads this has asked for something, and may be led to what comes next. */
    trouble({ title, words, wait, needsKey }: Problem, focus: boolean): void {
      view.connecting(false);
      document.body.classList.add("trouble");
      the("problem").replaceChildren(make("strong", {}, title), words);
      the("problem").hidden = false;
      the("key-form").hidden = !needsKey;
      the("actions").hidden = !!needsKey;
      if (needsKey && focus) the("key").focus();
      if (wait === undefined) return;
      let left = Math.ceil(wait);
      const tick = (): void => {
        the<HTMLButtonElement>("talk").disabled = left > 0;
        hint(left > 0 ? `You can try again in ${left} s.` : "You can try again now.");
        if (left-- > 0) return;
        clearInterval(countdown);
        say("You can try again now.");
      };
      tick();
      countdown = window.setInterval(tick, 1000);
    },

    /** No trouble is shown any more. */
    settle(): void {
      clearInterval(countdown);
      document.body.classList.remove("trouble");
      the("problem").hidden = the("key-form").hidden = true;
      the("actions").hidden = false;
    },
  };
  return view;
}
