import type { Emit } from "./events.ts";
import type { ToolActivity, ToolHandler } from "./types.ts";

type Data = Record<string, any>;

/** Tells how a function call stands. */
export function activity(emit: Emit, data: Data, status: ToolActivity["status"]): void {
  const { tool_call_id: id = "", function_name: name = "", arguments: args = {}, result } = data;
  emit("tool", { id, name, arguments: args, status, result });
}

/** The answer of this page's own function; nothing where it has none of that name. */
export async function called(tools: Record<string, ToolHandler> = {}, data: Data, emit: Emit): Promise<Data | undefined> {
  const { function_name: name, tool_call_id: id, arguments: args = {} } = data;
  if (!Object.hasOwn(tools, name)) return;
  let result: unknown;
  try {
    result = (await tools[name]!(args, { name, id })) ?? null;
  } catch (error) {
    result = { error: String(error) };
    activity(emit, { ...data, result }, "failed");
  }
  return { function_name: name, tool_call_id: id, arguments: args, result };
}
