import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { Board } from "./support/board";

const OTHER = "other-repo";

const board = new Board({
  seed: async (api) => {
    const held = await api.start({ id: "old-2", title: "Work of the first scope" });
    await api.submit(held, { summary: "Done." });
    await api.createTask({ id: "old-1", title: "A task of the first scope" });
    const other = board.server.api(OTHER);
    await other.createTask({ id: "new-1", title: "A task of the other scope" });
  },
});

async function choose(page: Page, scope: string): Promise<void> {
  await page.getByRole("combobox", { name: "Scope" }).selectOption(scope);
}

test("when another scope is chosen, nothing of the last one stays", async () => {
  const page = await board.open("/");
  await page.locator(".live.is-live").waitFor();
  await page.getByText("A task of the first scope").waitFor();
  await page.getByRole("button", { name: "Reject…" }).click();
  await page.getByLabel(/Why is the work rejected/).fill("A reason of the first scope");
  await page.getByRole("link", { name: "Tasks", exact: true }).click();
  await page.getByRole("row", { name: /A task of the first scope/ }).waitFor();
  await choose(page, OTHER);
  await page.getByText("A task of the other scope").waitFor();
  expect(new URL(page.url()).searchParams.get("scope")).toBe(OTHER);
  expect(new URL(page.url()).pathname).toBe("/");
  await page.locator(".live.is-live").waitFor();
  await board.api.createTask({ id: "old-3", title: "A later task of the first scope" });
  await board.server.api(OTHER).createTask({ id: "new-2", title: "A later task of the other" });
  for (const view of ["Now", "Tasks", "Inbox", "Activity"]) {
    await page.getByRole("link", { name: view, exact: true }).click();
    const shown = view === "Inbox" ? "Nothing needs you" : "A later task of the other";
    await page.getByText(shown).first().waitFor();
    expect(await page.locator("#app").innerText(), view).not.toMatch(/of the first scope/);
  }
  await page.goBack();
  await choose(page, "my-repo");
  await page.getByText("A later task of the first scope").waitFor();
  expect(await page.locator("#app").innerText()).not.toMatch(/of the other/);
});

test("a board that could not start is started again by its button", async () => {
  const page = await board.open("/");
  await page.getByText("A task of the first scope").waitFor();
  const body = JSON.stringify({ error: "The database is being migrated" });
  const contentType = "application/json";
  await page.route("**/api/v1/scopes*", (route) => route.fulfill({ status: 503, body, contentType }));
  await page.reload();
  await page.getByRole("alert").getByText("The database is being migrated").waitFor();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("alert").getByText("The database is being migrated").waitFor();
  await page.unroute("**/api/v1/scopes*");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("A task of the first scope").waitFor();
  expect(await page.getByRole("alert").count()).toBe(0);
});
