import type { Emit } from "./events.ts";
import type { ToolActivity, ToolHandler } from "./types.ts";

type Data = Record<string, any>;

/** A function call, as the protocol has it, and what tells how it stands. */
export function activity(emit: Emit, { tool_call_id: id = "", function_name: name = "", arguments: args = {}, result }: Data) {
  const call = { id, name, arguments: args as Record<string, unknown> };
  return { call, tell: (status: ToolActivity["status"], outcome: unknown = result) => emit("tool", { ...call, status, result: outcome }) };
}

/** The answer of this page's own function; nothing where it has none of that name. */
export async function called(tools: Record<string, ToolHandler> = {}, { call, tell }: ReturnType<typeof activity>): Promise<Data | undefined> {
  const { id, name, arguments: args } = call;
  if (!Object.hasOwn(tools, name)) return;
  let result: unknown;
  try {
    result = (await tools[name]!(args, { name, id })) ?? null;
  } catch (error) {
    result = { error: String(error) };
    tell("failed", result);
  }
  return { function_name: name, tool_call_id: id, arguments: args, result };
}
