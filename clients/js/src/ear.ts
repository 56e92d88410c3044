/**
 * Voice-to-voice latency as the caller's ear has it: from the last sound of speech in the microphone's track to
 * the first sound in the agent's, both on the clock of one audio graph. An agent that talks on for a second does
 * not answer what was said meanwhile.
 *
 * A block is speech where it is over -54 dB and 12 dB over the room, which is the quietest block of the last 5 to
 * 10 s; 60 ms of such blocks within 200 ms are speech, less is a click. The agent sounds from -56 dB on; its sound
 * is a new one after 300 ms of quiet.
 *
 * Gives a function that takes the root mean squares of each block of 10 ms, by the time `at` which it ended.
 */
export function listen(answered: (seconds: number) => void): (at: number, mic: number, agent: number) => void {
  let quietest = Infinity; // block of these 5 s
  let before = 0.001; // of the 5 s before; at first a guess
  let blocks = 0;
  let sounded = -Infinity; // the end of the agent's last block with sound
  let spoke: number | null = null; // the end of the last speech that has no answer yet
  const loud: number[] = []; // ends of the loud blocks of the last 200 ms

  return (at, mic, agent) => {
    if (++blocks % 500 === 0) [before, quietest] = [quietest, Infinity];
    if (mic) quietest = Math.min(quietest, mic);
    if (mic > Math.max(4 * Math.min(quietest, before), 0.002)) {
      loud.push(at);
      while (loud[0]! < at - 0.2) loud.shift();
      if (loud.length > 5) spoke = at;
    }
    if (agent < 0.0016) return;
    const isNew = at - sounded > 0.3;
    sounded = at;
    if (spoke === null) return;
    const latency = at - 0.01 - spoke;
    if (!isNew && latency < 1) return;
    spoke = null;
    if (isNew && latency > 0 && latency < 20) answered(latency);
  };
}

/** A root mean square as a level from 0 (-60 dB and below) to 1 (full scale). */
export const level = (rms: number): number => Math.max(0, Math.min(1, 1 + Math.log10(rms + 1e-9) / 3));
