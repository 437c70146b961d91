/** Names that the server, the command line and the board agree on. */

/** The priorities, the most urgent first. */
export const PRIORITIES = ["P0", "P1", "P2", "P3"] as const;

/** The flow of `octopoid up`: where it is, tasks are reviewed and merged. */
export const UP_FLOW = "octopoid";

const FINISHED = ["done", "failed", "cancelled"];

/** Whether nothing is left to do in a queue. */
export function isFinished(queue: string): boolean {
  return FINISHED.includes(queue);
}

/** Whether a project is completed or archived. */
export function isClosed({ status }: { status: string }): boolean {
  return status === "completed" || status === "archived";
}

/** Random bytes, in hexadecimal digits. */
export function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The id of a new task, as the command line makes them: short enough to be typed. With a million
 * tasks, one random id in four thousand is taken.
 */
export function randomId(): string {
  return randomHex(4);
}
