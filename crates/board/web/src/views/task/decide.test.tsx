import { cleanup, fireEvent, render, screen } from "@testing-library/preact";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Task } from "../../api/types";
import { rejecting } from "../../decide/review-keys";
import { liveStatus } from "../../live/live";
import { dismissNotice } from "../../state/decisions";
import { forgetQueries } from "../../state/queries";
import { permission, scope } from "../../state/session";
import { draw } from "../../test/draw";
import { Decide } from "./decide";
import { clearNotes, writeNote } from "./notes";

const TASK = { id: "t1", version: 7, queue: "provisional", flow: "default", title: "A" } as Task;

/** The requests that change something. */
let sent: { path: string; version: string | null; body: unknown }[] = [];

beforeEach(() => {
  sent = [];
  scope.value = "s";
  permission.value = "manage";
  liveStatus.value = "live";
  vi.stubGlobal("fetch", (address: string, options: RequestInit) => {
    const { pathname: path } = new URL(address, "http://board.test");
    if (options.method === "GET") return Promise.resolve(new Response(JSON.stringify(known(path))));
    const version = new Headers(options.headers).get("If-Match");
    sent.push({ path, version, body: JSON.parse(String(options.body)) });
    return Promise.resolve(new Response(JSON.stringify({ ...TASK, queue: "done", version: 8 })));
  });
});

afterEach(() => {
  cleanup();
  rejecting.value = undefined;
  clearNotes("t1");
  dismissNotice("t1");
  forgetQueries();
  vi.unstubAllGlobals();
});

function known(path: string): object {
  return path.endsWith("/flows") ? { flows: [] } : { actions: [], tasks: [] };
}

function show(task: Task) {
  const onChanged = vi.fn();
  const props = { run: undefined, running: undefined, isShort: false, verdict: undefined };
  render(<Decide task={task} {...props} onChanged={onChanged} />);
  return onChanged;
}

const button = (name: string) => screen.getByRole("button", { name });

test("a verdict is sent with the version that was seen", async () => {
  const onChanged = show(TASK);
  fireEvent.click(button("Accept"));
  await vi.waitFor(() => expect(onChanged).toHaveBeenCalled());
  expect(sent).toEqual([
    { path: "/api/v1/tasks/t1/accept", version: '"v7"', body: { accepted_by: "board" } },
  ]);
});

test("notes alone are reason enough for a rejection", async () => {
  writeNote("t1", { path: "a.rs", line: 3, text: "Why?" });
  const onChanged = show(TASK);
  fireEvent.click(button("Reject…"));
  fireEvent.click(button("Reject"));
  await vi.waitFor(() => expect(onChanged).toHaveBeenCalled());
  expect(sent[0]?.body).toEqual({ rejected_by: "board", reason: "a.rs:3: Why?" });
  expect(screen.queryByLabelText("Notes for the rejection")).toBeNull();
});

test("to cancel takes a second step, with a reason", async () => {
  show({ ...TASK, queue: "claimed", claimed_by: "slot-1" });
  fireEvent.click(button("Cancel…"));
  screen.getByText(/slot-1 is told to stop/);
  expect(button("Cancel the task").hasAttribute("disabled")).toBe(true);
  expect(sent).toEqual([]);
  fireEvent.input(screen.getByLabelText(/Reason/), { target: { value: "Not needed" } });
  fireEvent.click(button("Cancel the task"));
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]).toMatchObject({ path: "/api/v1/tasks/t1/cancel", version: '"v7"' });
});

test("a key that may only read sees no buttons", () => {
  permission.value = "read";
  show(TASK);
  expect(screen.queryAllByRole("button")).toEqual([]);
});

test("after a verdict, the link to the next review has the focus as soon as it is seen", () => {
  const props = { run: undefined, running: undefined, isShort: false, onChanged: vi.fn() };
  const verdict = { word: "Accepted", version: 8 };
  draw(<Decide task={{ ...TASK, queue: "done", version: 8 }} {...props} verdict={verdict} />);
  expect(document.activeElement).toBe(screen.getByRole("link", { name: "Go to Now" }));
});
