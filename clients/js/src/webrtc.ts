import { ask, pause } from "./http.ts";
import { type Offering, offeringOf } from "./joining.ts";
import { type Device, type Link, type LinkEvents, parsed, unconnected, unless } from "./link.ts";
import { AntiphonError, type Options } from "./types.ts";

const TRIES = 3;
const GRACE = 500; // ms that a connection may be "disconnected"; the server gives a client up after 3 s
const LOOK = 500; // ms between two looks at what has come from the server
const SILENT = 6; // looks without a byte, after which it is gone; else a packet comes every 20 ms

/** Media and a data channel to the server; a lost connection is made anew, for the same session. */
export function webrtc(options: Options, events: LinkEvents): Link {
  let where: Offering;
  let id: string | null = null;
  let pc: RTCPeerConnection | undefined;
  let channel: RTCDataChannel | undefined;
  let candidates: RTCIceCandidate[] = [];
  let timers: ReturnType<typeof setTimeout>[] = [];
  let isReady = false; // the agent: until then it may be busy beginning
  const tracks: [track: MediaStreamTrack | null, on: boolean][] = [[null, false], [null, false]]; // microphone, camera
  const closing = new AbortController();

  const later = (ms: number, act: () => void) => void timers.push(setTimeout(act, ms));

  const drop = () => {
    timers.forEach(clearTimeout);
    timers = [];
    candidates = [];
    const [before, its] = [pc, channel];
    pc = channel = undefined;
    its?.close();
    before?.close();
  };

  const signal = (message: object) => {
    if (channel?.readyState === "open") channel.send(JSON.stringify({ type: "signalling", message }));
  };

  const put = async (which: Device, track: MediaStreamTrack | null, on: boolean) => {
    tracks[which] = [track, on];
    await pc?.getTransceivers()[which]?.sender.replaceTrack(track);
    signal({ type: "trackStatus", receiver_index: which, enabled: !!track && on });
  };
  const putAll = () => Promise.all(tracks.map(([track, on], which) => put(which as Device, track, on)));

  const trickle = () => {
    if (!candidates.length || !id) return;
    const body = {
      pc_id: id,
      candidates: candidates.map((one) => ({ candidate: one.candidate, sdp_mid: one.sdpMid, sdp_mline_index: one.sdpMLineIndex })),
    };
    candidates = [];
    ask("connection", where.url, body, where.headers, closing.signal, "PATCH").catch(() => {}); // others may do
  };

  const offer = async (pc: RTCPeerConnection, isRestart: boolean, signal: AbortSignal) => {
    let isKnown = false; // the server has the offer, and may be told of candidates
    pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate && candidates.push(candidate) === 1 && isKnown) later(50, trickle);
    };
    await pc.setLocalDescription();
    for (let tries = 1; ; tries++) {
      try {
        const body = { sdp: pc.localDescription!.sdp, type: "offer", pc_id: id, restart_pc: isRestart, requestData: where.data };
        const answer = await ask("start", where.url, body, where.headers, signal);
        id = answer.pc_id;
        await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
        break;
      } catch (error) {
        const isFinal = !(error instanceof AntiphonError) || (error.status ?? 500) < 500;
        if (isFinal || signal.aborted || tries === TRIES) throw error;
        await pause(tries, signal);
      }
    }
    isKnown = true;
    trickle();
  };

  const received = (text: string) => {
    const message = parsed(text);
    if (message?.type !== "signalling") return events.message(text);
    const { type } = message.message ?? {};
    if (type === "peerLeft") events.left();
    if (type === "renegotiate") offer(pc!, false, closing.signal).catch((error) => events.lost(`renegotiation failed: ${error}`));
  };

  const connect = async (isRestart: boolean, signal: AbortSignal) => {
    drop();
    isReady = false;
    const mine = (pc = new RTCPeerConnection({ iceServers: where.iceServers }));
    mine.addTransceiver("audio");
    mine.addTransceiver("video");
    await putAll();
    const chat = (channel = mine.createDataChannel("chat"));
    const opened = new Promise<void>((resolve, reject) => {
      let isOpen = false;
      const fail = (why: string) => {
        if (pc !== mine) return;
        drop();
        if (isOpen) events.lost(why);
        reject(new AntiphonError("connection", why));
      };
      let had = 0;
      let missed = 0;
      const look = async () => {
        if (chat.readyState !== "open") return;
        chat.send(`ping: ${Date.now()}`);
        let has = 0;
        for (const { bytesReceived = 0 } of (await mine.getStats()).values()) has += bytesReceived;
        missed = isReady && has === had ? missed + 1 : 0;
        had = has;
        if (missed === SILENT) fail("the server has fallen silent");
        else later(LOOK, look);
      };
      chat.onopen = () => {
        isOpen = true;
        resolve(look());
      };
      chat.onclose = () => fail("the data channel closed");
      mine.oniceconnectionstatechange = () => {
        if (mine.iceConnectionState === "failed") fail("no way to the server was found");
        if (mine.iceConnectionState === "disconnected") {
          later(GRACE, () => mine.iceConnectionState === "disconnected" && fail("the network was lost"));
        }
      };
    });
    opened.catch(() => {}); // it may fail while the offer is still on its way
    chat.onmessage = ({ data }) => received(data);
    mine.ontrack = ({ track }) => events.track(track, false);
    await offer(mine, isRestart, signal);
    await unless(signal, opened);
    putAll(); // now it can be told, too
  };

  return {
    async open(signal) {
      where = await offeringOf(options, signal);
      await connect(false, signal);
    },
    async reopen(signal) {
      const before = id;
      await connect(true, signal);
      return id === before;
    },
    send(text) {
      if (channel?.readyState !== "open") throw unconnected();
      channel.send(text);
    },
    ready() {
      isReady = true;
    },
    carriesVideo: true,
    put,
    close() {
      closing.abort();
      drop();
    },
  };
}
