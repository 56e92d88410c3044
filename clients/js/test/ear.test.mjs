import assert from "node:assert/strict";
import { test } from "node:test";
import { latencyOf, level, listen } from "../dist/test/parts.js";

const ROOM = 0.001;
const VOICE = 0.1;

/** Plays [seconds, mic, agent] in turn, in blocks of 10 ms, or types a text; the moments at which the agent's voice set in. */
function onsets(...stretches) {
  const all = [];
  const ear = listen((onset) => all.push({ ...onset, acts: structuredClone(onset.acts) }));
  let blocks = 0;
  for (const [seconds, mic, agent] of stretches) {
    if (typeof seconds === "string") ear.typed(blocks / 100, seconds);
    else for (let i = 0; i < Math.round(seconds * 100); i++) ear.block(++blocks / 100, mic, agent);
  }
  return all;
}

/** What is measured without a server that tells of turns. */
const hear = (...stretches) => onsets(...stretches).map(latencyOf).filter((seconds) => seconds !== undefined).map((seconds) => Math.round(seconds * 1000));

test("from the last sound of the caller to the first of the agent", () => {
  assert.deepEqual(hear([1, ROOM, 0], [1.5, VOICE, 0], [0.64, ROOM, 0], [2, ROOM, VOICE]), [640]);
});

test("a pause in the caller's speech starts it anew", () => {
  assert.deepEqual(hear([1, ROOM, 0], [1, VOICE, 0], [0.5, ROOM, 0], [1, VOICE, 0], [0.3, ROOM, 0], [1, ROOM, VOICE]), [300]);
});

test("a voice that fades is heard to its end, however long it has spoken", () => {
  const words = Array.from({ length: 20 }, () => [[0.3, VOICE, 0], [0.05, 0.002, 0]]).flat();
  assert.deepEqual(hear([1, 0.0005, 0], ...words, [0.2, 0.005, 0], [0.5, 0.0005, 0], [1, 0.0005, VOICE]), [500]);
});

test("a greeting answers nobody", () => {
  assert.deepEqual(hear([1, ROOM, 0], [2, ROOM, VOICE], [1, ROOM, 0], [1, ROOM, VOICE]), []);
});

test("one answer is measured once, whatever its pauses", () => {
  assert.deepEqual(hear([1, VOICE, 0], [0.5, ROOM, 0], [1, ROOM, VOICE], [0.6, ROOM, 0], [1, ROOM, VOICE]), [500]);
});

test("a click is no speech, nor is a room that hums", () => {
  assert.deepEqual(hear([1, ROOM, 0], [0.03, VOICE, 0], [0.5, ROOM, 0], [1, ROOM, VOICE]), []);
  assert.deepEqual(hear([30, 0.02, 0], [1, 0.02, VOICE]), []);
});

test("what is said while the agent talks on has no answer", () => {
  assert.deepEqual(hear([1, ROOM, VOICE], [0.4, VOICE, VOICE], [2, ROOM, VOICE], [0.5, ROOM, 0], [1, ROOM, VOICE]), []);
});

test("an agent that is interrupted answers the interruption", () => {
  assert.deepEqual(hear([1, ROOM, VOICE], [0.5, VOICE, VOICE], [0.5, VOICE, 0], [0.7, ROOM, 0], [1, ROOM, VOICE]), [700]);
});

test("the room's echo of a loud voice is no sound of the caller's", () => {
  assert.deepEqual(hear([1, 0.0005, 0], [1, 0.3, 0], [0.3, 0.008, 0], [0.3, 0.0005, 0], [1, 0.0005, VOICE]), [600]);
});

test("what was typed is answered from then on, whatever was said before", () => {
  assert.deepEqual(hear([1, ROOM, 0], [1, VOICE, 0], [1.3, ROOM, 0], ["Hello"], [0.4, ROOM, 0], [1, ROOM, VOICE]), [400]);
});

test("each stretch of speech is kept, for those who know which of them was answered", () => {
  const [{ at, acts }] = onsets([1, ROOM, 0], [1, VOICE, 0], [0.5, ROOM, 0], [0.2, VOICE, 0], [0.3, ROOM, 0], [1, ROOM, VOICE]);
  assert.deepEqual([at, ...acts.flatMap(({ start, end }) => [start, end])].map((seconds) => Math.round(seconds * 100) / 100), [3, 1, 2, 2.5, 2.7]);
});

test("levels go from -60 dB to full scale", () => {
  assert.equal(level(0), 0);
  assert.equal(Math.round(level(0.001) * 100), 0);
  assert.equal(Math.round(level(0.1) * 100), 67);
  assert.equal(Math.round(level(1) * 100), 100);
});
