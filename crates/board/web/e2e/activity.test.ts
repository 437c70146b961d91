import { expect, test } from "vitest";

import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { TELEPHONE } from "./support/browser";
import { FLEET, seedFleet } from "./support/fleet";
import { seedMany } from "./support/many";

const board = new Board({ seed: seedFleet });

/** How long a test with many tasks may take, in milliseconds, where others need the processor. */
const MANY_MAX_MS = 300_000;

test("the journal is shown in words, the latest on top, and moves unless it is held", async () => {
  const page = await board.open("/activity");
  const rows = page.locator("[data-event]");
  await rows.first().waitFor();
  await page.locator(".live.is-live").waitFor();
  await page.getByText("This is the oldest event that the server keeps.").waitFor();
  await expectAccessible(page);
  await picture(page, "activity");

  await board.api.patch(FLEET.next, { priority: "P1" });
  await rows.first().getByText("edited").waitFor();
  await page.getByRole("button", { name: "Hold still" }).click();
  await board.api.cancel(FLEET.next, "It has a good name");
  await page.getByRole("button", { name: "1 new: show" }).waitFor();
  expect(await rows.first().innerText()).toContain("edited");
  await page.getByRole("button", { name: "1 new: show" }).click();
  const newest = await rows.first().innerText();
  expect(newest).toContain("cancelled");
  expect(newest).toContain("Rename the crate");
  expect(newest).toContain("It has a good name");
});

test("kinds and actors are chosen, and the address keeps them", async () => {
  const page = await board.open("/activity");
  await page.getByRole("button", { name: "pauses" }).click();
  const rows = page.locator("[data-event]");
  await expect.poll(() => rows.count()).toBe(2);
  await page.getByLabel("by").selectOption("runner");
  await expect.poll(() => rows.count()).toBe(1);
  expect(new URL(page.url()).searchParams.get("kinds")).toBe("pause");
  await page.reload();
  await rows.first().waitFor();
  expect(await rows.count()).toBe(1);
  expect(await rows.first().innerText()).toContain("The provider's limit is reached");
});

test("a place of the journal has an address, which shows what surrounds it", async () => {
  const page = await board.open("/activity");
  const rejected = page.locator("[data-event]").filter({ hasText: "Tests are missing" });
  await rejected.getByRole("link", { name: "This place" }).click();
  await page.getByText("From this place on.").waitFor();
  await page.reload();
  const named = page.locator(".event.is-at");
  await named.waitFor();
  expect(await named.innerText()).toContain("rejected");
  const rows = await page.locator("[data-event]").allInnerTexts();
  const at = rows.findIndex((row) => row.includes("Tests are missing"));
  expect(rows.slice(0, at).join()).toContain("submitted");
  expect(rows.slice(at).join()).toContain("claimed");
  await page.getByRole("button", { name: "Show later ones" }).click();
  await page.getByText("This is the end of the journal.").waitFor();
});

test("older events are found behind many of another scope", async () => {
  await seedMany(board.server.api("other-repo"), 1_200);
  const page = await board.open("/activity");
  await page.locator("[data-event]").filter({ hasText: "Rename the crate" }).first().waitFor();
  await page.getByText("This is the oldest event that the server keeps.").waitFor();
  expect(await page.locator("[data-event]").filter({ hasText: "Task 7 of many" }).count()).toBe(0);
}, MANY_MAX_MS);

test("it can be read on a telephone", async () => {
  const page = await board.open("/activity", { ...TELEPHONE, colorScheme: "dark" });
  await page.locator("[data-event]").first().waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await expectAccessible(page);
});
