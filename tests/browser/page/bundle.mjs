// Bundles the page into the folder that is named: node bundle.mjs OUT. The packages are those of clients/.
import { copyFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const clients = join(here, "../../../clients");
const { build } = createRequire(join(clients, "package.json"))("esbuild");
const out = process.argv[2];
await build({
  entryPoints: [join(here, "bench.tsx")],
  outfile: join(out, "bench.js"),
  bundle: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  nodePaths: [join(clients, "node_modules")],
  define: { "process.env.NODE_ENV": '"development"' },
  logLevel: "error",
});
await copyFile(join(here, "index.html"), join(out, "index.html"));
