import { level, listen, type Onset } from "./ear.ts";
import { reach } from "./http.ts";
import { AntiphonError, type Levels } from "./types.ts";
import { type MeterMessage, type PlayerMessage, worklet } from "./worklet.ts";

interface SoundEvents {
  level(levels: Levels): void;
  began(onset: Onset): void;
  /** The browser does not let sound play before a click. */
  blocked(): void;
}

export type Sound = ReturnType<typeof openSound>;

/** The audio graph of one conversation: both sides' levels and latency, and the websocket's ear and mouth. */
export function openSound(events: SoundEvents) {
  const context = new AudioContext({ latencyHint: "interactive" });
  const element = new Audio();
  const volume = new GainNode(context);
  const ear = listen(events.began);
  const sources: (AudioNode | undefined)[] = []; // into the meter: the microphone, the agent
  const closing = new AbortController();
  let meter: AudioWorkletNode | undefined;
  let player: AudioWorkletNode | undefined;
  let output: MediaStreamAudioDestinationNode | undefined;

  const join = (side: 0 | 1, source: AudioNode | undefined) => {
    if (!meter) return;
    sources[side]?.disconnect(meter);
    sources[side] = source;
    source?.connect(meter, 0, side);
  };
  const from = (track: MediaStreamTrack) => context.createMediaStreamSource(new MediaStream([track]));
  const resume = async () => {
    await context.resume();
    if (element.srcObject) await element.play();
  };
  resume().catch(() => {}); // told as `blocked`

  const sound = {
    resume,

    /** Loads what runs in the audio thread, from this address or from the page itself. */
    async open(address?: string): Promise<void> {
      const url = address ?? URL.createObjectURL(new Blob([`(${worklet})()`], { type: "text/javascript" }));
      try {
        await context.audioWorklet.addModule(url);
      } catch (cause) {
        if (address) await reach(address); // where nobody answers, nothing is wrong with the worklet
        throw new AntiphonError("usage", "The audio worklet did not load: serve antiphon-worklet.js and name it in `worklet`.", { cause });
      }
      volume.connect(context.destination);
      meter = new AudioWorkletNode(context, "antiphon-meter", { numberOfInputs: 2 });
      meter.connect(context.destination); // it gives silence, and is run for that
      let peaks = [0, 0];
      let blocks = 0;
      meter.port.onmessage = ({ data: [at, ...sides] }: MessageEvent<MeterMessage>) => {
        ear.block(at, ...sides);
        peaks = sides.map((rms, side) => Math.max(rms, peaks[side]!));
        if (++blocks % 4) return;
        const [mic, agent] = peaks.map(level) as [number, number];
        events.level({ mic, agent });
        peaks = [0, 0];
      };
      if (context.state === "running") return;
      for (const act of ["pointerdown", "keydown"]) addEventListener(act, () => void resume(), { signal: closing.signal });
      setTimeout(() => context.state === "suspended" && events.blocked(), 200);
    },

    /** Whose track this is: 0 the microphone, 1 the agent. */
    measure: (side: 0 | 1, track: MediaStreamTrack | undefined) => join(side, track && from(track)),

    /** Plays a track of the agent. */
    attach(track: MediaStreamTrack): void {
      element.srcObject = new MediaStream([track]);
      element.play().catch((error: DOMException) => error.name === "NotAllowedError" && events.blocked());
      sound.measure(1, track);
    },

    /** Plays 16-bit samples; they wait in a small buffer that `clear` empties. */
    play(pcm: Uint8Array, rate: number): void {
      const samples = pcm.slice(0, pcm.length & ~1).buffer as ArrayBuffer;
      player?.port.postMessage({ pcm: samples, rate } satisfies PlayerMessage, [samples]);
    },

    clear: () => player?.port.postMessage(null satisfies PlayerMessage),

    /** What `play` plays, as a track. */
    played(): MediaStreamTrack {
      if (!player) {
        player = new AudioWorkletNode(context, "antiphon-player", { numberOfInputs: 0 });
        player.connect(volume);
        player.connect((output = context.createMediaStreamDestination()));
        join(1, player);
      }
      return output!.stream.getAudioTracks()[0]!;
    },

    /** Gives the microphone in pieces of 20 ms, 16 kHz, 16 bit; what it returns ends that. */
    capture(track: MediaStreamTrack, heard: (pcm: ArrayBuffer) => void): () => void {
      const source = from(track);
      const tap = new AudioWorkletNode(context, "antiphon-capture");
      tap.port.onmessage = ({ data }) => heard(data);
      source.connect(tap).connect(context.destination);
      return () => {
        tap.port.onmessage = null;
        source.disconnect();
        tap.disconnect();
      };
    },

    async setSpeaker(id: string): Promise<void> {
      for (const one of [element, context] as { setSinkId?: (id: string) => Promise<void> }[]) await one.setSinkId?.(id);
    },

    setVolume(level: number): void {
      element.volume = volume.gain.value = level;
    },

    /** The caller has sent a text. */
    typed: (text: string) => ear.typed(context.currentTime, text),

    async close(): Promise<void> {
      closing.abort();
      element.srcObject = null;
      await context.close();
    },
  };
  return sound;
}
