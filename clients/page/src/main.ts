import { AntiphonClient, type Floor, type StateChange } from "../../js/src/index.ts";
import { devices, recalled, remember } from "./devices.ts";
import { make, the } from "./dom.ts";
import { floorSign } from "./floor.ts";
import { latencyPanel } from "./latency.ts";
import { lines } from "./lines.ts";
import { problem, type Problem } from "./problems.ts";
import type { Talk } from "./talk.ts";
import { transcript } from "./transcript.ts";
import { waves } from "./waves.ts";

type Held = Pick<Floor, "state" | "detail">;

const scene = new URLSearchParams(location.search).get("sample");
const view = document.body.dataset;
const GUESSES: Record<string, Held> = {
  "user-started-speaking": { state: "user", detail: "speaking" },
  "user-stopped-speaking": { state: "nobody", detail: "thinking" },
  "bot-started-speaking": { state: "agent", detail: "talking" },
  "bot-stopped-speaking": { state: "nobody", detail: "listening" },
};
const READY = "The microphone is off until you start.";

let talk: Talk | undefined; // while there is a conversation, or one is being begun
let key = recalled("key", "sessionStorage");
let byHand = false; // whether somebody pressed something to begin: the sample begins by itself, and leaves the focus alone
let ended = false; // by the user
let lost = false; // for now, or for good
let countdown = 0;

const floor = floorSign();
const latency = latencyPanel((turn) => shown.mark(turn));
const shown = transcript((turn) => {
  latency.choose(turn);
  if (getComputedStyle(the("strip")).display === "none") return;
  open(true);
  the("strip").focus();
});
const said = lines((line, all) => shown.show(line, all, latency.current()));
const wave = waves(the<HTMLCanvasElement>("waves"));
const chosen = devices(() => pressed("camera"), (error) => say(problem(error).title));

on("talk", () => start(true));
on("type", () => (talk ? cancel() : start(false)));
on("again", () => start(pressed("mic")));
on("end", end);
on("mic", () => toggle("mic"));
on("camera", () => toggle("camera"));
on("strip", () => open(!document.body.classList.contains("open-latency")));
on("agent", named, "change");
on("text", sendable, "input");
on("controls", send, "submit");
on("key-form", useKey, "submit");
void meet();

// Before ---------------------------------------------------------------------------------------------

/** Learns who can be talked to. */
async function meet(): Promise<void> {
  look("start");
  named();
  const found = scene === null ? await agents() : ["bicycle_shop"];
  if (!Array.isArray(found)) return trouble(found);
  the("agent").replaceChildren(...found.map((name) => make("option", { value: name }, spoken(name) || name)));
  the("choice").hidden = found.length < 2;
  named();
  if (scene !== null && scene !== "start") await start(true);
  byHand = true;
}

async function agents(): Promise<string[] | Problem> {
  try {
    const answer = await fetch(here("agents"), { headers: authorization() });
    if (answer.status === 401) return problem({ status: 401 }, key);
    const { agents } = (await answer.json()) as { agents: { name: string }[] };
    return agents.map(({ name }) => name);
  } catch {
    return [""]; // /start will say what is wrong
  }
}

function named(): void {
  const name = spoken(agent());
  const it = name || "the agent";
  the("greeting").textContent = `Talk to ${it}`;
  the("title").textContent = `A conversation with ${it}`;
  the("talk-to").textContent = `to ${it}`;
  document.title = name ? `${name} · Antiphon` : "Antiphon";
  floor.agent = name || "The agent";
  the("floor-agent").textContent = shown.agent = wave.agent = name || "Agent";
  if (view.view === "start") wave.illustrate();
}

async function start(mic: boolean): Promise<void> {
  if (talk) return;
  settle();
  ended = false;
  said.clear();
  shown.clear();
  latency.clear();
  press("mic", mic);
  connecting(true, mic);
  let mine: Talk | undefined;
  try {
    mine = talk = await conversation(mic);
    listen(mine);
    await mine.connect();
  } catch (error) {
    if (talk !== mine) return; // it was cancelled
    talk = undefined;
    trouble(problem(error, key));
  }
}

/** A conversation with the server that this page comes from, or the sample. */
async function conversation(mic: boolean): Promise<Talk> {
  if (scene !== null) {
    const { sample } = (await import(here("sample.js"))) as typeof import("./sample.ts");
    return sample(scene);
  }
  const speaker = chosen.id("speaker");
  const client = new AntiphonClient({
    start: { url: here("start"), body: agent() ? { agent: agent() } : {}, headers: authorization() },
    mic: mic && (chosen.id("mic") || true),
    camera: pressed("camera") && (chosen.id("camera") || true),
    ...(speaker && { speaker }),
    observe: true,
    timeout: 45, // it takes time to read what the browser asks
    worklet: here("antiphon-worklet.js"),
  });
  return Object.assign(client, { now: () => performance.now() / 1000 });
}

function connecting(on: boolean, mic = true): void {
  the<HTMLButtonElement>("talk").disabled = on;
  the("talk-words").textContent = on ? "Connecting…" : "Start talking";
  the("type").textContent = on ? "Cancel" : "Type instead";
  the("hint").textContent = !on ? READY : mic ? "Your browser may ask for the microphone: allow it." : "One moment.";
  if (on) say("Connecting");
}

function cancel(): void {
  const was = talk;
  talk = undefined;
  connecting(false);
  was?.disconnect().catch(() => undefined);
}

function trouble({ title, words, wait, needsKey }: Problem): void {
  look("start");
  connecting(false);
  document.body.classList.add("trouble");
  const after = make("span", {});
  the("problem").replaceChildren(make("strong", {}, title), words, " ", after);
  the("problem").hidden = false;
  the("key-form").hidden = !needsKey;
  the("actions").hidden = !!needsKey;
  if (needsKey && byHand) the("key").focus();
  if (wait === undefined) return;
  let left = Math.ceil(wait);
  const tick = (): void => {
    after.textContent = left > 0 ? `Try again in ${left} s.` : "Try again now.";
    the<HTMLButtonElement>("talk").disabled = left > 0;
    if (left-- <= 0) clearInterval(countdown);
  };
  tick();
  countdown = window.setInterval(tick, 1000);
}

/** No trouble is shown any more. */
function settle(): void {
  clearInterval(countdown);
  document.body.classList.remove("trouble");
  the("problem").hidden = the("key-form").hidden = true;
  the("actions").hidden = false;
}

function useKey(): void {
  key = the<HTMLInputElement>("key").value.trim();
  remember("key", key, "sessionStorage");
  settle();
  void meet().then(() => the("talk").focus());
}

// Meanwhile ------------------------------------------------------------------------------------------

function listen(mine: Talk): void {
  mine.on("state", (change) => talk === mine && entered(mine, change));
  mine.on("transcript", said.transcript);
  mine.on("turn", (turn) => {
    latency.add(turn);
    said.turn(turn);
  });
  mine.on("unprompted", said.unprompted);
  mine.on("falseInterruption", said.falseInterruption);
  let told = false; // of the floor by those who decide; else it is guessed from who speaks
  const take = (now: Held): void => {
    floor.show(now);
    wave.floor(now.state);
  };
  mine.on("floor", (now) => {
    told = true;
    take(now);
  });
  mine.on("protocol", ({ type }) => {
    const guess = !told && GUESSES[type];
    if (guess) take(guess);
  });
  mine.on("level", wave.push);
  mine.on("latency", ({ atEar, turn }) => {
    wave.gap(atEar);
    if (turn === null) latency.heard(atEar);
  });
  mine.on("tracks", pictures);
  mine.on("error", (error) => {
    if (error.code === "playback") document.addEventListener("click", () => void mine.resume(), { once: true });
    say(error.code === "agent" ? error.message : problem(error).title);
  });
}

function entered(mine: Talk, { state, reason }: StateChange): void {
  if (state === "ready") {
    const again = view.view === "live";
    look("live");
    chosen.use(mine);
    floor.say("Listening");
    connected(true);
    say(again ? "Connected again" : "Connected");
    if (again) return;
    the("empty").textContent = `${pressed("mic") ? "Say" : "Type"} something: what is said appears here.`;
    wave.begin(() => mine.now());
    if (byHand) the(pressed("mic") ? "mic" : "text").focus({ preventScroll: true });
  } else if (state === "reconnecting") {
    floor.say("Connection lost. Trying again…");
    wave.floor("nobody");
    connected(false);
    say("Connection lost. Trying again.");
  } else if (state === "ended" && view.view === "live") {
    over(reason);
  }
}

function over(reason: string): void {
  const why = ended ? "You ended the conversation." : lost ? "The connection was lost, and did not come back." : `The conversation has ended${reason && `: ${reason.replace(/\.$/, "")}`}.`;
  const summary = latency.summary();
  talk = undefined;
  chosen.use(undefined);
  wave.stop();
  look("ended");
  floor.say("The conversation has ended");
  the("ended-words").replaceChildren(make("strong", {}, why), ` ${summary}`);
  say(`${why} ${summary}`);
  if (byHand) the("again").focus({ preventScroll: true });
  pictures();
}

async function end(): Promise<void> {
  ended = true;
  await talk?.disconnect().catch(() => undefined);
  if (view.view === "live") over("");
}

async function toggle(what: "mic" | "camera"): Promise<void> {
  const on = !pressed(what);
  press(what, on);
  try {
    await talk?.[what === "mic" ? "setMic" : "setCamera"](on && (chosen.id(what) || true));
    say(`${the(what).ariaLabel} ${on ? "on" : "off"}`);
  } catch (error) {
    press(what, !on);
    const { title } = problem(error);
    floor.say(title);
    say(title);
  }
}

function send(): void {
  const field = the<HTMLInputElement>("text");
  const text = field.value.trim();
  if (!text || !talk) return;
  try {
    talk.sendText(text);
  } catch (error) {
    return floor.say(problem(error).title);
  }
  shown.toEnd();
  field.value = "";
  sendable();
}

function sendable(): void {
  the<HTMLButtonElement>("send").disabled = !the<HTMLInputElement>("text").value.trim();
}

/** Shows the latency in the place of the conversation, where there is room for one of them. */
function open(open: boolean): void {
  document.body.classList.toggle("open-latency", open);
  the("strip").setAttribute("aria-expanded", String(open));
  latency.strip();
}

function pictures(): void {
  const { camera, agentVideo } = talk?.tracks ?? {};
  for (const [id, track] of [["mine", camera], ["theirs", agentVideo]] as const) {
    const video = the<HTMLVideoElement>(id);
    video.hidden = !track || track.muted;
    if (track) track.onmute = track.onunmute = pictures;
    if ((video.srcObject as MediaStream | null)?.getTracks()[0] !== track) video.srcObject = track ? new MediaStream([track]) : null;
  }
}

function look(now: "start" | "live" | "ended"): void {
  view.view = now;
  connecting(false);
  if (now === "start") wave.illustrate();
}

function connected(yes: boolean): void {
  lost = !yes;
  the("with").textContent = yes ? "Connected" : "Not connected";
  the("with").toggleAttribute("data-lost", lost);
}

/** Tells a screen reader how things stand. */
function say(words: string): void {
  the("status").textContent = words;
}

// Small things ---------------------------------------------------------------------------------------

function on(id: string, act: () => unknown, event = "click"): void {
  the(id).addEventListener(event, (event) => {
    if (event.type === "submit") event.preventDefault();
    void act();
  });
}

function here(path: string): string {
  return new URL(path, document.baseURI).href;
}

function authorization(): Record<string, string> {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function agent(): string {
  return the<HTMLSelectElement>("agent").value;
}

/** "bicycle_shop" as one says it; nothing for names that say nothing. */
function spoken(name: string): string {
  if (["agent", "default", "bot"].includes(name)) return "";
  return name.replace(/[_-]+/g, " ").trim().replace(/(^| )\p{Ll}/gu, (letter) => letter.toUpperCase());
}

function pressed(id: string): boolean {
  return the(id).ariaPressed === "true";
}

function press(id: string, on: boolean): void {
  the(id).ariaPressed = String(on);
}
