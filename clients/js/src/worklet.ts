/**
 * What runs in the audio thread: a meter, a microphone's tap and a player. The browser is given the text of
 * this function, so it must need nothing from outside itself.
 */

declare const sampleRate: number;
declare const currentTime: number;
declare function registerProcessor(name: string, processor: unknown): void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

/** For the player: samples to play, or null to forget what it holds. */
export type PlayerMessage = { pcm: ArrayBuffer; rate: number } | null;
/** From the meter, each 10 ms: the context's time at the end of the block, and its root mean squares. */
export type MeterMessage = [at: number, mic: number, agent: number];

export function worklet(): void {
  const { PI, ceil, cos, floor, max, min, round, sin, sqrt } = Math;
  const Samples = Float32Array;
  const Processor = AudioWorkletProcessor;
  const hz = sampleRate;
  type Resample = (input: Float32Array) => Float32Array;

  /** A windowed sinc in polyphase: output on every call, a fifth of a millisecond of delay between 24 and 48 kHz. */
  function resampler(from: number, to: number): Resample {
    if (from === to) return (input) => input;
    let divisor = from;
    for (let rest = to; rest; ) [divisor, rest] = [rest, divisor % rest];
    const step = from / divisor;
    const count = to / divisor;
    const cutoff = 0.95 * min(1, to / from);
    const half = ceil(10 / cutoff);
    const width = 2 * half;
    const phases = Array.from({ length: count }, (_, phase) => {
      const taps = Samples.from({ length: width }, (_, tap) => {
        const x = tap - half + 1 - phase / count;
        const sinc = x ? sin(PI * cutoff * x) / (PI * x) : cutoff;
        return sinc * cos((PI * x) / width) ** 2;
      });
      const sum = taps.reduce((sum, tap) => sum + tap);
      return taps.map((tap) => tap / sum);
    });
    let held = new Samples(width - 1);
    let at = 0; // place of the next output in `held`, in units of 1 / count

    return (input) => {
      const all = new Samples(held.length + input.length);
      all.set(held);
      all.set(input, held.length);
      const end = (all.length - width + 1) * count;
      const output = new Samples(max(0, ceil((end - at) / step)));
      for (let i = 0; i < output.length; i++, at += step) {
        const taps = phases[at % count]!;
        const first = floor(at / count);
        for (let tap = 0; tap < width; tap++) output[i]! += taps[tap]! * all[first + tap]!;
      }
      const used = min(floor(at / count), all.length);
      at -= used * count;
      held = all.slice(used);
      return output;
    };
  }

  /** Two inputs, the microphone and the agent. */
  class Meter extends Processor {
    readonly #block = round(hz / 100);
    readonly #sums = [0, 0];
    #count = 0;

    process(inputs: Float32Array[][]): boolean {
      for (let i = 0; i < 128; i++) {
        for (let side = 0; side < 2; side++) {
          const value = inputs[side]?.[0]?.[i] ?? 0;
          this.#sums[side]! += value * value;
        }
        if (++this.#count < this.#block) continue;
        this.port.postMessage([currentTime + (i + 1) / hz, ...this.#sums.map((sum) => sqrt(sum / this.#block))]);
        this.#sums.fill((this.#count = 0));
      }
      return true;
    }
  }

  /** Posts 20 ms of 16-bit samples at 16 kHz at a time. */
  class Capture extends Processor {
    readonly #resample = resampler(hz, 16000);
    readonly #chunk: number[] = [];

    process([input]: Float32Array[][]): boolean {
      const samples = this.#resample(input?.[0] ?? new Samples(128));
      for (const sample of samples) {
        const filled = this.#chunk.push(round(max(-1, min(1, sample)) * 32767));
        if (filled === 320) this.port.postMessage(Int16Array.from(this.#chunk.splice(0)).buffer);
      }
      return true;
    }
  }

  /** Waits for 60 ms, or as long as that takes to play, before it begins; fades out when it is cleared. */
  class Player extends Processor {
    readonly #waits = round(0.06 * hz);
    readonly #fade = round(0.01 * hz);
    #resample: Resample | undefined;
    #rate = 0;
    #queue: Float32Array[] = [];
    #place = 0; // of the next sample in the first of the queue
    #held = 0; // samples in the queue
    #waited = 0;
    #plays = false;

    constructor() {
      super();
      this.port.onmessage = ({ data }: MessageEvent<PlayerMessage>) => (data ? this.#add(data.pcm, data.rate) : this.#clear());
    }

    #add(pcm: ArrayBuffer, rate: number): void {
      if (rate !== this.#rate || !this.#resample) this.#resample = resampler((this.#rate = rate), hz);
      const samples = this.#resample(Samples.from(new Int16Array(pcm), (value) => value / 32768));
      if (!samples.length || this.#held > 120 * hz) return;
      this.#queue.push(samples);
      this.#held += samples.length;
    }

    #clear(): void {
      const length = this.#plays ? min(this.#fade, this.#held) : 0;
      const rest = Samples.from({ length }, (_, i) => this.#next() * (1 - i / length));
      this.#queue = length ? [rest] : [];
      this.#held = length;
      this.#place = 0;
      this.#resample = undefined;
    }

    #next(): number {
      const first = this.#queue[0]!;
      const sample = first[this.#place++]!;
      this.#held--;
      if (this.#place === first.length) {
        this.#queue.shift();
        this.#place = 0;
      }
      return sample;
    }

    process(_: unknown, [output]: Float32Array[][]): boolean {
      const channel = output![0]!;
      if (!this.#plays && this.#held) {
        this.#waited += channel.length;
        this.#plays = this.#held >= this.#waits || this.#waited >= this.#waits;
      }
      for (let i = 0; this.#plays && i < channel.length; i++) {
        if (this.#held) channel[i] = this.#next();
        else this.#plays = false;
      }
      if (!this.#plays && !this.#held) this.#waited = 0;
      for (const other of output!.slice(1)) other.set(channel);
      return true;
    }
  }

  const all = { meter: Meter, capture: Capture, player: Player };
  for (const [name, made] of Object.entries(all)) registerProcessor(`antiphon-${name}`, made);
}
