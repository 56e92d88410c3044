// What the tests look into; bundled for node, since they test what is inside the package.
export { latencyOf, level, listen } from "../src/ear.ts";
export { observation } from "../src/observation.ts";
export { decode, encodeAudio, encodeMessage } from "../src/protobuf.ts";
export { protocol } from "../src/protocol.ts";
export { transcripts } from "../src/transcripts.ts";
export { worklet } from "../src/worklet.ts";
export { emitter } from "../src/events.ts";
