import { AntiphonClient, type Events, type Options, type StateChange } from "@antiphon/client";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useSyncExternalStore } from "react";

const Context = createContext<AntiphonClient | null>(null);

/** Gives the parts inside it one client: yours, or one that is made of `options` and ends with the provider. */
export function AntiphonProvider({ client, options, children }: { client?: AntiphonClient; options?: Options; children?: ReactNode }) {
  const made = useMemo(() => client ?? new AntiphonClient(options), [client]);
  useEffect(() => {
    if (!client) Object.assign(made.options, options);
  }, [made, client, options]);
  useEffect(() => () => void (client ?? made.disconnect()), [made, client]);
  return <Context.Provider value={made}>{children}</Context.Provider>;
}

/** The client of the nearest AntiphonProvider. */
export function useAntiphon(): AntiphonClient {
  const client = useContext(Context);
  if (!client) throw new Error("useAntiphon is for parts inside an <AntiphonProvider>.");
  return client;
}

/** Calls the listener, the one of the last rendering, at each event. */
export function useEvent<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): void {
  const client = useAntiphon();
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => client.on(name, (event) => latest.current(event)), [client, name]);
}

/** Something of the client that changes with an event: `read` gives the same value until it is another. */
export function useValue<Value>(name: keyof Events, read: (client: AntiphonClient) => Value): Value {
  const client = useAntiphon();
  const subscribe = useCallback((changed: () => void) => client.on(name, changed), [client, name]);
  return useSyncExternalStore(subscribe, () => read(client), () => read(client));
}

/** How the conversation stands: idle, connecting, ready, reconnecting or ended. */
export const useStatus = (): StateChange["state"] => useValue("state", (client) => client.state);
