import { AntiphonError, type Device, type Devices } from "./types.ts";

/** Asks for the microphone or the camera: the usual one, or the one with this id. */
export async function capture(what: "mic" | "camera", on: true | string): Promise<MediaStreamTrack> {
  const wanted = on === true ? {} : { deviceId: { exact: on } };
  const sound = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  const picture = { width: { ideal: 640 }, height: { ideal: 480 } };
  try {
    const stream = await navigator.mediaDevices.getUserMedia(what === "mic" ? { audio: { ...sound, ...wanted } } : { video: { ...picture, ...wanted } });
    return stream.getTracks()[0]!;
  } catch (cause) {
    throw new AntiphonError(what, `No ${what}: ${(cause as Error).message || (cause as Error).name}.`, { cause });
  }
}

/** What there is. Browsers give names only once a device has been allowed. */
export async function devices(): Promise<Devices> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (kind: MediaDeviceKind): Device[] =>
    all.filter((one) => one.kind === kind && one.deviceId).map(({ deviceId, label }) => ({ id: deviceId, label }));
  return { mics: of("audioinput"), cameras: of("videoinput"), speakers: of("audiooutput") };
}
