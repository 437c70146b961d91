/** The words of the board, which are those of the command line. */

const STATES: Record<string, string> = {
  incoming: "waiting",
  claimed: "running",
  provisional: "in review",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
  approved: "approved",
};

/** The name of a queue in words. */
export function stateWords(queue: string): string {
  return STATES[queue] ?? queue.replaceAll("_", " ");
}

/** The kinds of states, which have a colour and a shape each. */
export type StateKind = "waiting" | "running" | "review" | "needs-you" | "done" | "failed";

/** How a queue is shown. */
export function stateKind(queue: string): StateKind {
  switch (queue) {
    case "claimed":
      return "running";
    case "provisional":
      return "review";
    case "done":
      return "done";
    case "failed":
    case "cancelled":
      return "failed";
    default:
      return "waiting";
  }
}

/** What happened, as the history and the journal name it: `force_queue` is `moved by hand`. */
export function eventWords(event: string): string {
  const name = event.slice(event.indexOf(".") + 1);
  return EVENTS[name] ?? name.replaceAll("_", " ");
}

const EVENTS: Record<string, string> = {
  review_claimed: "review began",
  review_released: "review given back",
  burnout_detected: "submitted after many turns without a commit",
  force_queue: "moved by hand",
  hook_completed: "hook completed",
  resumed: "went on after a lapse",
  cancel_requested: "cancel requested",
  execute_requested: "approved",
  went_offline: "fell silent",
  came_online: "came back online",
};

/** The details of an event in one line: a reason, or the values of an object. */
export function plainDetails(details: string): string {
  let value: unknown;
  try {
    value = JSON.parse(details);
  } catch {
    return details;
  }
  if (typeof value !== "object" || value === null) return details;
  const { reason, message } = value as { reason?: unknown; message?: unknown };
  const told = [reason, message].filter((text) => typeof text === "string" && text !== "");
  if (told.length > 0) return told.join(": ");
  return Object.entries(value)
    .filter(([, part]) => part !== null && part !== "")
    .map(([name, part]) => `${name.replaceAll("_", " ")} ${plainValue(part)}`)
    .join(", ");
}

function plainValue(value: unknown): string {
  if (Array.isArray(value)) return value.map(plainValue).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A number of things: `1 file`, `3 files`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** Tokens in short: `940`, `31.2k`, `1.4M`. */
export function tokens(count: number): string {
  if (count < 1_000) return String(count);
  if (count < 1_000_000) return `${(count / 1_000).toFixed(1)}k`;
  return `${(count / 1_000_000).toFixed(1)}M`;
}

/** A cost: `$0.41`. It is decimal text on the wire. */
export function dollars(cost: string): string {
  const amount = Number(cost);
  return `$${amount.toFixed(amount !== 0 && amount < 0.01 ? 4 : 2)}`;
}

/** What a run has used, as far as it is known; an empty text if nothing is. */
export function usageWords(usage: UsageNumbers | null | undefined): string {
  if (!usage) return "";
  const parts = [usage.input_tokens, usage.cached_tokens, usage.output_tokens];
  const known = parts.filter((part) => part !== null && part !== undefined);
  const words: string[] = [];
  if (known.length > 0) words.push(`${tokens(known.reduce((sum, part) => sum + part, 0))} tokens`);
  if (usage.cost_usd) words.push(dollars(usage.cost_usd));
  return words.join(" · ");
}

interface UsageNumbers {
  input_tokens?: number | null | undefined;
  cached_tokens?: number | null | undefined;
  output_tokens?: number | null | undefined;
  cost_usd?: string | null | undefined;
}

/** The beginning of an id that people read. */
export function shortId(id: string): string {
  return id.length > 12 ? id.slice(0, 8) : id;
}
