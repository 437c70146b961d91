/** Pauses in words, and the instants at which they end. */

/** What can be paused. */
export const TARGETS = ["scope", "queue", "role", "pool"] as const;

/** A kind of what can be paused. */
export type TargetKind = (typeof TARGETS)[number];

/** The target as the API names it. */
export function targetOf(kind: TargetKind, name: string): string {
  return kind === "scope" ? "scope" : `${kind}:${name}`;
}

/** The target in words: `everything`, `queue incoming`. */
export function targetWords(target: string): string {
  if (target === "scope") return "everything";
  return target.replace(":", " ");
}

/** For how long something is paused. */
export type Length = "15min" | "1h" | "time" | "open";

const MINUTE_MS = 60_000;

/**
 * When a pause ends that begins `now`; undefined if only a person ends it. `local` is what a field
 * for a date and a time contains, in this machine's zone.
 */
export function endOf(length: Length, now: number, local: string): Date | undefined {
  switch (length) {
    case "15min":
      return new Date(now + 15 * MINUTE_MS);
    case "1h":
      return new Date(now + 60 * MINUTE_MS);
    case "time":
      return new Date(local);
    case "open":
      return undefined;
  }
}

/** What a field for a date and a time contains for an instant, in this machine's zone. */
export function localText(instant: number): string {
  const date = new Date(instant);
  const local = new Date(instant - date.getTimezoneOffset() * MINUTE_MS);
  return local.toISOString().slice(0, 16);
}
