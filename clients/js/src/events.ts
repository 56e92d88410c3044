import type { Events } from "./types.ts";

export type Emit = <Name extends keyof Events>(name: Name, event: Events[Name]) => void;
export type On = <Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void) => () => void;

/** Listeners by the name of their event; one that throws disturbs nobody else. */
export function emitter(): { on: On; emit: Emit } {
  const listeners: { [Name in keyof Events]?: Set<(event: any) => void> } = {};
  return {
    on(name, listener) {
      const all = (listeners[name] ??= new Set());
      all.add(listener);
      return () => void all.delete(listener);
    },
    emit(name, event) {
      for (const listener of [...(listeners[name] ?? [])]) {
        try {
          listener(event);
        } catch (error) {
          reportError(error);
        }
      }
    },
  };
}
