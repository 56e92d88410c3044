import { AntiphonClient, type Floor, type StateChange } from "../../js/src/index.ts";
import { devices, recalled, remember } from "./devices.ts";
import { make, the } from "./dom.ts";
import { floorSign } from "./floor.ts";
import { latencyPanel } from "./latency.ts";
import { keys } from "./keys.ts";
import { lines } from "./lines.ts";
import { notices } from "./notice.ts";
import { pictures } from "./pictures.ts";
import { problem, type Problem } from "./problems.ts";
import type { Saved } from "./save.ts";
import { agents, authorization, here, spoken } from "./server.ts";
import { startView } from "./start.ts";
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
const LEAVE: Problem = { title: "End the conversation?", words: "Press Escape again to end it." };
const AGAIN = 4; // seconds within which that is meant
const GREETED = 1.5; // seconds after which an agent that says nothing is taken to wait
const PATIENCE = 5; // seconds without a connection after which it is said what to do

const LOST: Problem = { title: "There is still no connection.", words: "Check your network. If the server has stopped, end here, and talk again when it runs." };

let talk: Talk | undefined; // while there is a conversation, or one is being begun
let key = recalled("key", "sessionStorage");
let byHand = false; // whether somebody pressed something to begin: the sample begins by itself, and leaves the focus alone
let ended = false; // by the user
let lost = false; // for now, or for good
let waiting = 0; // the timer of that
let leaving = -AGAIN; // when Escape was pressed
let begun = new Date();
let saving: Promise<typeof import("./save.ts")> | undefined; // loaded while the server is there for certain

const begin = startView(say);
const notice = notices();
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
const chosen = devices(() => pressed("camera"), (error) => notice.show(problem(error)));

on("talk", () => start(true));
on("type", () => (talk ? cancel() : start(false)));
on("again", () => start(pressed("mic")));
on("end", end);
on("mic", () => toggle("mic"));
on("camera", () => toggle("camera"));
on("copy", async () => (await saving!).copy(saved(), say));
on("download", async () => (await saving!).download(saved()));
on("strip", () => open(!document.body.classList.contains("open-latency")));
on("agent", named, "change");
on("text", sendable, "input");
on("controls", send, "submit");
on("key-form", useKey, "submit");
keys({ m: live(() => toggle("mic")), v: live(() => toggle("camera")), t: live(() => the("text").focus()), d: chosen.open, "?": chosen.open }, escape);
void meet();

// Before ---------------------------------------------------------------------------------------------

/** Learns who can be talked to. */
async function meet(): Promise<void> {
  look("start");
  named();
  const found = scene === null ? await agents(key) : ["bicycle_shop"];
  if (!Array.isArray(found)) return trouble(found);
  the("agent").replaceChildren(...found.map((name) => make("option", { value: name }, spoken(name) || name)));
  the("choice").hidden = found.length < 2;
  named();
  if (scene !== null && scene !== "start") await start(true);
  byHand = true;
}

function named(): void {
  const name = spoken(agent());
  const it = name || "the agent";
  the("greeting").textContent = `Talk to ${it}`;
  the("title").textContent = `A conversation with ${it}`;
  the("talk-to").textContent = `to ${it}`;
  document.title = name ? `${name} · Antiphon` : "Antiphon";
  floor.agent = name || "The agent";
  shown.agent = wave.agent = name || "Agent";
  if (view.view === "start") wave.illustrate();
}

async function start(mic: boolean): Promise<void> {
  if (talk) return;
  begin.settle();
  ended = false;
  said.clear();
  shown.clear();
  latency.clear();
  press("mic", mic);
  begin.connecting(true, mic);
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
    start: { url: here("start"), body: agent() ? { agent: agent() } : {}, headers: authorization(key) },
    mic: mic && (chosen.id("mic") || true),
    camera: pressed("camera") && (chosen.id("camera") || true),
    ...(speaker && { speaker }),
    volume: chosen.volume(),
    observe: true,
    timeout: 45, // it takes time to read what the browser asks
    worklet: here("antiphon-worklet.js"),
  });
  return Object.assign(client, { now: () => performance.now() / 1000 });
}

function cancel(): void {
  const was = talk;
  talk = undefined;
  begin.connecting(false);
  was?.disconnect().catch(() => undefined);
}

function trouble(what: Problem): void {
  look("start");
  begin.trouble(what, byHand);
}

function useKey(): void {
  key = the<HTMLInputElement>("key").value.trim();
  remember("key", key, "sessionStorage");
  begin.settle();
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
  mine.on("tool", floor.tool);
  mine.on("tracks", pictures);
  mine.on("error", (error) => {
    const { code } = error;
    if (code === "mic" || code === "camera") press(code, false);
    if (code === "playback") onAct(() => void mine.resume().then(notice.hide));
    if (code !== "connection") notice.show(problem(error));
  });
}

/** With the next click or key. */
function onAct(then: () => void): void {
  const acted = new AbortController();
  for (const act of ["click", "keydown"]) document.addEventListener(act, () => (acted.abort(), then()), { signal: acted.signal });
}

function entered(mine: Talk, { state, reason }: StateChange): void {
  if (state === "ready") {
    const again = view.view === "live";
    look("live");
    chosen.use(mine);
    floor.show({ state: "nobody", detail: "listening" });
    connected(true);
    if (again) notice.hide();
    say(again ? "Connected again" : "Connected");
    if (again) return;
    begun = new Date();
    saving ??= import(here("save.js"));
    the("empty").textContent = "What is said appears here.";
    window.setTimeout(() => talk === mine && prompt(), GREETED * 1000);
    wave.begin(() => mine.now());
    if (byHand) the(pressed("mic") ? "mic" : "text").focus({ preventScroll: true });
  } else if (state === "reconnecting") {
    floor.say("Connection lost. Trying again…");
    wave.floor("nobody");
    connected(false);
    say("Connection lost. Trying again.");
    waiting = window.setTimeout(() => notice.show(LOST), PATIENCE * 1000);
  } else if (state === "ended" && view.view === "live") {
    over(reason);
  }
}

function over(reason: string): void {
  const why = ended ? "You ended the conversation." : lost ? "The connection was lost, and did not come back." : sentence(reason || "it has ended");
  const summary = (lost && !ended ? "Check your network; it may also be that the server has stopped. " : "") + latency.summary();
  talk = undefined;
  chosen.use(undefined);
  clearTimeout(waiting);
  notice.hide();
  wave.stop();
  look("ended");
  floor.say("The conversation has ended");
  the("ended-words").replaceChildren(make("strong", {}, why), ` ${summary}`);
  say(`${why} ${summary}`);
  if (byHand) the("again").focus({ preventScroll: true });
  pictures({});
}

/** An agent that does not greet waits: somebody who has never seen this is told what to do. */
function prompt(): void {
  if (said.all.length) return;
  const verb = pressed("mic") ? "Say" : "Type";
  the("empty").replaceChildren(make("strong", {}, `${floor.agent} waits for you to begin.`), ` ${verb}, for example: “Hello, what can you do for me?”`);
  say(the("empty").textContent!);
}

/** Does it in a conversation alone. */
function live(act: () => unknown): () => void {
  return () => void (view.view === "live" && act());
}

/** What is open is closed; a conversation is ended by the second time alone. */
function escape(): void {
  const now = performance.now() / 1000;
  if (view.view === "start") return talk && cancel();
  if (view.view === "live" && now - leaving < AGAIN) return void end();
  if (!the("notice").hidden) return notice.hide();
  if (document.body.classList.contains("open-latency")) return open(false);
  if (document.activeElement === the("text")) return the("mic").focus();
  if (view.view !== "live") return;
  leaving = now;
  notice.show(LEAVE);
  window.setTimeout(() => leaving === now && notice.hide(), AGAIN * 1000);
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
    notice.hide();
    say(`${what === "mic" ? "Microphone" : "Camera"} ${on ? "on" : "off"}`);
  } catch (error) {
    press(what, !on);
    notice.show(problem(error));
  }
}

function send(): void {
  const field = the<HTMLInputElement>("text");
  const text = field.value.trim();
  if (!text || !talk || lost) return;
  talk.sendText(text);
  shown.toEnd();
  field.value = "";
  sendable();
}

function sendable(): void {
  the<HTMLButtonElement>("send").disabled = lost || !the<HTMLInputElement>("text").value.trim();
}

/** Shows the latency in the place of the conversation, where there is room for one of them. */
function open(open: boolean): void {
  document.body.classList.toggle("open-latency", open);
  the("strip").setAttribute("aria-expanded", String(open));
  latency.strip();
}

function look(now: "start" | "live" | "ended"): void {
  view.view = now;
  begin.connecting(false);
  if (now === "start") wave.illustrate();
}

function connected(yes: boolean): void {
  lost = !yes;
  clearTimeout(waiting);
  sendable();
  the("with").textContent = yes ? "Connected" : "Reconnecting";
  the("with").toggleAttribute("data-lost", lost);
}

/** Tells a screen reader how things stand. */
function say(words: string): void {
  the("status").textContent = words;
}

const saved = (): Saved => ({ agent: floor.agent, begun, lines: said.all, turns: latency.turns });

// Small things ---------------------------------------------------------------------------------------

function on(id: string, act: () => unknown, event = "click"): void {
  the(id).addEventListener(event, (event) => {
    if (event.type === "submit") event.preventDefault();
    void act();
  });
}

function agent(): string {
  return the<HTMLSelectElement>("agent").value;
}

/** A reason as a sentence of its own. */
function sentence(reason: string): string {
  return `${reason[0]!.toUpperCase()}${reason.slice(1).replace(/\.$/, "")}.`;
}

function pressed(id: string): boolean {
  return the(id).ariaPressed === "true";
}

function press(id: string, on: boolean): void {
  the(id).ariaPressed = String(on);
  if (id === "mic") floor.hears(on);
}
