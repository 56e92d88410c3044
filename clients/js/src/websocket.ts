import { socketOf } from "./joining.ts";
import { type Link, type LinkEvents, unconnected, unless } from "./link.ts";
import { decode, encodeAudio, encodeMessage } from "./protobuf.ts";
import type { Sound } from "./sound.ts";
import { AntiphonError, type Options } from "./types.ts";

const BACKLOG = 64 * 1024; // bytes waiting for a slow network beyond which the microphone's sound is dropped

/** Messages and sound in one websocket; sound comes in at 24 kHz and is played here, and goes out at 16 kHz. */
export function websocket(options: Options, sound: Sound, events: LinkEvents): Link {
  let socket: WebSocket | undefined;
  let isReady = false;
  let mic: MediaStreamTrack | null = null;
  let stopCapture: (() => void) | undefined;

  const send = (frame: Uint8Array<ArrayBuffer>) => {
    if (socket?.readyState === 1) socket.send(frame);
    else throw unconnected();
  };

  const listen = () => {
    stopCapture?.();
    stopCapture = mic && isReady ? sound.capture(mic, hear) : undefined;
  };

  const hear = (pcm: ArrayBuffer) => {
    if (socket?.readyState === 1 && socket.bufferedAmount < BACKLOG) send(encodeAudio(new Uint8Array(pcm), 16000));
  };

  const received = (data: ArrayBuffer | string) => {
    if (typeof data === "string") return events.message(data);
    try {
      const frame = decode(new Uint8Array(data));
      if (frame.kind === "message") events.message(frame.text);
      if (frame.kind === "audio") sound.play(frame.pcm, frame.rate);
      if (frame.kind === "interruption") events.interrupted();
    } catch {
      // what cannot be read is left alone
    }
  };

  const drop = () => {
    const before = socket;
    socket = undefined;
    isReady = false;
    listen();
    sound.clear();
    before?.close(1000);
  };

  const open = async (signal: AbortSignal) => {
    const url = new URL(await socketOf(options, signal), document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    signal.throwIfAborted();
    const mine = (socket = new WebSocket(url));
    mine.binaryType = "arraybuffer";
    const opened = new Promise((resolve, reject) => {
      mine.onopen = resolve;
      mine.onclose = () => reject(new AntiphonError("connection", `${url.host} refused the connection.`));
    });
    await unless(signal, opened);
    mine.onmessage = ({ data }) => received(data);
    mine.onclose = ({ code, reason }) => {
      if (socket !== mine) return;
      drop();
      if (code === 1000) events.left();
      else events.lost(reason || `the socket closed (${code})`);
    };
    events.track(sound.played(), true);
  };

  return {
    open,
    async reopen(signal) {
      await open(signal);
      return false;
    },
    send: (text) => send(encodeMessage(text)),
    ready() {
      isReady = true;
      listen();
    },
    carriesVideo: false,
    async put(_, track) {
      mic = track;
      listen();
    },
    close: drop,
  };
}
