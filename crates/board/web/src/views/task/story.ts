/** The story of a task: its history, its runs and what was said, in the order of time. */

import type { HistoryEvent, Message, Run } from "../../api/types";
import { instant } from "../../state/clock";
import { eventWords, plainDetails, type StateKind } from "../../ui/words";

/** One thing that happened. */
export interface Chapter {
  key: string;
  at: string;
  /** How it is drawn; undefined for what changes no state. */
  kind: StateKind | undefined;
  words: string;
  who: string;
  /** What was said: the reason of a rejection, a message, the summary of a run. */
  text: string;
  /** The run that began or ended. */
  run: number | undefined;
  /** The machine of a run that began. */
  machine: string;
  /** How long the run took that ended, in milliseconds. */
  took: number | undefined;
  /** How long after the chapter before it happened, in milliseconds. */
  after: number | undefined;
}

const KINDS: Record<string, StateKind> = {
  created: "waiting",
  claimed: "running",
  resumed: "running",
  review_claimed: "review",
  submitted: "review",
  burnout_detected: "review",
  accepted: "done",
  rejected: "failed",
  failed: "failed",
  cancelled: "failed",
  deleted: "failed",
  requeued: "waiting",
  retried: "waiting",
};

/** The types of messages that are in the history too. */
const WRITTEN_TWICE = ["rejection", "force_queue"];

/** Tells the story, the oldest first. */
export function storyOf(
  events: readonly HistoryEvent[],
  runs: readonly Run[],
  messages: readonly Message[],
): Chapter[] {
  const told = events.map((event) => ofEvent(event, runs));
  const said = messages.filter(({ type }) => !WRITTEN_TWICE.includes(type)).map(ofMessage);
  const story = [...told, ...said];
  // The order of events is that of the history, also where their times are the same.
  story.sort((one, other) => instant(one.at) - instant(other.at));
  story.forEach((chapter, index) => {
    const before = story[index - 1];
    if (before) chapter.after = instant(chapter.at) - instant(before.at);
  });
  return story;
}

/** How an attempt ended without its work: the end of the task, a question, or another attempt. */
function failureOf(details: string | null | undefined): {
  words: string;
  kind: StateKind;
  text?: string;
} {
  let told: { reason?: unknown; to?: unknown; message?: unknown } = {};
  try {
    told = (JSON.parse(details ?? "{}") ?? {}) as typeof told;
  } catch {
    // Clients may have written a reason as plain text.
  }
  if (told.to === "failed") return { words: "failed", kind: "failed" };
  switch (told.reason) {
    case "needs_input":
    case "blocked":
      return { words: "asked a person", kind: "needs-you", text: String(told.message ?? "") };
    case "drained":
    case "cancelled":
      return { words: "given back", kind: "waiting" };
    default:
      return { words: told.to === undefined ? "failed" : "attempt failed", kind: "failed" };
  }
}

function ofEvent(event: HistoryEvent, runs: readonly Run[]): Chapter {
  const began = runs.find(({ started_at }) => started_at === event.timestamp);
  const ended = runs.find(({ ended_at }) => ended_at === event.timestamp);
  const isBegin = event.event === "claimed" || event.event === "review_claimed";
  const run = isBegin ? began : ended;
  const failure = event.event === "failed" ? failureOf(event.details) : undefined;
  const details = event.details ? plainDetails(event.details) : "";
  const took =
    !isBegin && run?.ended_at ? instant(run.ended_at) - instant(run.started_at) : undefined;
  return {
    key: `event ${event.id}`,
    at: event.timestamp,
    kind: failure?.kind ?? KINDS[event.event],
    words: failure?.words ?? eventWords(event.event),
    who: event.agent ?? "",
    text: (failure?.text ?? details) || (!isBegin && run?.summary) || "",
    run: run?.run,
    machine: (isBegin && run?.orchestrator_id) || "",
    took,
    after: undefined,
  };
}

function ofMessage(message: Message): Chapter {
  const to = message.to_actor ? ` to ${message.to_actor}` : "";
  return {
    key: `message ${message.id}`,
    at: message.created_at,
    kind: undefined,
    words: `${SAID[message.type] ?? "wrote"}${to}`,
    who: message.from_actor,
    text: message.content,
    run: undefined,
    machine: "",
    took: undefined,
    after: undefined,
  };
}

const SAID: Record<string, string> = { question: "asked", answer: "answered" };
