/** The changes of many tasks beside cancelling, which the tests of 10,000 tasks have. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { Board } from "./support/board";

const board = new Board();

/** How many tasks each test changes. */
const COUNT = 12;

/** Creates tasks of a role of their own, and returns their ids. */
async function created(role: string, count = COUNT): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, number) => `${role}-${number}`);
  for (const id of ids) await board.api.createTask({ id, role, title: `Task ${id}` });
  return ids;
}

/** Selects all tasks of a role by the filter, and returns the page once a change is chosen. */
async function choose(role: string, change: string): Promise<Page> {
  const page = await board.open(`/tasks?role=${role}`);
  const foot = page.locator(".task-foot");
  await foot.getByRole("button", { name: /^Select all/ }).click();
  await foot.getByRole("button", { name: `${change}…`, exact: true }).click();
  return page;
}

const tasksOf = (ids: string[]) => Promise.all(ids.map((id) => board.api.task(id)));

test("priorities are changed by filter, and those that have it are counted apart", async () => {
  const ids = await created("urgent");
  await board.api.patch(ids[0]!, { priority: "P0" });
  const page = await choose("urgent", "Priority");
  const panel = page.getByRole("dialog", { name: `Priority: ${COUNT} tasks` });
  await panel.getByLabel("P0").check();
  await panel.getByText("This changes 11 tasks.").waitFor();
  await panel.getByText("1 task is as wanted already.").waitFor();
  await panel.getByRole("button", { name: "Priority 11 tasks" }).click();
  await page.getByText("11 tasks changed").waitFor();
  for (const task of await tasksOf(ids)) expect(task.priority).toBe("P0");
});

test("tasks that agents hold are requeued by filter, and the others are said to be refused", async () => {
  const ids = await created("held", 3);
  for (const _ of ids.slice(1)) await board.api.claim({ role: "held" });
  const page = await choose("held", "Requeue");
  const panel = page.getByRole("dialog", { name: "Requeue: 3 tasks" });
  await panel.getByText("2 of them are held by agents").waitFor();
  await panel.getByText("1 in the state “waiting”").waitFor();
  await panel.getByRole("button", { name: "Requeue 2 tasks" }).click();
  await page.getByText("2 tasks requeued").waitFor();
  for (const task of await tasksOf(ids)) expect(task.queue).toBe("incoming");
});

test("tasks are moved by filter, with a reason, and tried again", async () => {
  const ids = await created("moved");
  const page = await choose("moved", "Move");
  const panel = page.getByRole("dialog", { name: `Move: ${COUNT} tasks` });
  await panel.getByLabel("To the state").selectOption("failed");
  await panel.getByLabel("Reason").fill("The importer was replaced");
  await panel.getByRole("button", { name: `Move ${COUNT} tasks` }).click();
  await page.getByText(`${COUNT} tasks moved`).waitFor();
  for (const task of await tasksOf(ids)) expect(task.queue).toBe("failed");
  const { events } = await board.api.get<{ events: { details: string | null }[] }>(
    `/tasks/${ids[0]}/history`,
  );
  expect(events.at(-1)?.details).toContain("The importer was replaced");

  const again = await choose("moved", "Retry");
  const retry = again.getByRole("dialog", { name: `Retry: ${COUNT} tasks` });
  await retry.getByRole("button", { name: `Retry ${COUNT} tasks` }).click();
  await again.getByText(`${COUNT} tasks retried`).waitFor();
  for (const task of await tasksOf(ids)) expect(task.queue).toBe("incoming");
});

test("what another client has changed meanwhile is left as it is, and told", async () => {
  const ids = await created("raced", 3);
  const page = await choose("raced", "Cancel");
  const panel = page.getByRole("dialog", { name: "Cancel: 3 tasks" });
  await panel.getByLabel("Reason").fill("Not needed");
  await panel.getByText("This changes 3 tasks.").waitFor();
  await board.api.patch(ids[1]!, { title: "Needed after all" });
  await panel.getByRole("button", { name: "Cancel 3 tasks" }).click();
  await page.getByText("2 tasks cancelled").waitFor();
  await page.getByRole("heading", { name: /Not changed 1/ }).waitFor();
  expect((await board.api.task(ids[1]!)).queue).toBe("incoming");
});
