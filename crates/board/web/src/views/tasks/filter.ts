/** Which tasks are shown: the filter in the address, as a query, and as chips. */

import type { Query } from "../../api/http";
import type { ListedTask } from "../../api/types";
import { stateWords } from "../../ui/words";

/** The filters that have several values, which the address separates by commas. */
const LISTS = ["queue", "priority", "role"] as const;
/** The filters that have one value. */
const SINGLES = [
  "claimed_by",
  "project_id",
  "claimable",
  "needs_intervention",
  "search",
] as const;

type ListName = (typeof LISTS)[number];
type SingleName = (typeof SINGLES)[number];

/** The name of a filter, in the address as on the wire. */
type FilterName = ListName | SingleName;

/** A filter and an order. */
export type Filter = Record<ListName, readonly string[]> &
  Record<SingleName, string> & { sort: "newest" | "priority" };

/** The longest text that the server searches for, in characters. */
export const SEARCH_MAX = 200;

/** Reads the filter from the parameters of the address. */
export function filterOf(parameters: URLSearchParams): Filter {
  const list = (name: ListName) => (parameters.get(name) ?? "").split(",").filter(Boolean);
  const single = (name: SingleName) => parameters.get(name) ?? "";
  return {
    queue: list("queue"),
    priority: list("priority"),
    role: list("role"),
    claimed_by: single("claimed_by"),
    project_id: single("project_id"),
    claimable: single("claimable"),
    needs_intervention: single("needs_intervention"),
    search: single("search").trim().slice(0, SEARCH_MAX),
    sort: parameters.get("sort") === "priority" ? "priority" : "newest",
  };
}

/** The query that lists the tasks. */
export function queryOf(filter: Filter): Query {
  const query: Query = { sort: filter.sort === "priority" ? "priority" : undefined };
  for (const name of LISTS) query[name] = filter[name].join(",");
  for (const name of SINGLES) query[name] = filter[name];
  return query;
}

/** The parameters of the address for a filter: those of the filter alone. */
export function parametersOf(filter: Filter): URLSearchParams {
  const named = Object.entries(queryOf(filter)).filter(([, value]) => value);
  return new URLSearchParams(named.map(([name, value]) => [name, String(value)]));
}

/** The same text for the same filter, in any order of its values. */
export function keyOf(filter: Filter): string {
  const sorted = { ...filter };
  for (const name of LISTS) sorted[name] = [...filter[name]].sort();
  return parametersOf(sorted).toString();
}

/** Whether a task still belongs to a list, as far as the task itself tells it. */
export function belongs(task: ListedTask, filter: Filter): boolean {
  const isIn = (name: ListName, value: string | null | undefined) =>
    filter[name].length === 0 || filter[name].includes(value ?? "");
  return (
    isIn("queue", task.queue) &&
    isIn("priority", task.priority) &&
    isIn("role", task.role) &&
    (filter.claimed_by === "" || filter.claimed_by === task.claimed_by) &&
    (filter.project_id === "" || filter.project_id === task.project_id)
  );
}

/** A filter as it is shown. */
interface Chip {
  name: FilterName;
  text: string;
}

/** The filters that are set, as people read them. */
export function chipsOf(filter: Filter): Chip[] {
  const chips: [FilterName, string][] = [
    ["queue", filter.queue.map(stateWords).join(", ")],
    ["priority", filter.priority.join(", ")],
    ["role", filter.role.length > 0 ? `role ${filter.role.join(", ")}` : ""],
    ["claimed_by", filter.claimed_by && `agent ${filter.claimed_by}`],
    ["project_id", filter.project_id && `project ${filter.project_id}`],
    ["claimable", YES_NO.claimable[filter.claimable] ?? ""],
    ["needs_intervention", YES_NO.needs_intervention[filter.needs_intervention] ?? ""],
    ["search", filter.search && `“${filter.search}”`],
  ];
  return chips.filter(([, text]) => text !== "").map(([name, text]) => ({ name, text }));
}

/** The words for filters that are true or false. */
export const YES_NO: Record<"claimable" | "needs_intervention", Record<string, string>> = {
  claimable: { true: "can be claimed now", false: "cannot be claimed now" },
  needs_intervention: { true: "flagged for you", false: "not flagged" },
};

/** The values of a filter with one of them switched on or off, as the address has them. */
export function toggled(values: readonly string[], value: string): string {
  const is = values.includes(value);
  return (is ? values.filter((other) => other !== value) : [...values, value]).join(",");
}
