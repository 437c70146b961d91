import { expect, test } from "vitest";

import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { TELEPHONE } from "./support/browser";
import { seedFleet } from "./support/fleet";

const board = new Board({ seed: seedFleet });

interface Drafts {
  drafts: { id: number; title: string; status: string; linked_task_id: string | null }[];
}

async function drafts() {
  return (await board.api.get<Drafts>("/drafts")).drafts;
}

test("drafts are shown, and a new one arrives by itself", async () => {
  const page = await board.open("/drafts");
  await page.getByRole("link", { name: "Warn before a session ends" }).waitFor();
  await expectAccessible(page);
  await picture(page, "drafts");
  await board.api.post("/drafts", { title: "Keep sessions apart", author: "analyst" });
  await page.getByRole("link", { name: "Keep sessions apart" }).waitFor();
  const small = await board.open("/drafts", { ...TELEPHONE, colorScheme: "dark" });
  await small.getByRole("link", { name: "Warn before a session ends" }).waitFor();
  expect(await small.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await expectAccessible(small);
});

test("a draft is written, edited and discarded", async () => {
  const page = await board.open("/drafts");
  await page.getByRole("button", { name: "New draft…" }).click();
  const form = page.getByRole("dialog", { name: "New draft" });
  await form.getByLabel("Text").fill("Print labels\nFor the shelves.");
  await form.getByRole("button", { name: "Save the draft" }).click();
  const row = page.getByRole("listitem").filter({ hasText: "Print" });
  await row.getByText("For the shelves.").waitFor();
  await row.getByRole("button", { name: "Edit" }).click();
  await row.getByLabel("Text").fill("Print big labels");
  await row.getByLabel("Status").selectOption("review");
  await row.getByRole("button", { name: "Save" }).click();
  await row.getByRole("link", { name: "Print big labels" }).waitFor();
  const saved = (await drafts()).find((draft) => draft.title === "Print big labels");
  expect(saved?.status).toBe("review");
  await row.getByRole("button", { name: "Discard…" }).click();
  await row.getByRole("button", { name: "Delete" }).click();
  await row.waitFor({ state: "detached" });
  expect((await drafts()).some((draft) => draft.title.startsWith("Print"))).toBe(false);
});

test("a draft becomes a task, and another a project", async () => {
  const page = await board.open("/drafts");
  const warn = page.getByRole("listitem").filter({ hasText: "Warn before" });
  await warn.getByRole("button", { name: "To a task…" }).click();
  const task = page.getByRole("dialog", { name: "Draft to task" });
  await task.getByLabel("Priority").selectOption("P1");
  await task.getByRole("button", { name: "Create the task" }).click();
  await page.waitForURL(/\/tasks\/[0-9a-f]{8}\?/);
  const linked = (await drafts()).find((draft) => draft.title.startsWith("Warn"))?.linked_task_id;
  expect(await board.api.task(linked ?? "")).toMatchObject({
    title: "Warn before a session ends",
    priority: "P1",
    queue: "incoming",
  });

  await page.goto(`${board.server.url}/drafts?scope=my-repo`);
  const second = page.getByRole("listitem").filter({ hasText: "Import from" });
  await second.getByRole("button", { name: "To a project…" }).click();
  const project = page.getByRole("dialog", { name: "Draft to project" });
  await project.getByRole("button", { name: "Create the project" }).click();
  await page.waitForURL(/\/projects\/import-from-a-second-tracker\?/);
  await page.getByRole("heading", { name: "Import from a second tracker" }).waitFor();
});
