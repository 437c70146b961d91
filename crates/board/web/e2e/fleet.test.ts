import { expect, test } from "vitest";

import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { TELEPHONE } from "./support/browser";
import { FLEET, seedFleet } from "./support/fleet";

const board = new Board({ seed: seedFleet });

test("machines are shown with their state, their slots and what they run", async () => {
  const page = await board.open("/fleet");
  const laptop = page.locator('[data-row="home-laptop"]');
  await laptop.getByRole("link", { name: "Port the parser to winnow" }).waitFor();
  const told = await laptop.innerText();
  expect(told).toContain("live");
  expect(told).toContain("1/3");
  expect(told).toContain("running tests");
  expect(told).toContain("uses anthropic");
  expect(await page.locator('[data-row="home-box-4"]').innerText()).toContain("offline");
  expect(await page.locator('[data-row="home-box-5"]').innerText()).toContain("draining");
  const pauses = page.getByRole("region", { name: "Pauses" });
  await pauses.getByText("The test data is being replaced").waitFor();
  await expectAccessible(page);
  await picture(page, "fleet");
  const small = await board.open("/fleet", { ...TELEPHONE, colorScheme: "dark" });
  await small.locator('[data-row="home-laptop"]').waitFor();
  expect(await small.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await expectAccessible(small);
});

test("a machine is drained and resumed, and another client's change arrives", async () => {
  const page = await board.open("/fleet/home-laptop");
  const laptop = page.locator('[data-row="home-laptop"]');
  await laptop.getByRole("button", { name: "Drain…" }).click();
  await laptop.getByText("Its 1 run will be told to finish.").waitFor();
  await laptop.getByRole("button", { name: "Drain", exact: true }).click();
  await laptop.getByText("draining").waitFor();
  expect((await board.api.get<{ status: string }>("/orchestrators/home-laptop")).status).toBe(
    "draining",
  );
  await board.api.setMachine("home-laptop", "active");
  await laptop.getByText("live").waitFor();
  await board.api.setMachine("home-laptop", "draining");
  await laptop.getByRole("button", { name: "Resume" }).click();
  await laptop.getByText("live").waitFor();
  expect(await board.api.get("/orchestrators/home-laptop")).toMatchObject({ status: "active" });
});

test("a pause is begun and ended, and keeps tasks from being handed out meanwhile", async () => {
  const page = await board.open("/fleet?pause=new");
  const form = page.getByRole("dialog", { name: "Pause" });
  await form.getByLabel("What is paused").selectOption("role");
  await form.getByLabel("Name of the role").fill("implement");
  await form.getByLabel("15 minutes").check();
  await form.getByLabel("Why?").fill("The disk is full");
  await form.getByRole("button", { name: "Pause", exact: true }).click();
  const row = page.getByRole("listitem").filter({ hasText: "role implement" });
  await row.getByText("The disk is full").waitFor();
  expect(await row.innerText()).toMatch(/until \d\d:\d\d \(in 1[45] min\)/);
  const why = () => board.api.get<{ claimable: boolean }>(`/tasks/${FLEET.next}/why`);
  expect((await why()).claimable).toBe(false);
  await row.getByRole("button", { name: "End…" }).click();
  await row.getByRole("button", { name: "End the pause" }).click();
  await row.waitFor({ state: "detached" });
  expect((await why()).claimable).toBe(true);
});

test("a scope without machines is told how to start one", async () => {
  const page = await board.open("/fleet?scope=empty");
  const line = `octopoid agent run --server ${board.server.url} --scope empty -- claude -p`;
  await page.getByText(line, { exact: true }).waitFor();
  await page.getByText("Nothing is paused.").waitFor();
});
