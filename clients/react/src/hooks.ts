import type { Devices, Floor, Latency, Levels, Tracks, Transcript, Turn } from "@antiphon/client";
import { useEffect, useMemo, useState } from "react";
import { useAntiphon, useEvent } from "./provider.tsx";

/** All that was said in this conversation, in order; a segment that changes keeps its place. */
export function useTranscript(): Transcript[] {
  const [all, setAll] = useState<Transcript[]>([]);
  useFresh(() => setAll([]));
  useEvent("transcript", (transcript) =>
    setAll((before) => {
      const place = before.findIndex(({ segment }) => segment === transcript.segment);
      return place < 0 ? [...before, transcript] : before.with(place, transcript);
    }),
  );
  return all;
}

/** What one side says until the other does: a line of the transcript. */
export interface Line {
  /** Of its first segment. */
  key: string;
  who: Transcript["who"];
  segments: Transcript[];
  text: string;
  /** Of the agent: how much of `text` has been heard. */
  heard: string;
  /** That of its last segment; "cut" where the agent was cut off. */
  status: Transcript["status"];
}

/** The transcript by speakers: one line for all that one side says until the other does. */
export function useLines(): Line[] {
  const all = useTranscript();
  return useMemo(() => lines(all), [all]);
}

function lines(all: readonly Transcript[]): Line[] {
  const parted: Transcript[][] = [];
  for (const segment of all) {
    const last = parted.at(-1)?.at(-1);
    if (last && last.who === segment.who && (last.status !== "cut" || segment.status === "cut")) parted.at(-1)!.push(segment);
    else parted.push([segment]);
  }
  return parted.map((segments) => ({
    key: segments[0]!.segment,
    who: segments[0]!.who,
    segments,
    text: joined(segments.map(({ text }) => text)),
    heard: joined(segments.map(({ text, heard = text }) => heard)),
    status: segments.at(-1)!.status,
  }));
}

const joined = (parts: string[]) => parts.map((part) => part.trim()).filter(Boolean).join(" ");

/** All turns of this conversation, with their latency. Needs the option `observe`. */
export function useTurns(): readonly Turn[] {
  const client = useAntiphon();
  const [turns, setTurns] = useState<readonly Turn[]>(client.turns);
  useFresh(() => setTurns([]));
  useEvent("turn", () => setTurns([...client.turns]));
  return turns;
}

/** Who has the floor; null before anything is known. Needs the option `observe`. */
export function useFloor(): Floor | null {
  const [floor, setFloor] = useState<Floor | null>(null);
  useFresh(() => setFloor(null));
  useEvent("floor", setFloor);
  return floor;
}

/** How loud both sides are, 25 times a second: use it in a part that is cheap to draw. */
export function useLevels(): Levels {
  const [levels, setLevels] = useState<Levels>({ mic: 0, agent: 0 });
  useEvent("level", setLevels);
  useEvent("state", ({ state }) => state === "ended" && setLevels({ mic: 0, agent: 0 }));
  return levels;
}

/** The last voice-to-voice latency that was measured at the ear. */
export function useLatency(): Latency | null {
  const [latency, setLatency] = useState<Latency | null>(null);
  useFresh(() => setLatency(null));
  useEvent("latency", setLatency);
  return latency;
}

/** What there is to hear and to see now, and which of the own devices are on. */
export function useTracks(): Tracks & { micOn: boolean; cameraOn: boolean } {
  const client = useAntiphon();
  const read = () => ({ ...client.tracks, micOn: client.mic, cameraOn: client.camera });
  const [tracks, setTracks] = useState(read);
  useEvent("tracks", () => setTracks(read()));
  return tracks;
}

/** The devices of this computer, as they come and go. */
export function useDevices(): Devices {
  const client = useAntiphon();
  const [devices, setDevices] = useState<Devices>({ mics: [], cameras: [], speakers: [] });
  useEffect(() => {
    const look = () => void client.devices().then(setDevices);
    look();
    const leave = client.on("tracks", look); // names are known once a device has been allowed
    navigator.mediaDevices?.addEventListener("devicechange", look);
    return () => {
      leave();
      navigator.mediaDevices?.removeEventListener("devicechange", look);
    };
  }, [client]);
  return devices;
}

const useFresh = (begin: () => void) => useEvent("state", ({ state }) => state === "connecting" && begin());
