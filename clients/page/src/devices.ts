import type { Devices } from "../../js/src/index.ts";
import { make, the } from "./dom.ts";
import type { Talk } from "./talk.ts";

const KINDS = [
  ["mic", "mics", "audioinput", "Microphone"],
  ["speaker", "speakers", "audiooutput", "Loudspeaker"],
  ["camera", "cameras", "videoinput", "Camera"],
] as const;
type Kind = (typeof KINDS)[number][0];

/** The choice of devices, kept for the next visit. */
export function devices(cameraIsOn: () => boolean, failed: (error: unknown) => void) {
  const dialog = the<HTMLDialogElement>("devices");
  let talk: Talk | undefined;

  const set: Record<Kind, (id: string) => Promise<void> | undefined> = {
    mic: (id) => talk?.setMic(id || true),
    speaker: (id) => talk?.setSpeaker(id),
    camera: (id) => (cameraIsOn() ? talk?.setCamera(id || true) : undefined),
  };

  async function list(): Promise<void> {
    const found = talk ? await talk.devices() : await offered();
    for (const [kind, group, , name] of KINDS) {
      const named = found[group].filter(({ id }) => id && id !== "default");
      const select = the<HTMLSelectElement>(`${kind}-device`);
      select.replaceChildren(
        make("option", { value: "" }, "The browser’s choice"),
        ...named.map(({ id, label }, at) => make("option", { value: id }, label || `${name} ${at + 1}`)),
      );
      const kept = recalled(kind);
      select.value = named.some(({ id }) => id === kept) ? kept : "";
    }
  }

  the("open-devices").addEventListener("click", () => {
    void list();
    dialog.showModal();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  navigator.mediaDevices?.addEventListener("devicechange", () => dialog.open && list());
  for (const [kind] of KINDS) {
    the<HTMLSelectElement>(`${kind}-device`).addEventListener("change", ({ target }) => {
      const { value } = target as HTMLSelectElement;
      remember(kind, value);
      set[kind](value)?.catch(failed);
    });
  }

  return {
    use: (now: Talk | undefined): void => void (talk = now),
    /** The device that was chosen; empty for the browser's own choice. */
    id: (kind: Kind): string => recalled(kind),
  };
}

async function offered(): Promise<Devices> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (wanted: string) => all.filter(({ kind }) => kind === wanted).map(({ deviceId, label }) => ({ id: deviceId, label }));
  return Object.fromEntries(KINDS.map(([, group, kind]) => [group, of(kind)])) as unknown as Devices;
}

type Kept = "localStorage" | "sessionStorage";

export function remember(name: string, value: string, where: Kept = "localStorage"): void {
  try {
    window[where].setItem(`antiphon.${name}`, value);
  } catch {
    // a browser that keeps nothing: then nothing is kept
  }
}

export function recalled(name: string, where: Kept = "localStorage"): string {
  try {
    return window[where].getItem(`antiphon.${name}`) ?? "";
  } catch {
    return "";
  }
}
