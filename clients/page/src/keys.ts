import { recalled, remember } from "./devices.ts";
import { the } from "./dom.ts";

/**
 * Keys with one letter, which can be switched off (WCAG 2.1.4), and Escape. None of them works where somebody
 * types or chooses, nor while a dialog is open, which has an Escape of its own.
 */
export function keys(acts: Record<string, () => void>, escape: () => void): void {
  const box = the<HTMLInputElement>("keys");
  box.checked = recalled("keys") !== "off";
  box.addEventListener("change", () => remember("keys", box.checked ? "" : "off"));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") return escape();
    const isTaken = (event.target as Element).matches("input:not([type=radio]), select");
    const act = acts[event.key.toLowerCase()];
    if (!act || isTaken || !box.checked) return;
    event.preventDefault();
    act();
  });
}
