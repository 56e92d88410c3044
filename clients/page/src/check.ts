import { level } from "../../js/src/ear.ts";
import { the } from "./dom.ts";
import { problem } from "./problems.ts";

/** Microphone and loudspeaker tried before a conversation; loaded when somebody wants to. */

const HEARD = 0.5; // -30 dB, as near speech is
const SILENT = 0.12; // a microphone that gives nothing
const LOOK = 0.05; // seconds between two
const PATIENCE = 4; // seconds

let tests = 0;
let stop = (): void => undefined;

/** Shows how loud this microphone is, and what to make of it; `false` ends that. */
export async function test(id: string | false, allowed: () => void): Promise<void> {
  const mine = ++tests;
  const button = the("test-mic");
  const isOn = id !== false;
  stop();
  the("test").hidden = !isOn;
  button.textContent = isOn ? "Stop" : "Test";
  button.ariaPressed = String(isOn);
  if (!isOn) return;
  show(0, "Your browser may ask for the microphone: allow it.");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: id ? { deviceId: { exact: id } } : true });
    const end = listen(stream);
    if (mine !== tests) return end();
    stop = end;
    allowed();
  } catch (cause) {
    const { title, words } = problem({ code: "mic", cause });
    if (mine === tests) show(0, `${title} ${words.replace(", or type instead", "")}`);
  }
}

function show(loudness: number, words: string): void {
  the<HTMLMeterElement>("test-level").value = loudness;
  if (the("test-words").textContent !== words) the("test-words").textContent = words;
}

function listen(stream: MediaStream): () => void {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 2048 });
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let [loudest, heard, looks] = [0, 0, 0];
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const now = level(Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length));
    loudest = Math.max(loudest, now);
    if (now > HEARD) heard++;
    const none = loudest < SILENT ? "This microphone gives no sound. Is it switched off, or is another one the right one?" : "You are hardly heard. Come closer, or choose another microphone.";
    show(now, heard > 4 ? "You are heard well." : ++looks * LOOK > PATIENCE ? none : "Say something: the bar moves with your voice.");
  }, LOOK * 1000);
  return () => {
    stop = () => undefined;
    clearInterval(timer);
    stream.getTracks().forEach((track) => track.stop());
    void context.close();
  };
}

/** Two soft notes on this loudspeaker. */
export async function playTone(speaker: string, volume: number): Promise<void> {
  const context = new AudioContext();
  if (speaker) await (context as { setSinkId?: (id: string) => Promise<void> }).setSinkId?.(speaker);
  await context.resume();
  [523, 659].forEach((frequency, at) => {
    const from = context.currentTime + 0.05 + at * 0.3;
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setTargetAtTime(0.2 * volume, from, 0.02);
    gain.gain.setTargetAtTime(0, from + 0.25, 0.06);
    const note = new OscillatorNode(context, { frequency });
    note.connect(gain).connect(context.destination);
    note.start(from);
    note.stop(from + 0.7);
  });
  setTimeout(() => void context.close(), 1500);
}
