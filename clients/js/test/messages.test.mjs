import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { emitter, observation, protocol, transcripts } from "../dist/test/parts.js";

globalThis.navigator ??= { userAgent: "node" }; // which node has itself from version 21 on

function speaking() {
  const sent = [];
  const read = [];
  return { sent, read, it: protocol((text) => sent.push(JSON.parse(text)), (message) => read.push(message)) };
}
const answer = (type, id, data) => JSON.stringify({ label: "rtvi-ai", type, id, data });

test("the handshake tells the version and waits for the agent", async () => {
  const { it, sent } = speaking();
  const ready = it.handshake(1);
  assert.equal(sent[0].type, "client-ready");
  assert.equal(sent[0].data.version, "2.1.0");
  it.received(answer("bot-ready", sent[0].id, { version: "2.2.0" }));
  assert.deepEqual(await ready, { version: "2.2.0" });
});

test("requests have the answers that bear their ids, in any order", async () => {
  const { it, sent } = speaking();
  const both = [it.ask("client-message", { t: "a" }, 1), it.ask("client-message", { t: "b" }, 1)];
  it.received(answer("server-response", sent[1].id, { t: "b", d: 2 }));
  it.received(answer("error-response", sent[0].id, { error: "no such thing" }));
  await assert.rejects(both[0], { code: "refused", message: "no such thing" });
  assert.equal(await both[1], 2);
});

test("a request that nobody answers ends in time, and at the end of the connection", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { it } = speaking();
  const late = assert.rejects(it.ask("client-message", {}, 2), { code: "timeout" });
  mock.timers.tick(2001);
  await late;
  const cut = assert.rejects(it.ask("client-message", {}, 2), { code: "connection" });
  it.end("gone");
  await cut;
  mock.timers.reset();
});

test("what is no message of the protocol is left alone", () => {
  const { it, read } = speaking();
  for (const text of ["", "ping", "null", "[]", "7", '{"label":"other","type":"x"}', '{"label":"rtvi-ai"}']) it.received(text);
  assert.deepEqual(read, []);
});

test("an utterance of the user is one segment from its first guess on", () => {
  const told = [];
  const it = transcripts((_, event) => told.push([event.segment, event.text, event.status]));
  it.user({ text: "What", final: false });
  it.user({ text: "What time is it?", final: true });
  it.user({ text: "Hello", final: true });
  assert.deepEqual(told, [
    ["user-0", "What", "interim"],
    ["user-0", "What time is it?", "final"],
    ["user-1", "Hello", "final"],
  ]);
});

const output = (segment_id, text, done, spoken_status) => ({
  text,
  segment_id,
  will_be_spoken: true,
  spoken_status,
  spoken_progress: { accumulated_text: text.slice(0, done), remaining_text: text.slice(done) },
});

test("a segment of the agent is told as it is heard, and as cut where it was", () => {
  const told = [];
  const it = transcripts((_, event) => told.push([event.segment, event.status, event.heard, event.final]));
  it.agent(output(1, "Good day.", 0, "new"));
  it.agent(output(2, "It is noon.", 0, "new"));
  it.agent(output(1, "Good day.", 4, "in-progress"));
  it.agent(output(1, "Good day.", 9, "completed"));
  it.agent(output(2, "It is noon.", 5, "in-progress"));
  it.cut();
  it.cut();
  it.agent({ text: "Unspoken", segment_id: 3, will_be_spoken: false });
  assert.deepEqual(told, [
    ["agent-1", "new", "", false],
    ["agent-2", "new", "", false],
    ["agent-1", "speaking", "Good", false],
    ["agent-1", "spoken", "Good day.", true],
    ["agent-2", "speaking", "It is", false],
    ["agent-2", "cut", "It is", true],
    ["agent-3", "spoken", undefined, true],
  ]);
});

test("turns have the names of this language, and what was measured at the ear", () => {
  const { on, emit } = emitter();
  const heard = [];
  on("latency", (latency) => heard.push(latency));
  const it = observation(emit);
  it.all({});
  assert.equal(it.told({ type: "weather" }), false);
  const turn = { type: "antiphon.turn", number: 1, user: "Hi", started: 1, ended: 2, voice_to_voice: 0.6, parts: { first_token: 0.2 }, said: "" };
  assert.equal(it.told(turn), true);
  it.heard({ at: 10.7, acts: [{ start: 9, end: 10 }], answered: 0 });
  it.told({ ...turn, said: "Hello_there" });
  it.heard({ at: 12, acts: [{ start: 9, end: 10 }], answered: 10.7 }); // the answer goes on after a pause: no turn of its own
  assert.deepEqual(heard.map(({ atEar, turn }) => [Math.round(atEar * 1000), turn]), [[700, 1]]);
  assert.equal(it.turns.length, 1);
  assert.equal(it.turns[0].said, "Hello_there");
  assert.equal(it.turns[0].atEar, heard[0].atEar);
  assert.equal(it.turns[0].parts.firstToken, 0.2);
});

/** What is measured at the ear of a turn that took 0.6 s at the server, where the agent's voice set in at 100 s. */
function measured(turn, ...acts) {
  const { on, emit } = emitter();
  let found;
  on("latency", ({ atEar }) => (found = Math.round(atEar * 1000)));
  const it = observation(emit);
  it.all({});
  it.told({ type: "antiphon.turn", number: 1, user: "Hi", started: 1, ended: 2, voice_to_voice: 0.6, parts: null, said: "", ...turn });
  it.heard({ at: 100, acts, answered: 0 });
  return found;
}
const speech = (start, end) => ({ start, end });
const typed = (at, text) => ({ start: at, end: at, text });

test("a typed turn counts from when it was sent, not from what was said before it", () => {
  const written = { user: "Hi", started: 2, ended: 2 };
  assert.equal(measured(written, speech(96, 97), typed(99.3, " Hi")), 700);
  assert.equal(measured(written, speech(98, 99.3)), undefined);
  assert.equal(measured({}, typed(99.3, "Hi"), speech(96, 97)), undefined);
});

test("both ends mean the same last sound, or nothing is measured", () => {
  assert.equal(measured({}, speech(97, 99.3)), 700);
  assert.equal(measured({}, speech(97, 99.3), speech(99.5, 99.7)), 700, "a noise behind it, which the server took for none");
  assert.equal(measured({}, speech(97, 99.5)), undefined, "the way there and back would take less than no time");
  assert.equal(measured({}, speech(97, 98.2)), undefined, "it would take more than a second");
  assert.equal(measured({}, speech(95, 98.9), speech(99, 99.5)), undefined, "the server's last sound lies in the last stretch, but not at its end");
  assert.equal(measured({}), undefined);
});

test("a sound that does not fit is not the answer's: the next one may be", () => {
  const { on, emit } = emitter();
  const heard = [];
  on("latency", ({ turn }) => heard.push(turn));
  const it = observation(emit);
  it.all({});
  it.told({ type: "antiphon.turn", number: 3, user: "Hi", started: 1, ended: 2, voice_to_voice: 0.6, parts: null, said: "" });
  it.heard({ at: 99.6, acts: [speech(98, 99.3)], answered: 0 }); // the end of the answer before
  it.heard({ at: 100, acts: [speech(98, 99.3)], answered: 0 });
  assert.deepEqual(heard, [3]);
});

test("a listener that throws disturbs no other, and one that has left hears nothing", () => {
  const { on, emit } = emitter();
  const errors = [];
  globalThis.reportError = (error) => errors.push(error.message);
  const heard = [];
  on("message", () => {
    throw new Error("mine");
  });
  const leave = on("message", (data) => heard.push(data));
  emit("message", 1);
  leave();
  emit("message", 2);
  assert.deepEqual(heard, [1]);
  assert.deepEqual(errors, ["mine", "mine"]);
});
