import { make, ms, the, tooled, unseen } from "./dom.ts";
import { boundary, type Line } from "./lines.ts";
import { unanswered } from "./unanswered.ts";

const TOLD = 6; // lines that stay for screen readers to go back to

/** Shows the lines; keeps to the end unless somebody reads further up. */
export function transcript(choose: (turn: number) => void) {
  const [list, scroll, latest, said] = ["lines", "scroll", "latest", "said"].map((id) => the(id)) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
  const shown = new Map<number, HTMLElement>();
  const told = new Set<number>();
  let follows = true;
  let top = 0;

  scroll.addEventListener("scroll", () => {
    const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 48;
    if (atEnd || scroll.scrollTop < top) follows = latest.hidden = atEnd; // less room is no wish to read further up
    top = scroll.scrollTop;
  });
  new ResizeObserver(() => follows && toEnd()).observe(scroll);
  latest.addEventListener("click", toEnd);

  function toEnd(): void {
    follows = latest.hidden = true;
    scroll.scrollTop = scroll.scrollHeight;
    top = scroll.scrollTop;
  }

  function parts(line: Line, all: readonly Line[], current: number | undefined): HTMLElement[] {
    const name = line.who === "user" ? "You" : view.agent;
    const parts = [make("span.who", {}, name), make("div.words", {}, ...(line.who === "user" ? asked(line, all) : answered(line)))];
    const turn = line.turn;
    const seconds = turn?.atEar ?? turn?.voiceToVoice;
    if (line.who === "agent" && turn && seconds != null) {
      const took = make("button.took", { type: "button", "data-turn": turn.number, ...marked(turn.number === current) }, unseen("Answered after "), `${ms(seconds)} ms`);
      took.addEventListener("click", () => choose(turn.number));
      parts.push(took);
    }
    return parts;
  }

  /** Tells a screen reader what was said, once it is whole. */
  function tell(line: Line): void {
    if (!line.over || line.who === "aside" || told.has(line.id) || !line.text) return;
    told.add(line.id);
    if (!the<HTMLInputElement>("aloud").checked) return;
    const words = line.who === "agent" && line.cut ? `${line.heard} … cut off` : line.text;
    said.append(make("p", {}, `${line.who === "user" ? "You" : view.agent}: ${words}`));
    if (said.childElementCount > TOLD) said.firstElementChild!.remove();
  }

  const view = {
    agent: "Agent",
    toEnd,

    clear(): void {
      list.replaceChildren();
      said.replaceChildren();
      shown.clear();
      told.clear();
      follows = true;
      the("empty").hidden = false;
    },

    show(line: Line, all: readonly Line[], current: number | undefined): void {
      the("empty").hidden = true;
      let item = shown.get(line.id);
      if (!item) {
        item = make("li", {});
        const next = all.slice(all.indexOf(line) + 1).find((later) => shown.has(later.id));
        list.insertBefore(item, next ? shown.get(next.id)! : null);
        shown.set(line.id, item);
      }
      item.className = `line ${line.who}`;
      item.replaceChildren(...(line.who === "aside" ? [make("span.words", {}, `“${line.text}” did not interrupt`)] : parts(line, all, current)));
      tell(line);
      if (follows) toEnd();
    },

    /** Marks the answer of this turn. */
    mark(turn: number | undefined): void {
      for (const button of list.querySelectorAll<HTMLElement>(".took")) {
        for (const [name, value] of Object.entries(marked(Number(button.dataset.turn) === turn))) button.setAttribute(name, String(value));
      }
    },
  };
  return view;
}

/** Of all answers one is a stop for the Tab key: the arrow keys of the history lead to the others. */
const marked = (yes: boolean) => ({ "aria-current": yes, tabindex: yes ? 0 : -1 });

function asked(line: Line, all: readonly Line[]): (Node | string)[] {
  if (!line.over) return [make("span.interim", {}, `${line.text}…`)];
  const { turn } = line;
  const isAnswered = all.some((other) => other.who === "agent" && other.turn?.number === turn?.number && other.text);
  const next = all.find((other) => other.who === "user" && (other.turn?.number ?? 0) > (turn?.number ?? 0))?.turn;
  const whyNot = turn && !isAnswered ? unanswered(turn, next) : "";
  return whyNot ? [line.text, make("span.note", {}, `No answer, ${whyNot}`)] : [line.text];
}

function answered({ text, heard, over, cut, turn }: Line): (Node | string)[] {
  const rest = text.slice(boundary(text, heard)).trimStart();
  const parts: (Node | string)[] = [text.slice(0, text.length - rest.length)];
  if (rest && cut) parts.push(unseen("Not heard: "), make("s", {}, rest));
  else if (rest) parts.push(over ? rest : make("span.coming", {}, rest));
  for (const { name, seconds, failed } of turn?.tools ?? []) {
    const took = seconds === null ? "" : `, ${ms(seconds)} ms`;
    parts.push(make("span.note", {}, `${failed ? "Failed at" : "Used"} ${tooled(name)}${took}`));
  }
  if (cut) parts.push(make("span.note", {}, heard ? "You interrupted; the rest was not heard" : "You interrupted before it was heard"));
  for (const failure of turn?.failures ?? []) parts.push(make("span.note.bad", {}, failure));
  return parts;
}
