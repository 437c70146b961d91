/** The last reasons for which this person rejected work, to start from. */

const REASONS = "octopoid.reasons";
const KEPT = 3;

/** The last three, the latest first. */
export function lastReasons(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(REASONS) ?? "[]");
    return Array.isArray(kept) ? kept.filter((text) => typeof text === "string") : [];
  } catch {
    return [];
  }
}

/** Keeps a reason. */
export function keepReason(reason: string): void {
  const others = lastReasons().filter((known) => known !== reason);
  localStorage.setItem(REASONS, JSON.stringify([reason, ...others].slice(0, KEPT)));
}
