import { AntiphonProvider, ConnectButton, MicButton, Transcript, useTurns } from "@antiphon/react";
import { StrictMode, version } from "react";
import { createRoot } from "react-dom/client";

const Latency = () => <p>{useTurns().at(-1)?.atEar?.toFixed(2)} s</p>;

const Talk = () => (
  <AntiphonProvider options={{ start: { url: "/start" }, observe: true }}>
    <ConnectButton onError={({ message }) => alert(message)} />
    <MicButton />
    <Transcript empty="Say something." />
    <Latency />
  </AntiphonProvider>
);

document.body.dataset.react = version;
createRoot(document.getElementById("root")).render(
  <StrictMode>
    <Talk />
  </StrictMode>,
);
