import type { Tracks } from "../../js/src/index.ts";
import { the } from "./dom.ts";

/** Shows what there is to see of both sides. */
export function pictures({ camera, agentVideo }: Tracks): void {
  for (const [id, track] of [["mine", camera], ["theirs", agentVideo]] as const) {
    const video = the<HTMLVideoElement>(id);
    const show = (): void => void (video.hidden = !track || track.muted);
    show();
    if (track) track.onmute = track.onunmute = show;
    if ((video.srcObject as MediaStream | null)?.getTracks()[0] !== track) video.srcObject = track ? new MediaStream([track]) : null;
  }
}
