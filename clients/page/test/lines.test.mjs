// The transcript: what comes in, in the order in which servers tell it, and the lines that it makes.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const { outputFiles } = await build({
  stdin: { contents: 'export * from "./lines.ts"; export { quantile } from "./latency.ts";', resolveDir: join(dirname(fileURLToPath(import.meta.url)), "../src") },
  bundle: true,
  format: "esm",
  write: false,
});
const { boundary, lines, quantile } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString("base64")}`);

/** Lines, and a function that shows them: "user: Hi", "agent 1: Hel|lo" (heard up to the bar). */
function begun() {
  const made = {};
  let all = [];
  Object.assign(made, lines((_, now) => (all = now)));
  made.seen = () => all.map(({ who, text, heard, cut, turn }) => {
    const at = who === "agent" ? boundary(text, heard) : text.length;
    return `${who}${turn ? ` ${turn.number}` : ""}: ${text.slice(0, at)}${at < text.length ? (cut ? "|" : "/") + text.slice(at) : ""}`;
  });
  return made;
}

let segments = 0;
const user = (text, final = true, segment = `u${++segments}`) => ({ who: "user", segment, text, final, status: final ? "final" : "interim" });
const agent = (segment, text, heard, status) => ({ who: "agent", segment, text, heard, status, final: status === "spoken" || status === "cut" });
const turn = (number, asked, said = "", heard = "", interrupted = false, started = number) => ({ number, user: asked, started, said, heard, interrupted, tools: [], failures: [], reply: number, voiceToVoice: 0.4 });

test("a turn and its answer", () => {
  const it = begun();
  it.transcript(user("are you", false, "first"));
  it.transcript(user("Are you open?", true, "first"));
  assert.deepEqual(it.seen(), ["user: Are you open?"]);
  it.transcript(agent("a", "Yes, we are.", "", "new"));
  it.turn(turn(1, "Are you open?", "Yes, we are. Until"));
  it.transcript(agent("a", "Yes, we are.", "Yes,", "speaking"));
  assert.deepEqual(it.seen(), ["user 1: Are you open?", "agent 1: Yes,/ we are."]);
  it.transcript(agent("a", "Yes, we are.", "Yes, we are.", "spoken"));
  it.transcript(agent("b", "Until six.", "Until six.", "spoken"));
  it.turn(turn(1, "Are you open?", "Yes, we are. Until six. ", "Yes, we are. Until six."));
  assert.deepEqual(it.seen(), ["user 1: Are you open?", "agent 1: Yes, we are. Until six."]);
});

test("an answer that is cut off, and what the server says of it later", () => {
  const it = begun();
  it.transcript(user("Tell me."));
  it.turn(turn(1, "Tell me."));
  it.transcript(agent("a", "Once upon a time", "Once upon", "speaking"));
  it.transcript(user("stop", false, "stop"));
  it.transcript(agent("a", "Once upon a time", "Once upon", "cut"));
  it.turn(turn(1, "Tell me.", "Once upon a time there", "Once upon", true));
  it.transcript(user("Stop!", true, "stop"));
  it.transcript(agent("b", "Fine.", "", "new"));
  assert.deepEqual(it.seen(), ["user 1: Tell me.", "agent 1: Once upon| a time there", "user: Stop!", "agent: /Fine."]);
});

test("a sound that does not take the floor", () => {
  const it = begun();
  it.transcript(user("Tell me."));
  it.turn(turn(1, "Tell me."));
  it.transcript(agent("a", "Once upon a time", "Once", "speaking"));
  it.transcript(user("mhm"));
  it.transcript(agent("b", "there was.", "", "new"));
  it.falseInterruption({ kind: "backchannel", text: "Mhm" });
  assert.deepEqual(it.seen(), ["user 1: Tell me.", "agent 1: Once/ upon a time there was.", "aside: Mhm"]);
});

test("turns that were missed, told twice", () => {
  const it = begun();
  for (const _ of [1, 2]) {
    it.turn(turn(1, "Hello", "Good day.", "Good day."));
    it.turn(turn(2, "Bye", "Goodbye.", "Good", true));
  }
  assert.deepEqual(it.seen(), ["user 1: Hello", "agent 1: Good day.", "user 2: Bye", "agent 2: Good|bye."]);
});

test("a greeting, and a turn in two stretches", () => {
  const it = begun();
  it.transcript(agent("g", "Welcome.", "Wel", "speaking"));
  it.unprompted({ reply: 1, said: "Welcome.", heard: "Welcome.", interrupted: false });
  it.transcript(user("I would like"));
  it.transcript(user("to book a table."));
  it.turn(turn(1, "I would like to book a table."));
  assert.deepEqual(it.seen(), ["agent: Welcome.", "user 1: I would like to book a table."]);
});

test("without the server's account, replies stay apart", () => {
  const it = begun();
  it.transcript(user("One?"));
  it.transcript(agent("a", "One.", "One.", "spoken"));
  it.transcript(user("Two?"));
  it.transcript(agent("b", "Two.", "Two.", "spoken"));
  assert.deepEqual(it.seen(), ["user: One?", "agent: One.", "user: Two?", "agent: Two."]);
});

test("where the unheard rest begins", () => {
  assert.equal(boundary("One  two three", "One two"), 8);
  assert.equal(boundary("One", "One and more"), 3);
  assert.equal(boundary("naïve 👍 yes", "naïve 👍"), 8);
  assert.equal(boundary("**One** two", "One"), 3);
  assert.equal(boundary("One", ""), 0);
});

test("percentiles", () => {
  assert.equal(quantile([], 0.5), undefined);
  assert.equal(quantile([3], 0.95), 3);
  assert.equal(quantile([1, 3, 2], 0.5), 2);
  assert.ok(Math.abs(quantile([0, 1], 0.95) - 0.95) < 1e-9);
});

test("a turn that was taken too early, and put right before anything was heard", () => {
  const it = begun();
  it.transcript(user("Look up your opening hours.", false, "look"));
  it.transcript(user("Look up your opening hours on Saturday.", false, "look"));
  it.turn(turn(1, "Look up your opening hours.", "", "", true, 13.0));
  assert.deepEqual(it.seen(), ["user 1: Look up your opening hours."]);
  it.transcript(user("Look up your opening hours on Saturday.", true, "look"));
  it.turn(turn(2, "Look up your opening hours on Saturday.", "", "", true, 13.0));
  assert.deepEqual(it.seen(), ["user 2: Look up your opening hours on Saturday."]);
});

test("an answer to a turn that was cut off before it sounded stands there once", () => {
  const it = begun();
  it.transcript(user("When do you open?"));
  it.turn(turn(1, "When do you open?", "", "", true));
  it.unprompted({ reply: 2, said: "", heard: "", interrupted: true });
  it.transcript(agent("a", "At nine.", "At", "speaking"));
  it.transcript(agent("a", "At nine.", "At nine.", "spoken"));
  it.unprompted({ reply: 3, said: "At nine.", heard: "At nine.", interrupted: false });
  assert.deepEqual(it.seen(), ["user 1: When do you open?", "agent: At nine."]);
});

test("a turn in whose answer the user went on", () => {
  const it = begun();
  it.transcript(user("Bye there."));
  it.transcript(user("Do you repair flat tires?", false, "do"));
  it.turn(turn(1, "Bye there.", "", "", true));
  assert.deepEqual(it.seen(), ["user 1: Bye there.", "user: Do you repair flat tires?"]);
  it.transcript(user("Do you repair flat tires?", true, "do"));
  it.transcript(agent("a", "Yes,", "", "new"));
  it.turn(turn(2, "Do you repair flat tires?", "Yes, we do."));
  it.turn(turn(2, "Do you repair flat tires?", "Yes, we do.", "Yes, we do."));
  assert.deepEqual(it.seen(), ["user 1: Bye there.", "user 2: Do you repair flat tires?", "agent 2: Yes, we do."]);
});
