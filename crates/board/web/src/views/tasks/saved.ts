/** Named views of the table: the built-in ones, and those saved in this browser. */

import { signal } from "@preact/signals";

import { isFinished } from "../../api/names";
import type { Summary } from "../../api/types";
import { keptList } from "../../state/kept";
import { scope } from "../../state/session";
import { filterOf, keyOf } from "./filter";

/** A named view: its filter and order, as parameters of the address. */
export interface SavedView {
  name: string;
  parameters: string;
  /** How many tasks it shows, where that is known. */
  count?: number | undefined;
}

/** The queues of unfinished tasks that every flow has. */
const OPEN = ["incoming", "claimed", "provisional", "needs_continuation"];

/** The built-in views. */
export function builtIn(summary: Summary | undefined): SavedView[] {
  const queues = summary?.queues ?? {};
  const count = (queue: string) => (summary ? (queues[queue] ?? 0) : undefined);
  const all = Object.values(queues).reduce((sum, tasks) => sum + tasks, 0);
  const known = new Set([...OPEN, ...Object.keys(queues)]);
  const open = [...known].filter((queue) => !isFinished(queue));
  return [
    { name: "All", parameters: "", count: summary && all },
    { name: "Waiting", parameters: "queue=incoming&sort=priority", count: count("incoming") },
    { name: "Running", parameters: "queue=claimed", count: count("claimed") },
    { name: "In review", parameters: "queue=provisional", count: count("provisional") },
    {
      name: "Flagged",
      parameters: `needs_intervention=true&queue=${open.join(",")}`,
      count: summary?.needs_person.interventions,
    },
    { name: "Failed", parameters: "queue=failed", count: count("failed") },
    { name: "Done", parameters: "queue=done", count: count("done") },
  ];
}

const changes = signal(0);

function place(): string {
  return `octopoid.views.${scope.value}`;
}

/** The views that were saved in this browser for the scope that is shown. */
export function savedViews(): SavedView[] {
  void changes.value;
  return keptList(localStorage, place(), isView);
}

function isView(value: unknown): value is SavedView {
  const { name, parameters } = (value ?? {}) as Record<string, unknown>;
  return typeof name === "string" && typeof parameters === "string";
}

/** Saves a view. One of the same name is replaced. */
export function saveView(view: SavedView): void {
  keep([...savedViews().filter(({ name }) => name !== view.name), view]);
}

/** Forgets a view. */
export function forgetView(name: string): void {
  keep(savedViews().filter((view) => view.name !== name));
}

function keep(views: SavedView[]): void {
  localStorage.setItem(place(), JSON.stringify(views));
  changes.value += 1;
}

/** Whether two views show the same tasks in the same order. */
export function isSame(one: string, other: string): boolean {
  const key = (parameters: string) => keyOf(filterOf(new URLSearchParams(parameters)));
  return key(one) === key(other);
}
