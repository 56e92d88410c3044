// What the tests drive: the published clients and our own, each as `window.bench` has it. All that happens is
// noted in `bench.notes` as [name, data], in the order in which it does.
import { PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import { PipecatClientAudio, PipecatClientProvider, usePipecatClientTransportState, usePipecatConversation } from "@pipecat-ai/client-react";
import { SmallWebRTCTransport, WavMediaManager } from "@pipecat-ai/small-webrtc-transport";
import { WavMediaManager as SocketMedia, WebSocketTransport } from "@pipecat-ai/websocket-transport";
import { useEffect } from "react";
import { createRoot } from "react-dom/client";
import { AntiphonClient, type Events, type Options } from "@antiphon/client";
import * as ours from "@antiphon/react";

type Note = [name: string, data: unknown];

const notes: Note[] = [];
const note = (name: string, data: unknown) => {
  try {
    notes.push([name, JSON.parse(JSON.stringify(data ?? null))]);
  } catch {
    notes.push([name, String(data)]);
  }
};

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for something of this name to be noted that meets the condition, and gives its data. */
async function noted(name: string, meets: (data: any) => boolean = () => true, seconds = 12): Promise<unknown> {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await later(20)) {
    const found = notes.find(([what, data]) => what === name && meets(data));
    if (found) return found[1];
  }
  throw new Error(`no such ${name} within ${seconds} s: ${JSON.stringify(notes.filter(([what]) => what === name).slice(-5))}`);
}

const count = (name: string, meets: (data: any) => boolean = () => true) => notes.filter(([what, data]) => what === name && meets(data)).length;

/** Waits until the agent has said this, in however many segments, as either client tells it. */
async function said(text: string): Promise<void> {
  const spoken = ([name, data]: [string, any]) =>
    (name === "botOutput" && data.spoken_status === "completed") || (name === "transcript" && data.status === "spoken");
  const all = () => notes.filter((one) => spoken(one as [string, any])).map(([, data]) => (data as any).text);
  for (const end = performance.now() + 12_000; !all().join(" ").includes(text); await later(20)) {
    if (performance.now() > end) throw new Error(`the agent has not said ${text}, but ${JSON.stringify(all())}`);
  }
}

// Every peer connection, so that a test can break one.
const peers: RTCPeerConnection[] = [];
const Peer = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Peer {
  constructor(...given: ConstructorParameters<typeof Peer>) {
    super(...given);
    peers.push(this);
    this.addEventListener("signalingstatechange", () => this.signalingState === "stable" && note("negotiated", peers.indexOf(this)));
  }
} as typeof Peer;
const sockets: WebSocket[] = [];
const Socket = window.WebSocket;
window.WebSocket = class extends Socket {
  constructor(...given: ConstructorParameters<typeof Socket>) {
    super(...given);
    sockets.push(this);
  }
} as typeof Socket;

/** How loud a track is: the root mean square of what it has played since, at most once every 10 ms. */
async function loudness(track: MediaStreamTrack, seconds: number): Promise<number> {
  const context = new AudioContext();
  await context.resume();
  const analyser = new AnalyserNode(context, { fftSize: 2048 });
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(2048);
  let most = 0;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    await later(20);
    analyser.getFloatTimeDomainData(samples);
    most = Math.max(most, Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length));
  }
  await context.close();
  return most;
}

function published(kind: "webrtc" | "websocket", options: object = {}) {
  const transport =
    kind === "webrtc"
      ? new SmallWebRTCTransport({ mediaManager: new WavMediaManager(), ...options })
      : new WebSocketTransport({ mediaManager: new SocketMedia(), ...options });
  const client = new PipecatClient({ transport, enableMic: true, enableCam: false });
  for (const name of Object.values(RTVIEvent)) client.on(name as RTVIEvent, (data: unknown) => note(name, data));
  client.registerFunctionCallHandler("weather", async (call) => ({ sky: `blue over ${(call.arguments as { city: string }).city}` }));
  return client;
}

const EVENTS: (keyof Events)[] = [
  "state", "transcript", "floor", "turn", "unprompted", "falseInterruption", "interrupted", "latency", "tool", "message", "error",
];

function antiphon(options: Options) {
  const client = new AntiphonClient(options);
  for (const name of EVENTS) client.on(name, (data) => note(name, data instanceof Error ? { ...data, message: data.message } : data));
  return client;
}

const root = () => createRoot(document.getElementById("root")!);

/** The published hooks, drawn as text. */
function showPublished(client: PipecatClient) {
  const Inside = () => {
    const state = usePipecatClientTransportState();
    const { messages } = usePipecatConversation();
    const text = (part: { text: unknown }) =>
      typeof part.text === "object" && part.text && "spoken" in part.text ? `[${(part.text as { spoken: string }).spoken}]` : String(part.text);
    return (
      <>
        <p id="state">{state}</p>
        <ol id="messages">
          {messages.map((message, i) => (
            <li key={i}>{`${message.role}: ${message.functionCall ? `${message.functionCall.function_name} ${message.functionCall.status}` : message.parts.map(text).join("")}`}</li>
          ))}
        </ol>
      </>
    );
  };
  root().render(
    <PipecatClientProvider client={client}>
      <PipecatClientAudio />
      <Inside />
    </PipecatClientProvider>,
  );
}

/** Our hooks and components. */
function showOurs(options: Options) {
  const Inside = () => {
    const client = ours.useAntiphon();
    const state = ours.useStatus();
    const turns = ours.useTurns();
    const floor = ours.useFloor();
    const latency = ours.useLatency();
    const devices = ours.useDevices();
    useEffect(() => void Object.assign(bench, { client }), [client]);
    return (
      <>
        <ours.ConnectButton id="talk" onError={(error) => note("error", error.message)} />
        <ours.MicButton id="mic" />
        <ours.Level of="agent" id="level" />
        <p id="state">{state}</p>
        <p id="floor">{floor?.detail}</p>
        <p id="turns">{turns.map((turn) => turn.user).join("|")}</p>
        <p id="latency">{latency && latency.atEar.toFixed(3)}</p>
        <p id="mics">{devices.mics.length}</p>
        <ours.Transcript id="transcript" empty="nothing yet" />
      </>
    );
  };
  root().render(
    <ours.AntiphonProvider options={options}>
      <Inside />
    </ours.AntiphonProvider>,
  );
}

/** The network is gone, as the browser tells it. */
function lose(peer: RTCPeerConnection) {
  Object.defineProperty(peer, "iceConnectionState", { get: () => "failed" });
  peer.dispatchEvent(new Event("iceconnectionstatechange"));
}

/** How an attempt to connect ends. */
const attempt = (client: AntiphonClient) =>
  client.connect().then(
    () => ["connected"],
    ({ code, status, message }) => [code, status ?? null, client.state, message],
  );

const bench = { lose, attempt, notes, noted, count, said, peers, sockets, loudness, published, antiphon, showPublished, showOurs, client: null as unknown };
Object.assign(window, { bench });
