import { ask } from "./http.ts";
import type { Options } from "./types.ts";

/** What a WebRTC offer needs. */
export interface Offering {
  url: string;
  headers: Record<string, string>;
  iceServers: RTCIceServer[];
  data: unknown;
}

/** Asks the server for a session. */
function started({ start, transport = "webrtc" }: Options, signal: AbortSignal): Promise<Record<string, any>> {
  const { url, body, headers = {} } = start!;
  return ask("start", url, { transport, enableDefaultIceServers: true, ...body }, headers, signal);
}

/** Where an offer goes, and with what: of a session begun for it, where one has to be. */
export async function offeringOf(options: Options, signal: AbortSignal): Promise<Offering> {
  const { start, endpoint: url = "/api/offer", headers = {}, iceServers = [], data } = options;
  if (!start) return { url, headers, iceServers, data };
  const { sessionId, iceConfig } = await started(options, signal);
  return {
    url: start.url.replace(/\/start\/?($|\?)/, `/sessions/${sessionId}/api/offer$1`),
    headers: { ...start.headers, ...headers },
    iceServers: iceServers.concat(iceConfig?.iceServers ?? []),
    data,
  };
}

/** The address of the socket, likewise. */
export async function socketOf(options: Options, signal: AbortSignal): Promise<string> {
  if (!options.start) return options.endpoint ?? "/ws";
  const { wsUrl, token } = await started(options, signal);
  return token ? `${wsUrl}${wsUrl.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}` : wsUrl;
}
