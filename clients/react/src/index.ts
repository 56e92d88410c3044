export { AntiphonProvider, useAntiphon, useEvent, useStatus } from "./provider.tsx";
export { useDevices, useFloor, useLatency, useLevels, useLines, useTracks, useTranscript, useTurns } from "./hooks.ts";
export type { Line } from "./hooks.ts";
export { AgentVideo, CameraButton, ConnectButton, Level, MicButton, Transcript } from "./components.tsx";
