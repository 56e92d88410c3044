/**
 * What was heard of both sides, on the clock of one audio graph: when the caller spoke or typed, and when the
 * agent's voice set in. `observation` makes latencies of it.
 *
 * A block is speech where it is over -54 dB, 12 dB over the room, which is the quietest block of the last 5 to
 * 10 s, and within 28 dB of the loudest that is not long past, so that an echo of the room is none: the server
 * judges likewise. 60 ms of such blocks within 200 ms are speech, less is a click. The agent sounds from -56 dB
 * on; its sound is a new one after 300 ms of quiet.
 */

/** A stretch of speech, without pauses of 200 ms; or a text that was typed. */
export interface Act {
  start: number;
  end: number;
  text?: string;
}

/** The agent's voice sets in at `at`; the latest acts of the caller, of which those up to `answered` are settled. */
export interface Onset {
  at: number;
  acts: readonly Act[];
  answered: number;
}

const KEPT = 9;

export function listen(began: (onset: Onset) => void) {
  let quietest = Infinity; // block of these 5 s
  let before = 0.001; // of the 5 s before; at first a guess
  let loudest = 0; // falls by 3.5 dB a second
  let blocks = 0;
  let sounded = -Infinity; // the end of the agent's last block with sound
  let answered = -Infinity;
  let acts: Act[] = [];
  let loud: number[] = []; // ends of the loud blocks of the last 200 ms

  const last = () => acts.at(-1);
  const add = (act: Act) => void (acts = [...acts.slice(-KEPT), act]);

  return {
    typed: (at: number, text: string) => add({ start: at, end: at, text }),

    /** Takes the root mean squares of a block of 10 ms that ended at `at`. */
    block(at: number, mic: number, agent: number): void {
      if (++blocks % 500 === 0) [before, quietest] = [quietest, Infinity];
      if (mic) quietest = Math.min(quietest, mic);
      loudest = Math.max(mic, loudest * 0.996);
      if (mic > Math.max(4 * Math.min(quietest, before), 0.002, loudest / 25)) {
        loud = [...loud.filter((end) => end > at - 0.2), at];
        if (loud.length > 5) {
          const start = loud[0]! - 0.01;
          const stretch = acts.findLast(({ text }) => text === undefined);
          if (stretch && start - stretch.end < 0.2) stretch.end = at;
          else add({ start, end: at });
        }
      }
      if (agent < 0.0016) return;
      const isNew = at - sounded > 0.3;
      sounded = at;
      if (isNew) began({ at: at - 0.01, acts, answered });
      if (isNew || at - (last()?.end ?? at) > 1) answered = at; // who talks on for a second does not answer
    },
  };
}

/** The time from the caller's last act to the answer, if it is one. */
export function latencyOf({ at, acts, answered }: Onset): number | undefined {
  const end = Math.max(...acts.map((act) => act.end));
  return end > answered && at > end && at - end < 20 ? at - end : undefined;
}

/** A root mean square as a level from 0 (-60 dB and below) to 1 (full scale). */
export const level = (rms: number): number => Math.max(0, Math.min(1, 1 + Math.log10(rms + 1e-9) / 3));
