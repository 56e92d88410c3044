import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encodeAudio, encodeMessage } from "../dist/test/parts.js";

const bytes = (hex) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

test("a message is Frame.message.data", () => {
  assert.deepEqual(encodeMessage("{}"), bytes("22 04 0a 02 7b7d"));
  assert.deepEqual(decode(encodeMessage('{"a":"\u00e9"}')), { kind: "message", text: '{"a":"\u00e9"}' });
});

test("a long message has a length of several bytes", () => {
  const text = "x".repeat(100_000);
  assert.equal(decode(encodeMessage(text)).text, text);
});

test("audio has its samples, its rate and one channel", () => {
  const frame = encodeAudio(bytes("0100 ff7f"), 16000);
  assert.deepEqual(frame, bytes("12 0b 1a 04 0100ff7f 20 80 7d 28 01"));
  assert.deepEqual(decode(frame), { kind: "audio", pcm: bytes("0100ff7f"), rate: 16000 });
});

test("audio of a server has an id, a name and a place in time as well", () => {
  const inner = "08 ffffffffffffffffff01 12 03 616263 1a 02 0100 20 c0bb01 28 01 30 05";
  const length = bytes(inner).length.toString(16).padStart(2, "0");
  assert.deepEqual(decode(bytes(`12 ${length} ${inner}`)), { kind: "audio", pcm: bytes("0100"), rate: 24000 });
});

test("an interruption, and what is of no use", () => {
  assert.equal(decode(bytes("2a 00")).kind, "interruption");
  assert.equal(decode(bytes("0a 02 0801")).kind, "other");
  assert.equal(decode(bytes("")).kind, "other");
  assert.equal(decode(bytes("38 01")).kind, "other");
});

test("what is cut short or no protobuf is refused", () => {
  for (const hex of ["22", "22 05 0a", "22 ffffffffffffffffffffffff", "27", "23", "12 03 1a 09 00"]) {
    assert.throws(() => decode(bytes(hex)), RangeError, hex);
  }
});

test("no bytes at all make it do anything but decode or refuse", () => {
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647);
  for (let round = 0; round < 5000; round++) {
    const frame = Uint8Array.from({ length: random() % 40 }, () => random() % 256);
    try {
      decode(frame);
    } catch (error) {
      assert.ok(error instanceof RangeError || error instanceof TypeError, String(error));
    }
  }
});
