/** Elements of the page by their id, and new ones. */

export function the<Type extends HTMLElement = HTMLElement>(id: string): Type {
  return document.getElementById(id) as Type;
}

/** A new element; `name` may carry classes: "p.note.bad". */
export function make<Type extends HTMLElement = HTMLElement>(
  name: string,
  attributes: Record<string, string | number | boolean>,
  ...children: (Node | string)[]
): Type {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag!) as Type;
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** For screen readers alone. */
export const unseen = (text: string): HTMLElement => make("span.hidden", {}, text);

export const ms = (seconds: number): string => String(Math.round(seconds * 1000));

/** The name of a tool as one says it. */
export const tooled = (name: string): string => name.replaceAll("_", " ");
