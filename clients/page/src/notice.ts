import { make, the } from "./dom.ts";
import type { Problem } from "./problems.ts";

/** What has gone wrong while the conversation goes on, and what to do: it stays until that is done, or it is closed. */
export function notices() {
  const box = the("notice");
  const hide = (): void => void (box.hidden = true);
  the("notice-close").addEventListener("click", () => {
    hide();
    the("text").focus({ preventScroll: true });
  });
  return {
    hide,
    show({ title, words }: Problem): void {
      the("notice-words").replaceChildren(make("strong", {}, title), ` ${words}`);
      box.hidden = false;
    },
  };
}
