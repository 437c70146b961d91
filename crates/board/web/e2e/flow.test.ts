import { expect, test } from "vitest";

import type { Api } from "./support/api";
import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { TELEPHONE } from "./support/browser";
import { FLEET, seedFleet } from "./support/fleet";

async function seed(api: Api): Promise<void> {
  await seedFleet(api);
  const states = ["incoming", "claimed", "provisional", "approved", "done", "failed", "cancelled"];
  const way = states.slice(0, 5);
  const steps = way.slice(1).map((to, index) => ({ from: way[index], to }));
  const transitions = [...steps, { from: "provisional", to: "incoming" }];
  const description = "Work, review and merge";
  const body = { scope: api.scope, states, transitions, description };
  await api.send("PUT", "/flows/octopoid", body);
}

const board = new Board({ seed });

test("the states of a flow have counts, which move, and lead to their tasks", async () => {
  const page = await board.open("/flows/octopoid");
  await page.getByText("Work, review and merge").waitFor();
  const review = page.getByRole("link", { name: "in review 2 tasks" });
  await review.waitFor();
  const cells = page.getByRole("row").filter({ hasText: "in review" }).last().getByRole("cell");
  expect(await cells.last().innerText()).toBe("approved, waiting");
  await expectAccessible(page);
  await picture(page, "flow");
  await board.api.accept(FLEET.reviewFailing);
  await page.getByRole("link", { name: "in review 1 task" }).click();
  expect(new URL(page.url()).pathname).toBe("/tasks");
  expect(new URL(page.url()).searchParams.get("queue")).toBe("provisional");
});

test("a telephone has the list, and a scope without a flow the built-in states", async () => {
  const small = await board.open("/flows", { ...TELEPHONE, colorScheme: "dark" });
  await small.getByRole("rowheader", { name: "in review" }).waitFor();
  expect(await small.locator(".drawing").isVisible()).toBe(false);
  expect(await small.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await expectAccessible(small);
  const other = await board.open("/flows?scope=empty");
  await other.getByText("No flow is registered here.").waitFor();
  await other.getByRole("link", { name: "waiting 0 tasks" }).waitFor();
});

test("a flow that does not exist is said so", async () => {
  const page = await board.open("/flows/gone");
  await page.getByText("There is no flow gone.").waitFor();
});
