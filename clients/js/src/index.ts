export { AntiphonClient } from "./client.ts";
export { AntiphonError } from "./types.ts";
export type * from "./types.ts";
