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
/** From the meter, each 20 ms: blocks of [the context's time at the block's end, rms of mic, rms of agent]. */
export type MeterMessage = [at: number, mic: number, agent: number][];

export function worklet(): void {
  type Resample = (input: Float32Array) => Float32Array;

  /** A windowed sinc in polyphase: output on every call, a fifth of a millisecond of delay between 24 and 48 kHz. */
  function resampler(from: number, to: number): Resample {
    if (from === to) return (input) => input;
    let divisor = from;
    for (let rest = to; rest; ) [divisor, rest] = [rest, divisor % rest];
    const step = from / divisor;
    const count = to / divisor;
    const cutoff = 0.95 * Math.min(1, to / from);
    const half = Math.ceil(10 / cutoff);
    const width = 2 * half;
    const phases = Array.from({ length: count }, (_, phase) => {
      const taps = Float32Array.from({ length: width }, (_, tap) => {
        const x = tap - half + 1 - phase / count;
        const sinc = x ? Math.sin(Math.PI * cutoff * x) / (Math.PI * x) : cutoff;
        return sinc * Math.cos((Math.PI * x) / width) ** 2;
      });
      const sum = taps.reduce((sum, tap) => sum + tap);
      return taps.map((tap) => tap / sum);
    });
    let held = new Float32Array(width - 1);
    let at = 0; // place of the next output in `held`, in units of 1 / count

    return (input) => {
      const all = new Float32Array(held.length + input.length);
      all.set(held);
      all.set(input, held.length);
      const end = (all.length - width + 1) * count;
      const output = new Float32Array(Math.max(0, Math.ceil((end - at) / step)));
      for (let i = 0; i < output.length; i++, at += step) {
        const taps = phases[at % count]!;
        const first = Math.floor(at / count);
        for (let tap = 0; tap < width; tap++) output[i]! += taps[tap]! * all[first + tap]!;
      }
      const used = Math.min(Math.floor(at / count), all.length);
      at -= used * count;
      held = all.slice(used);
      return output;
    };
  }

  /** Two inputs, the microphone and the agent. */
  class Meter extends AudioWorkletProcessor {
    readonly #block = Math.round(sampleRate / 100);
    readonly #sums = [0, 0];
    #count = 0;
    #blocks: MeterMessage = [];

    process(inputs: Float32Array[][]): boolean {
      for (let i = 0; i < 128; i++) {
        for (let side = 0; side < 2; side++) {
          const value = inputs[side]?.[0]?.[i] ?? 0;
          this.#sums[side]! += value * value;
        }
        if (++this.#count < this.#block) continue;
        const [mic, agent] = this.#sums.map((sum) => Math.sqrt(sum / this.#block));
        this.#blocks.push([currentTime + (i + 1) / sampleRate, mic!, agent!]);
        this.#sums.fill((this.#count = 0));
      }
      if (this.#blocks.length > 1) {
        this.port.postMessage(this.#blocks);
        this.#blocks = [];
      }
      return true;
    }
  }

  /** Posts 20 ms of 16-bit samples at 16 kHz at a time. */
  class Capture extends AudioWorkletProcessor {
    readonly #resample = resampler(sampleRate, 16000);
    #chunk = new Int16Array(320);
    #filled = 0;

    process([input]: Float32Array[][]): boolean {
      const samples = this.#resample(input?.[0] ?? new Float32Array(128));
      for (const sample of samples) {
        this.#chunk[this.#filled++] = Math.round(Math.max(-1, Math.min(1, sample)) * 32767);
        if (this.#filled < 320) continue;
        this.port.postMessage(this.#chunk.buffer, [this.#chunk.buffer]);
        this.#chunk = new Int16Array(320);
        this.#filled = 0;
      }
      return true;
    }
  }

  /** Waits for 60 ms, or as long as that takes to play, before it begins; fades out when it is cleared. */
  class Player extends AudioWorkletProcessor {
    readonly #waits = Math.round(0.06 * sampleRate);
    readonly #fade = Math.round(0.01 * sampleRate);
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
      if (rate !== this.#rate || !this.#resample) this.#resample = resampler((this.#rate = rate), sampleRate);
      const samples = this.#resample(Float32Array.from(new Int16Array(pcm), (value) => value / 32768));
      if (!samples.length || this.#held > 120 * sampleRate) return;
      this.#queue.push(samples);
      this.#held += samples.length;
    }

    #clear(): void {
      const rest = new Float32Array(this.#plays ? Math.min(this.#fade, this.#held) : 0);
      for (let i = 0; i < rest.length; i++) rest[i] = this.#next() * (1 - i / rest.length);
      this.#queue = rest.length ? [rest] : [];
      this.#held = rest.length;
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

  registerProcessor("antiphon-meter", Meter);
  registerProcessor("antiphon-capture", Capture);
  registerProcessor("antiphon-player", Player);
}
