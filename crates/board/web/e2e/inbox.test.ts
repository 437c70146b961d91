import { expect, test } from "vitest";

import type { Api } from "./support/api";
import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { TELEPHONE } from "./support/browser";
import { FLEET, seedFleet } from "./support/fleet";

async function seed(api: Api): Promise<void> {
  await seedFleet(api);
  await api.patch(FLEET.delayed, { needs_intervention: true });
}

const board = new Board({ seed });

interface Actions {
  actions: { id: string; label: string; status: string; result: string | null }[];
}

async function action(label: RegExp) {
  const { actions } = await board.api.get<Actions>("/actions");
  const found = actions.find((known) => label.test(known.label));
  if (!found) throw new Error(`no action is called ${label}`);
  return found;
}

test("what needs a person is grouped, and can be read on a telephone", async () => {
  const page = await board.open("/inbox");
  for (const group of ["Questions", "Proposals", "Work to review", "Flagged"]) {
    await page.getByRole("region", { name: group }).waitFor();
  }
  expect(await page.title()).toMatch(/^\(5\) Inbox/);
  // The menu counts what was asked and what is to be reviewed.
  expect(await page.locator(".views .count").innerText()).toBe("4");
  await expectAccessible(page);
  await picture(page, "inbox");
  const small = await board.open("/inbox", { ...TELEPHONE, colorScheme: "dark" });
  await small.getByRole("region", { name: "Questions" }).waitFor();
  expect(await small.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await expectAccessible(small);
});

test("a question is answered in two taps, and is found among what was answered", async () => {
  const question = await action(/Which port/);
  const page = await board.open(`/inbox/${question.id}`, TELEPHONE);
  const row = page.locator(`[data-row="${question.id}"].is-at`);
  await row.getByRole("button", { name: "Answer…" }).tap();
  await page.keyboard.type("1025, the other is taken");
  await row.getByRole("button", { name: "Send the answer" }).tap();
  await row.waitFor({ state: "detached" });
  expect(await action(/Which port/)).toMatchObject({ status: "completed" });
  const why = await board.api.get<{ claimable: boolean }>(`/tasks/${FLEET.question}/why`);
  expect(why.claimable).toBe(true);
  await page.getByText("This was answered.").waitFor();
  await page.getByText("1025, the other is taken").waitFor();
});

test("a proposal that arrives is denied by a key, and another approved by a button", async () => {
  const page = await board.open("/inbox");
  const old = page.getByRole("listitem").filter({ hasText: "by chapter" });
  await old.waitFor();
  const about = { entity_type: "task", entity_id: FLEET.next, proposed_by: "analyst" };
  const made = await board.api.propose({ ...about, label: "Rename it to tentacle" });
  const row = page.locator(`[data-row="${made.id}"]`);
  await row.waitFor();
  while (!(await row.getAttribute("class"))?.includes("is-at")) await page.keyboard.press("j");
  await page.keyboard.press("d");
  await row.waitFor({ state: "detached" });
  expect(await action(/tentacle/)).toMatchObject({ status: "failed", result: "denied" });
  await old.getByRole("button", { name: "Approve" }).click();
  await old.waitFor({ state: "detached" });
  expect((await action(/by chapter/)).status).toBe("execute_requested");
});

test("a flag is cleared", async () => {
  const page = await board.open("/inbox");
  const row = page.locator(`[data-row="${FLEET.delayed}"]`);
  await row.getByRole("button", { name: "Clear the flag" }).click();
  await row.waitFor({ state: "detached" });
  expect((await board.api.task(FLEET.delayed)).needs_intervention).toBe(0);
});
