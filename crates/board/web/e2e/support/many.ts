/** Many tasks, for lists that are long. */

import type { Api, TaskFields } from "./api";

/** Requests at a time. The server commits what arrives together at once. */
const AT_ONCE = 64;

const PRIORITIES = ["P0", "P1", "P2", "P3"];
const ROLES = ["implement", "test", "document", "release"];

/** The id of the task with this number, from 0. */
export function manyId(number: number): string {
  return `many-${String(number).padStart(5, "0")}`;
}

/** The fields of the task with this number: they vary, and depend on nothing but the number. */
function fields(number: number): TaskFields {
  return {
    id: manyId(number),
    title: `Task ${number} of many`,
    priority: PRIORITIES[number % PRIORITIES.length] ?? null,
    role: ROLES[number % ROLES.length] ?? null,
  };
}

/**
 * Creates `count` waiting tasks. The first is the oldest. The others are created many at a time, in
 * an order that only roughly follows their numbers: it depends on which request arrives first.
 */
export async function seedMany(api: Api, count: number): Promise<void> {
  await api.createTask(fields(0));
  let next = 1;
  const create = async () => {
    while (next < count) await api.createTask(fields(next++));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, create));
}
