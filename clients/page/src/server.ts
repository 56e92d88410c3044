import { problem, type Problem } from "./problems.ts";

/** An address at the server that this page comes from. */
export function here(path: string): string {
  return new URL(path, document.baseURI).href;
}

export function authorization(key: string): Record<string, string> {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** The names of those who can be talked to. */
export async function agents(key: string): Promise<string[] | Problem> {
  try {
    const answer = await fetch(here("agents"), { headers: authorization(key) });
    if (answer.status === 401) return problem({ status: 401 }, key);
    const { agents } = (await answer.json()) as { agents: { name: string }[] };
    return agents.map(({ name }) => name);
  } catch {
    return [""]; // /start will say what is wrong
  }
}

/** "bicycle_shop" as one says it; nothing for names that say nothing. */
export function spoken(name: string): string {
  if (["agent", "default", "bot"].includes(name)) return "";
  return name.replace(/[_-]+/g, " ").trim().replace(/(^| )\p{Ll}/gu, (letter) => letter.toUpperCase());
}
