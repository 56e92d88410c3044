import { devices as offered } from "../../js/src/devices.ts";
import { make, the } from "./dom.ts";
import { here } from "./server.ts";
import type { Talk } from "./talk.ts";

const KINDS = [
  ["mic", "mics", "Microphone"],
  ["speaker", "speakers", "Loudspeaker"],
  ["camera", "cameras", "Camera"],
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
    const found = await (talk ?? { devices: offered }).devices();
    for (const [kind, group, name] of KINDS) {
      const named = found[group].filter(({ id }) => id !== "default");
      const select = the<HTMLSelectElement>(`${kind}-device`);
      select.replaceChildren(
        make("option", { value: "" }, "The browser’s choice"),
        ...named.map(({ id, label }, at) => make("option", { value: id }, label || `${name} ${at + 1}`)),
      );
      const kept = recalled(kind);
      select.value = named.some(({ id }) => id === kept) ? kept : "";
    }
  }

  const check = (): Promise<typeof import("./check.ts")> => import(here("check.js"));
  const volume = the<HTMLInputElement>("volume");
  function open(): void {
    if (dialog.open) return;
    void list();
    the("test-mic").hidden = the("test-speaker").hidden = !!talk; // then it is seen and heard whether they work
    dialog.showModal();
  }

  const isTested = (): boolean => the("test-mic").ariaPressed === "true";
  const test = (on: boolean): void => void check().then((it) => it.test(on && recalled("mic"), list)).catch(failed); // with names, once it is allowed

  function loud(): number {
    the("volume-words").textContent = `${volume.value} %`;
    return Number(volume.value) / 100;
  }

  the("open-devices").addEventListener("click", open);
  the("open-test").addEventListener("click", () => {
    open();
    test(true);
  });
  the("test-mic").addEventListener("click", () => test(!isTested()));
  the("test-speaker").addEventListener("click", () => void check().then(({ playTone }) => playTone(recalled("speaker"), loud())).catch(failed));
  dialog.addEventListener("close", () => isTested() && test(false));
  volume.value = recalled("volume") || "100";
  loud();
  volume.addEventListener("input", () => {
    remember("volume", volume.value);
    const level = loud();
    talk?.setVolume(level);
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  navigator.mediaDevices?.addEventListener("devicechange", () => dialog.open && list());
  for (const [kind] of KINDS) {
    the<HTMLSelectElement>(`${kind}-device`).addEventListener("change", ({ target }) => {
      const { value } = target as HTMLSelectElement;
      remember(kind, value);
      set[kind](value)?.catch(failed);
      if (kind === "mic" && isTested()) test(true);
    });
  }

  return {
    open,
    volume: loud,
    use: (now: Talk | undefined): void => void (talk = now),
    /** The device that was chosen; empty for the browser's own choice. */
    id: (kind: Kind): string => recalled(kind),
  };
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
