/** The last reasons for which this person rejected work, to start from. */

import { keptList } from "../state/kept";

const REASONS = "octopoid.reasons";
const KEPT = 3;

/** The last three, the latest first. */
export function lastReasons(): string[] {
  return keptList(localStorage, REASONS, (kept) => typeof kept === "string");
}

/** Keeps a reason. */
export function keepReason(reason: string): void {
  const others = lastReasons().filter((known) => known !== reason);
  localStorage.setItem(REASONS, JSON.stringify([reason, ...others].slice(0, KEPT)));
}
