import type { Levels } from "../../js/src/index.ts";

/** Both voices over the last seconds: the user above the line, the agent below it, the waits between them marked. */

type Floor = "nobody" | "user" | "agent" | "both";

const STEP = 0.05; // seconds of a bar
const SILENCE = 0.3; // levels below are: rooms are never quiet
const LOUD = 0.8; // -12 dB, which voices seldom pass
const KEPT = 60; // seconds
/** Who speaks, for which share of the width, and the bars until the other does. */
const EXAMPLE: [side: 0 | 1, share: number, pause: number][] = [[0, 0.27, 9], [1, 0.33, 12], [0, 0.12, 8], [1, 0.3, 0]];

export function waves(canvas: HTMLCanvasElement) {
  const context = canvas.getContext("2d")!;
  const style = getComputedStyle(canvas);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const bars = new Map<number, [you: number, agent: number]>();
  let gaps: [from: number, to: number][] = [];
  let clock = (): number => 0;
  let running = false;
  let example = false;
  let holder: Floor = "nobody";
  let drawn = 0;

  new ResizeObserver(() => (example ? illustrate() : draw())).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  const colour = (name: string): string => style.getPropertyValue(`--${name}`);
  const pace = (): number => (canvas.clientWidth < 600 ? 70 : 100); // pixels of a second

  function bar(at: number): [number, number] {
    const place = Math.floor(at / STEP + 1e-6);
    const known = bars.get(place) ?? [0, 0];
    bars.set(place, known);
    return known;
  }

  function empty(isExample: boolean): void {
    bars.clear();
    gaps = [];
    holder = "nobody";
    example = isExample;
  }

  /** A made-up exchange: what will be seen here. */
  function illustrate(): void {
    empty(true);
    running = false;
    const seconds = canvas.clientWidth / pace();
    let at = 6; // bars
    for (const [side, share, pause] of EXAMPLE) {
      const length = Math.round((share * seconds) / STEP);
      for (let along = 0; along < length; along++) bar((at + along) * STEP)[side] = murmur((at + along) * STEP + side * 7.3, along / length);
      at += length + pause;
      if (side === 0) gaps.push([(at - pause) * STEP, at * STEP]);
    }
    clock = () => seconds;
    draw();
  }

  function frame(): void {
    if (!running) return;
    const now = performance.now();
    if (now - drawn > (calm.matches ? 500 : 15)) {
      drawn = now;
      draw();
    }
    requestAnimationFrame(frame);
  }

  function draw(): void {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !height) return;
    const [wide, high] = [width, height].map((side) => Math.round(side * devicePixelRatio)) as [number, number];
    if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, width, height);

    const [now, speed, middle] = [clock(), pace(), Math.round(height / 2)];
    const tallest = middle - 18; // the names stand beyond
    const [you, accent] = [colour("you"), colour("accent")];
    const x = (at: number): number => width - (now - at) * speed;
    const stroke = (left: number, from: number, tall: number): void => {
      if (Math.abs(tall) < 1) return;
      context.beginPath();
      context.roundRect(left, Math.min(from, from + tall), STEP * speed * 0.6, Math.abs(tall), 9);
      context.fill();
    };
    context.fillStyle = colour("line");
    context.fillRect(0, middle - 0.5, width, 1);
    for (let at = Math.floor((now - width / speed) / STEP); at <= now / STEP; at++) {
      const [above, below] = bars.get(at) ?? [0, 0];
      context.fillStyle = you;
      stroke(x(at * STEP), middle - 2, -above * tallest);
      context.fillStyle = accent;
      stroke(x(at * STEP), middle + 2, below * tallest);
    }

    context.font = `600 12px ${style.fontFamily}`;
    for (const [from, to] of gaps) {
      const [left, right] = [x(from), x(to)];
      context.fillRect(left, middle - 1, right - left, 2);
      context.fillRect(left, middle - 7, 1.5, 14);
      context.fillRect(right - 1.5, middle - 7, 1.5, 14);
      context.fillText(`${Math.round((to - from) * 1000)} ms`, left + 6, middle - 10);
    }

    const past = context.createLinearGradient(0, 0, 56, 0);
    past.addColorStop(0, "#000");
    past.addColorStop(1, "#0000");
    context.globalCompositeOperation = "destination-out";
    context.fillStyle = past;
    context.fillRect(0, 0, 56, height);
    context.globalCompositeOperation = "source-over";

    const name = (name: string, y: number, who: Floor, lit: string): void => {
      const holds = holder === who || holder === "both";
      context.font = `${holds ? "600 " : ""}12px ${style.fontFamily}`;
      context.fillStyle = holds ? lit : colour("faint");
      context.fillText(name, 0, y);
    };
    name("You", 11, "user", you);
    name(it.agent, height - 3, "agent", accent);
  }

  const it = {
    agent: "Agent",
    illustrate,

    begin(now: () => number): void {
      empty(false);
      clock = now;
      if (running) return;
      running = true;
      frame();
    },

    /** What was last seen stays. */
    stop(): void {
      const at = clock();
      clock = () => at;
      running = false;
      holder = "nobody";
      draw();
    },

    push({ mic, agent }: Levels): void {
      const now = clock();
      const known = bar(now);
      known[0] = Math.max(known[0], shaped(mic));
      known[1] = Math.max(known[1], shaped(agent));
      if (bars.size > (2 * KEPT) / STEP) for (const at of bars.keys()) if (at < (now - KEPT) / STEP) bars.delete(at);
    },

    /** The agent begins now, and was silent for this long. */
    gap(seconds: number): void {
      gaps = [...gaps.slice(-8), [clock() - seconds, clock()]];
    },

    floor(now: Floor): void {
      holder = now;
    },
  };
  return it;
}

/** Levels are decibels; the eye wants the loud parts apart. */
const shaped = (level: number): number => Math.min(1, Math.max(0, (level - SILENCE) / (LOUD - SILENCE))) ** 1.15;

/** Something like the loudness of speech, 0 to 1: syllables in words in a phrase. */
export function murmur(at: number, along: number): number {
  const syllable = 0.55 + 0.45 * Math.sin(at * 27 + 3 * Math.sin(at * 3.1));
  const word = 0.5 + 0.5 * Math.sin(at * 8.3 + 2 * Math.sin(at * 1.7));
  const grain = 0.75 + 0.25 * Math.sin(at * 91.7);
  const phrase = Math.min(1, along * 9, (1 - along) * 7);
  return Math.max(0.05, phrase * (0.16 + 0.84 * word ** 0.5 * syllable ** 0.6) * grain);
}
