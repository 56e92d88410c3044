import type { Turn } from "../../js/src/index.ts";

const PROGRAM = /asked to|a machine/;
const ENDED = /session ended|is leaving|vanished/;

/** Why a turn has no answer that was heard; empty where it has one, or where one may still come. */
export function unanswered(turn: Turn, next: Turn | undefined): string {
  const { voiceToVoice, atEar, said, interrupted, interruptedReason, failures } = turn;
  if (voiceToVoice !== null || atEar !== undefined) return "";
  if (failures.length) return "failed: the agent broke down over it";
  if (interrupted && ENDED.test(interruptedReason)) return "dropped: the conversation ended";
  if (interrupted && PROGRAM.test(interruptedReason)) return "dropped: the agent’s program stopped it";
  if (!interrupted && !next) return "";
  if (!interrupted && said) return "answered in writing only";
  return next?.typed || /typed/.test(interruptedReason) ? "dropped: you typed instead" : "dropped: you went on speaking";
}
