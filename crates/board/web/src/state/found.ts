/** The tasks that a text finds while it is typed. */

import { useSignal, useSignalEffect, type ReadonlySignal } from "@preact/signals";

import { listTasks } from "../api/endpoints";
import { ApiError } from "../api/http";
import type { ListedTask } from "../api/types";

/** How long a search waits for the next letter, in milliseconds. */
const TYPING_MS = 150;

/**
 * The tasks that have the text in their title, or begin their id with it: the newest, at most
 * `limit`. None are found by an empty text, or by one that the server refuses.
 */
export function useFoundTasks(
  text: ReadonlySignal<string>,
  limit: number,
): ReadonlySignal<readonly ListedTask[]> {
  const found = useSignal<readonly ListedTask[]>([]);
  useSignalEffect(() => {
    const search = text.value.trim();
    if (search === "") {
      found.value = [];
      return undefined;
    }
    const stop = new AbortController();
    const read = async () => {
      try {
        const page = await listTasks({ search, limit }, stop.signal);
        if (!stop.signal.aborted) found.value = page.tasks;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        found.value = [];
      }
    };
    const timer = window.setTimeout(() => void read(), TYPING_MS);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  });
  return found;
}
