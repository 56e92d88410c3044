// Builds the page into the Python package. `--check` only says whether what lies there is what would be built.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../../src/antiphon/server/page");
const WORKLET = 'import { worklet } from "./worklet.ts"; worklet();';
const TARGET = ["es2022", "chrome111", "safari16.4", "firefox119"];
const LARGEST = 44_000; // bytes of JavaScript, the client included: of them some 17,000

// The worklet is a file of its own, as the page's policy wants it: the client need not carry it as well. Nor need
// it carry the websocket, over which the page never talks.
const apart = {
  name: "apart",
  setup({ onLoad }) {
    onLoad({ filter: /js\/src\/worklet\.ts$/ }, () => ({ contents: "export const worklet = ''" }));
    onLoad({ filter: /js\/src\/websocket\.ts$/ }, () => ({ contents: "export const websocket = undefined" }));
  },
};
const shared = { outdir: out, bundle: true, minify: true, target: TARGET, charset: "utf8", legalComments: "none", write: false };
const built = await Promise.all([
  build({ ...shared, format: "esm", entryPoints: { page: join(here, "src/main.ts"), sample: join(here, "src/sample.ts"), check: join(here, "src/check.ts"), save: join(here, "src/save.ts") }, plugins: [apart] }),
  build({ ...shared, entryPoints: { page: join(here, "style.css") } }),
  build({ ...shared, format: "iife", entryNames: "antiphon-worklet", stdin: { contents: WORKLET, resolveDir: join(here, "../js/src") } }),
]);
const files = new Map(built.flatMap(({ outputFiles }) => outputFiles).map((file) => [file.path, file.text]));
for (const name of ["index.html", "icon.svg"]) files.set(join(out, name), await readFile(join(here, name), "utf8"));

const script = Buffer.byteLength(files.get(join(out, "page.js")));
if (script > LARGEST) throw new Error(`page.js has ${script} bytes; ${LARGEST} are allowed`);

if (process.argv.includes("--check")) {
  const stale = [];
  for (const [path, text] of files) {
    if ((await readFile(path, "utf8").catch(() => null)) !== text) stale.push(path);
  }
  if (stale.length) throw new Error(`not what the source builds: ${stale.join(", ")}; run npm run build in clients/page`);
} else {
  await mkdir(out, { recursive: true });
  for (const [path, text] of files) await writeFile(path, text);
}
for (const [path, text] of files) console.log(path.slice(out.length + 1), Buffer.byteLength(text));
