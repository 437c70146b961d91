/** A stand-in for the server in unit tests: it answers `fetch`, and remembers what it was asked. */

import { vi } from "vitest";

/** A request that was made. */
export interface Asked {
  method: string;
  url: URL;
  headers: Headers;
  body: unknown;
}

/** An answer: a status and a JSON body, or a whole response. */
export type Answer = { status?: number; body: unknown } | Response;

/** Answers requests by `method path`, and notes them. What it does not know is 404. */
export function serve(
  answers: Record<string, (asked: Asked) => Answer | Promise<Answer>>,
): Asked[] {
  const all: Asked[] = [];
  vi.stubGlobal("fetch", async (path: string, init: RequestInit = {}) => {
    const url = new URL(path, "http://board.test");
    const body = typeof init.body === "string" ? (JSON.parse(init.body) as unknown) : undefined;
    const asked = { method: init.method ?? "GET", url, headers: new Headers(init.headers), body };
    all.push(asked);
    const answer = answers[`${asked.method} ${url.pathname}`];
    const given = answer ? await answer(asked) : { status: 404, body: { error: "Not found" } };
    if (given instanceof Response) return abortable(given, init.signal);
    return new Response(JSON.stringify(given.body), { status: given.status ?? 200 });
  });
  return all;
}

/** As a browser does: a body that is being read fails when its request is aborted. */
function abortable(response: Response, signal: AbortSignal | null | undefined): Response {
  if (!response.body || !signal) return response;
  const body = response.body.pipeThrough(new TransformStream(), { signal });
  return new Response(body, response);
}

/** Waits until a condition holds, and fails if it does not. */
export async function until(holds: () => boolean): Promise<void> {
  await vi.waitUntil(holds, { timeout: 2_000, interval: 5 });
}
