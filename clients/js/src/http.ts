import { unless } from "./link.ts";
import { AntiphonError, type ErrorCode } from "./types.ts";

/** A response, whatever it says; an AntiphonError where none comes. */
export const reach = (url: string, how?: RequestInit, code: ErrorCode = "start"): Promise<Response> =>
  fetch(url, how).catch((cause) => {
    throw new AntiphonError(code, `${url} cannot be reached.`, { cause });
  });

/** Asks the server in JSON; an AntiphonError with what it said, where it refused. */
export async function ask(
  code: ErrorCode,
  url: string,
  body: unknown,
  headers: Record<string, string>,
  signal: AbortSignal,
  method = "POST",
): Promise<Record<string, any>> {
  const sent = { "Content-Type": "application/json", ...headers };
  const response = await reach(url, { method, headers: sent, body: JSON.stringify(body), signal }, code);
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const { status, statusText } = response;
  const why = String(answer?.info ?? answer?.detail ?? statusText);
  throw new AntiphonError(code, why, { status, retryAfter: Number(response.headers.get("Retry-After")) });
}

/** A pause that ends early, with a rejection, when the signal does. */
export const pause = (seconds: number, signal: AbortSignal): Promise<unknown> =>
  unless(signal, new Promise((resolve) => setTimeout(resolve, seconds * 1000)));
