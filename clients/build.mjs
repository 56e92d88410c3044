// Builds the two packages into their dist folders: the bundle, its source map, its types, and the audio worklet
// as a file of its own. Prints what each bundle weighs, and fails where the client is 20 kB or more.
import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const LARGEST = 20_000; // bytes of antiphon.js
const here = dirname(fileURLToPath(import.meta.url));
const shared = { bundle: true, minify: true, format: "esm", target: "es2022", charset: "utf8", metafile: true, absWorkingDir: here };

async function bundle(entry, outfile, more = {}) {
  const { metafile } = await build({ ...shared, ...entry, outfile, ...more });
  const { bytes } = metafile.outputs[outfile];
  console.log(`${outfile}: ${bytes} bytes`);
  return bytes;
}

for (const part of ["js", "react"]) {
  await rm(join(here, part, "dist"), { recursive: true, force: true });
  execFileSync(process.execPath, [join(here, "node_modules/typescript/bin/tsc"), "-p", join(here, part)], { stdio: "inherit" });
}
const size = await bundle({ entryPoints: ["js/src/index.ts"] }, "js/dist/antiphon.js", { sourcemap: true });
await build({ ...shared, minify: false, entryPoints: ["js/test/parts.ts"], outfile: "js/dist/test/parts.js" });
const worklet = { contents: 'import { worklet } from "./worklet.ts"; worklet();', resolveDir: join(here, "js/src") };
await bundle({ stdin: worklet }, "js/dist/antiphon-worklet.js", { format: "iife" });
await bundle({ entryPoints: ["react/src/index.ts"] }, "react/dist/antiphon-react.js", { sourcemap: true, jsx: "automatic", packages: "external" });
if (size >= LARGEST) throw new Error(`antiphon.js has ${size} bytes; it must stay under ${LARGEST}`);
