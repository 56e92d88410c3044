// What is said of what went wrong: all lines are busy only where they are.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const { outputFiles } = await build({
  stdin: { contents: 'export * from "./problems.ts";', resolveDir: join(dirname(fileURLToPath(import.meta.url)), "../src") },
  bundle: true,
  format: "esm",
  write: false,
});
globalThis.navigator ??= { userAgent: "", maxTouchPoints: 0 }; // node 20 has none
const { problem } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString("base64")}`);

for (const [status, message, title] of [
  [429, "all lines are busy: try again in a moment", "All lines are busy."],
  [429, "your address has as many sessions as it may: end one, or try again later", "Your network has its share of the lines."],
  [429, "too many requests from your address", "Your network has its share of the lines."],
  [503, "the server is being shut down", "The server takes no conversation at the moment."],
]) {
  test(message, () => {
    const { title: said, wait } = problem({ status, message, retryAfter: 5 });
    assert.deepEqual([said, wait], [title, 5]);
  });
}
