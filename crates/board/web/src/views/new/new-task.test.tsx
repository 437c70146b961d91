import { cleanup, fireEvent, render, screen } from "@testing-library/preact";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { liveStatus } from "../../live/live";
import { path } from "../../state/location";
import { forgetQueries } from "../../state/queries";
import { chooseScope } from "../../state/session";
import { serve, type Answer, type Asked } from "../../test/server";
import { NewTask } from "./new-task";

const flows = [{ name: "octopoid", states: "[]", transitions: "[]" }];

beforeEach(() => {
  sessionStorage.clear();
  forgetQueries();
  chooseScope("s");
  liveStatus.value = "live";
  window.history.replaceState(null, "", "/");
});

afterEach(cleanup);

function answering(create: (asked: Asked) => Answer): Asked[] {
  return serve({
    "GET /api/v1/flows": () => ({ body: { flows } }),
    "GET /api/v1/roles": () => ({ body: { roles: [{ name: "review" }] } }),
    "GET /api/v1/projects": () => ({ body: { projects: [] } }),
    "GET /api/v1/tasks": () => ({
      body: { tasks: [{ id: "t1", title: "Before", queue: "incoming" }] },
    }),
    "POST /api/v1/tasks": create,
    "POST /api/v1/drafts": ({ body }) => ({ status: 201, body: { id: 7, ...(body as object) } }),
  });
}

const made = (asked: Asked[]) => asked.filter(({ method }) => method === "POST");

function write(label: RegExp, value: string): void {
  fireEvent.input(screen.getByLabelText(label), { target: { value } });
}

test("Ctrl-Enter creates the task, and shows it", async () => {
  const asked = answering(({ body }) => ({ status: 201, body }));
  const onClose = vi.fn();
  render(<NewTask onClose={onClose} />);
  // The flow of octopoid up is known when its name is shown.
  await screen.findByText("octopoid");
  write(/^Title/, "Fix it");
  write(/^After/, "bef");
  await screen.findByRole("listbox", { name: "Tasks to wait for" });
  fireEvent.keyDown(screen.getByLabelText(/^After/), { key: "Enter" });
  await screen.findByLabelText("Do not wait for Before");
  fireEvent.keyDown(screen.getByLabelText(/^Title/), { key: "Enter", ctrlKey: true });
  await vi.waitFor(() => expect(onClose).toHaveBeenCalledOnce());
  const [{ body } = { body: {} }] = made(asked);
  expect(body).toMatchObject({ title: "Fix it", flow: "octopoid", blocked_by: "t1" });
  expect(path.value).toBe(`/tasks/${(body as { id: string }).id}`);
});

test("what is written survives a panel that is closed, until it is sent", async () => {
  answering(({ body }) => ({ status: 201, body }));
  const first = render(<NewTask onClose={() => undefined} />);
  write(/^Title/, "Not sent");
  first.unmount();
  render(<NewTask onClose={() => undefined} />);
  expect((screen.getByLabelText(/^Title/) as HTMLInputElement).value).toBe("Not sent");
  fireEvent.click(screen.getByText("Create, and another"));
  await screen.findByText(/Created: Not sent/);
  expect((screen.getByLabelText(/^Title/) as HTMLInputElement).value).toBe("");
});

test("what the server refuses is said, and nothing is lost", async () => {
  answering(() => ({ status: 400, body: { error: "Unknown role: review" } }));
  render(<NewTask onClose={() => undefined} />);
  write(/^Title/, "Fix it");
  fireEvent.click(screen.getByText("Create"));
  expect((await screen.findByRole("alert")).textContent).toBe("Unknown role: review");
  expect((screen.getByLabelText(/^Title/) as HTMLInputElement).value).toBe("Fix it");
});

test("a draft keeps the title, and the form the text", async () => {
  const asked = answering(({ body }) => ({ status: 201, body }));
  render(<NewTask onClose={() => undefined} />);
  write(/^Title/, "An idea");
  write(/^Text/, "More of it");
  fireEvent.click(screen.getByText("Save as draft"));
  await screen.findByText(/Saved as draft: An idea. A draft has a title only/);
  expect(made(asked)[0]?.body).toEqual({ title: "An idea", author: "board", scope: "s" });
  expect((screen.getByLabelText(/^Text/) as HTMLTextAreaElement).value).toBe("More of it");
});
