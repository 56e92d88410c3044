import assert from "node:assert/strict";
import { test } from "node:test";
import { worklet } from "../dist/test/parts.js";

/** The processors as an audio thread of this rate has them; `posted` is what they post. */
function processor(name, rate = 48000) {
  const found = {};
  const posted = [];
  globalThis.sampleRate = rate;
  globalThis.currentTime = 0;
  globalThis.registerProcessor = (name, made) => (found[name] = made);
  globalThis.AudioWorkletProcessor = class {
    port = { postMessage: (message) => posted.push(message), onmessage: null };
  };
  worklet();
  return { it: new found[name](), posted };
}

const tone = (hz, rate, samples, from = 0) => Float32Array.from({ length: samples }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * (i + from)) / rate));
const rms = (samples) => Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);

/** Gives the tap this tone; the 16 kHz samples that come of it. */
function tapped(hz, rate) {
  const { it, posted } = processor("antiphon-capture", rate);
  for (let block = 0; block < rate / 128; block++) it.process([[tone(hz, rate, 128, block * 128)]]);
  return posted.flatMap((chunk) => [...new Int16Array(chunk)].map((value) => value / 32767));
}

for (const rate of [48000, 44100, 16000, 96000]) {
  test(`the tap makes 16 kHz of ${rate} Hz: a tone stays, what does not fit is gone`, () => {
    const kept = tapped(1000, rate);
    assert.ok(Math.abs(kept.length - 16000) <= 640, String(kept.length));
    assert.ok(Math.abs(rms(kept.slice(400)) - rms(tone(1000, 16000, 16000))) < 0.002);
    if (rate > 24000) assert.ok(rms(tapped(11000, rate).slice(400)) < 0.002);
  });
}

function player(rate = 48000) {
  const { it } = processor("antiphon-player", rate);
  return {
    add: (samples, rate = 24000) => it.port.onmessage({ data: { pcm: Int16Array.from(samples, (value) => value * 32767).buffer, rate } }),
    clear: () => it.port.onmessage({ data: null }),
    play(seconds) {
      const all = [];
      for (let block = 0; block < (seconds * rate) / 128; block++) {
        const output = [new Float32Array(128)];
        assert.equal(it.process([], [output]), true);
        all.push(...output[0]);
      }
      return all;
    },
  };
}

test("the player waits for 60 ms of sound and plays it whole, at its own rate", () => {
  const one = player();
  one.add(tone(440, 24000, 1200)); // 50 ms
  assert.ok(one.play(0.02).every((value) => value === 0));
  one.add(tone(440, 24000, 22800, 1200));
  const heard = one.play(1.1).filter((value) => value !== 0);
  assert.ok(Math.abs(heard.length - 48000) < 100, String(heard.length));
  assert.ok(Math.abs(rms(heard) - rms(tone(440, 24000, 24000))) < 0.003);
});

test("a short sound is not waited for in vain", () => {
  const one = player();
  one.add(tone(440, 24000, 480)); // 20 ms
  assert.ok(rms(one.play(0.1)) > 0.05);
});

test("cleared, it fades out within 10 ms and plays what comes next", () => {
  const one = player();
  one.add(tone(440, 24000, 48000));
  one.play(0.2);
  one.clear();
  const fade = one.play(0.2);
  assert.ok(rms(fade.slice(0, 240)) > 0.05);
  assert.ok(fade.slice(480).every((value) => value === 0));
  one.add(tone(440, 24000, 4800));
  assert.ok(rms(one.play(0.2)) > 0.1);
});

test("a gap in the network is silence, and nothing is lost", () => {
  const one = player();
  let played = [];
  for (let i = 0; i < 10; i++) {
    one.add(tone(440, 24000, 2400, i * 2400));
    played = played.concat(one.play(i === 4 ? 0.4 : 0.1));
  }
  played = played.concat(one.play(0.5));
  assert.ok(Math.abs(played.filter((value) => value !== 0).length - 48000) < 300);
});

test("the meter tells of both sides, each 10 ms", () => {
  const { it, posted } = processor("antiphon-meter");
  for (let block = 0; block < 375; block++) {
    globalThis.currentTime = (block * 128) / 48000;
    it.process([[tone(1000, 48000, 128, block * 128)], []]);
  }
  const blocks = posted;
  assert.equal(blocks.length, 100);
  assert.ok(blocks.every(([at, mic, agent], i) => Math.abs(at - (i + 1) / 100) < 1e-6 && Math.abs(mic - 0.3536) < 0.01 && agent === 0));
});
