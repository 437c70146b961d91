/** The server's time, by which leases and delays are measured. */

import { computed, signal } from "@preact/signals";

const ZONE = "octopoid.zone";
const TICK_MS = 1_000;

/** How far the server's clock is ahead of this machine's, in milliseconds. */
let skew = 0;

/** The time of the server, in milliseconds since 1970. It moves every second while it is seen. */
export const now = signal(Date.now());

/** Whether absolute times are shown in UTC, instead of this machine's zone. */
export const isUtc = signal(localStorage.getItem(ZONE) === "utc");

/** Shows absolute times in UTC, or in this machine's zone. */
export function showUtc(is: boolean): void {
  isUtc.value = is;
  localStorage.setItem(ZONE, is ? "utc" : "local");
}

/** Sets the clock by the time in an answer that was just received. */
export function learnTime(at: string): void {
  const told = Date.parse(at);
  if (!Number.isNaN(told)) skew = told - Date.now();
}

/** Starts the clock. */
export function startClock(): void {
  const tick = () => {
    if (!document.hidden) now.value = Date.now() + skew;
  };
  window.setInterval(tick, TICK_MS);
  document.addEventListener("visibilitychange", tick);
}

/** An instant of the API in milliseconds. Without a zone it is in UTC: `2026-11-22 00:03:34`. */
export function instant(at: string): number {
  const isBare = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(at);
  return Date.parse(isBare ? `${at.replace(" ", "T")}Z` : at);
}

const UNITS: [string, number][] = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
];

/** A duration in one unit: `12 s`, `6 min`, `3 h`, `2 d`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  for (const [unit, size] of UNITS) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${seconds} s`;
}

/** A duration as minutes and seconds, such as the rest of a lease: `4:10`. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return duration(ms);
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Kept, because making a format costs fifty times as much as using it. */
const format = computed(() => {
  const zone = isUtc.value ? { timeZone: "UTC" } : {};
  return new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", ...zone });
});

/** An instant, in the zone that the user has chosen: `2026-11-26 14:02:11`. */
export function absolute(at: string): string {
  const date = new Date(instant(at));
  if (Number.isNaN(date.getTime())) return at;
  return `${format.value.format(date)}${isUtc.value ? " UTC" : ""}`;
}

/** An instant of today as the time of day, and another as a whole, without seconds. */
export function short(at: string): string {
  const text = absolute(at);
  const today = absolute(new Date(now.value).toISOString()).slice(0, 10);
  if (!/^\d{4}-/.test(text)) return text;
  return text.startsWith(today) ? text.slice(11, 16) : text.slice(0, 16);
}

/** The time of day, in the zone that the user has chosen: `15:00`. */
export function timeOfDay(at: string): string {
  return absolute(at).slice(11, 16);
}
