import { expect, test } from "vitest";

import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { TELEPHONE } from "./support/browser";
import { seedFleet } from "./support/fleet";

const board = new Board({ seed: seedFleet });

/** The project of the fleet. */
const SESSIONS = "PROJ-5e55104e";

test("a project is shown with its tasks, also on a telephone", async () => {
  const page = await board.open("/projects");
  await page.getByRole("link", { name: "Sessions that end" }).click();
  await page.getByText("Log in once, be logged out once.").waitFor();
  await page.getByText("1 in review").waitFor();
  await page.getByRole("link", { name: "Fix the flaky login test" }).waitFor();
  await expectAccessible(page);
  await picture(page, "project");
  const task = { id: "5e550001", title: "Log out everywhere", project_id: SESSIONS };
  await board.api.createTask(task);
  await page.getByRole("link", { name: "Log out everywhere" }).waitFor();
  const small = await board.open(`/projects/${SESSIONS}`, { ...TELEPHONE, colorScheme: "dark" });
  await small.getByText("1 in review").waitFor();
  expect(await small.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await expectAccessible(small);
});

test("a project is created, edited, completed and taken up again", async () => {
  const page = await board.open("/projects");
  await page.getByRole("button", { name: "New project…" }).click();
  const form = page.getByRole("dialog", { name: "New project" });
  await form.getByLabel("Title").fill("Faster imports");
  await form.getByLabel("Description").fill("Below a second.");
  await form.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name: "Faster imports" }).waitFor();
  const project = () => board.api.get<Record<string, unknown>>("/projects/faster-imports");
  expect(await project()).toMatchObject({ status: "active", branch: "project/faster-imports" });

  await page.getByRole("button", { name: "Edit…" }).click();
  const edit = page.getByRole("dialog", { name: "Edit the project" });
  await edit.getByLabel("Title").fill("Much faster imports");
  await edit.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Much faster imports" }).waitFor();

  await page.getByRole("button", { name: "Complete…" }).click();
  await page.getByRole("button", { name: "Complete", exact: true }).click();
  await page.getByRole("button", { name: "Reopen" }).waitFor();
  expect(await project()).toMatchObject({ status: "completed", title: "Much faster imports" });
  expect((await project()).completed_at).not.toBeNull();
  await page.getByRole("button", { name: "Reopen" }).click();
  await page.getByRole("button", { name: "Complete…" }).waitFor();
  expect(await project()).toMatchObject({ status: "active", completed_at: null });
});

test("an id that is taken is refused, and what was written stays", async () => {
  const page = await board.open("/projects?new=1");
  const form = page.getByRole("dialog", { name: "New project" });
  await form.getByLabel("Title").fill("Another one");
  await form.getByLabel("Id", { exact: true }).fill(SESSIONS);
  await form.getByRole("button", { name: "Create" }).click();
  await form.getByRole("alert").waitFor();
  expect(await form.getByLabel("Title").inputValue()).toBe("Another one");
});
