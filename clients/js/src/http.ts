import { aborted } from "./link.ts";
import { AntiphonError, type ErrorCode } from "./types.ts";

/** Asks the server in JSON; an AntiphonError with what it said, where it refused. */
export async function ask(
  code: ErrorCode,
  url: string,
  body: unknown,
  headers: Record<string, string>,
  signal: AbortSignal,
  method = "POST",
): Promise<Record<string, any>> {
  let response: Response;
  try {
    const sent = { "Content-Type": "application/json", ...headers };
    response = await fetch(url, { method, headers: sent, body: JSON.stringify(body), signal });
  } catch (cause) {
    throw new AntiphonError(code, `${url} cannot be reached.`, { cause });
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const { status, statusText } = response;
  const why = String(answer?.info ?? answer?.detail ?? statusText);
  throw new AntiphonError(code, why, { status, retryAfter: Number(response.headers.get("Retry-After")) });
}

/** A pause that ends early, with a rejection, when the signal does. */
export const pause = (seconds: number, signal: AbortSignal): Promise<unknown> =>
  Promise.race([new Promise((resolve) => setTimeout(resolve, seconds * 1000)), aborted(signal)]);
