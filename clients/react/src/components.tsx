import type { AntiphonError } from "@antiphon/client";
import { type ComponentProps, type ReactNode, useEffect, useRef } from "react";
import { useLevels, useLines, useTracks } from "./hooks.ts";
import { useAntiphon, useStatus } from "./provider.tsx";

type ButtonProps = Omit<ComponentProps<"button">, "onError"> & {
  /** The permission that was refused, or why there is no connection. */
  onError?: (error: AntiphonError) => void;
};

function Switch({ on, turn, onError, ...rest }: ButtonProps & { on: boolean; turn: () => Promise<void> }) {
  return <button type="button" aria-pressed={on} onClick={() => void turn().catch((error) => onError?.(error))} {...rest} />;
}

/** Begins the conversation, and ends it. */
export function ConnectButton({ children, ...rest }: ButtonProps) {
  const client = useAntiphon();
  const status = useStatus();
  const on = status !== "idle" && status !== "ended";
  return (
    <Switch on={on} turn={() => (on ? client.disconnect() : client.connect())} data-state={status} {...rest}>
      {children ?? (on ? "End" : "Talk")}
    </Switch>
  );
}

/** Turns the microphone on and off. */
export function MicButton({ children = "Microphone", ...rest }: ButtonProps) {
  const client = useAntiphon();
  const { micOn } = useTracks();
  return (
    <Switch on={micOn} turn={() => client.setMic(!micOn)} {...rest}>
      {children}
    </Switch>
  );
}

/** Turns the camera on and off. */
export function CameraButton({ children = "Camera", ...rest }: ButtonProps) {
  const client = useAntiphon();
  const { cameraOn } = useTracks();
  return (
    <Switch on={cameraOn} turn={() => client.setCamera(!cameraOn)} {...rest}>
      {children}
    </Switch>
  );
}

/** How loud one side is, as a meter. */
export function Level({ of, ...rest }: { of: "mic" | "agent" } & ComponentProps<"meter">) {
  return <meter min={0} max={1} value={useLevels()[of]} aria-label={of === "mic" ? "Your microphone" : "The agent"} {...rest} />;
}

type TranscriptProps = ComponentProps<"ol"> & {
  /** What stands there before anything is said. */
  empty?: ReactNode;
  names?: { user: ReactNode; agent: ReactNode };
};

/** What was said, by whom, as a list that screen readers follow; what was not heard is in a <del>. */
export function Transcript({ empty, names = { user: "You", agent: "Agent" }, ...rest }: TranscriptProps) {
  const lines = useLines();
  if (!lines.length && empty) return <>{empty}</>;
  return (
    <ol role="log" {...rest}>
      {lines.map(({ key, who, status, text, heard }) => (
        <li key={key} data-who={who} data-status={status}>
          <b>{names[who]}</b> <span>{status === "cut" ? heard : text}</span>
          {status === "cut" && heard.length < text.length && <del>{text.slice(heard.length)}</del>}
        </li>
      ))}
    </ol>
  );
}

/** The picture that the agent shows; nothing where it shows none. */
export function AgentVideo(props: ComponentProps<"video">) {
  const { agentVideo } = useTracks();
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (element.current) element.current.srcObject = agentVideo ? new MediaStream([agentVideo]) : null;
  }, [agentVideo]);
  return agentVideo ? <video ref={element} autoPlay playsInline muted {...props} /> : null;
}
