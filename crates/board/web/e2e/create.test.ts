import { expect, test } from "vitest";

import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { TELEPHONE } from "./support/browser";
import { FLEET, seedFleet } from "./support/fleet";

const HOSTILE = `<img src=x onerror="document.title='broken in'">`;

const board = new Board({ auth: "required", seed: seedFleet });

test("a task is made by keys alone, waits for another, and its page is shown", async () => {
  const page = await board.open("/", { key: await board.api.issueKey("manage") });
  await page.getByText("Fix the flaky login test").first().waitFor();
  await page.keyboard.press("c");
  const form = page.getByRole("dialog", { name: "New task" });
  await form.waitFor();
  await page.keyboard.type(HOSTILE);
  await page.keyboard.press("Tab");
  await page.keyboard.type("Say in the README\nhow to begin.");
  await form.getByLabel(/^After which others/).focus();
  await page.keyboard.type("flaky");
  await form.getByRole("option", { name: /Fix the flaky login test/ }).waitFor();
  await expectAccessible(page);
  await picture(page, "new-task");
  await page.keyboard.press("Enter");
  await form.getByRole("button", { name: "Do not wait for Fix the flaky login test" }).waitFor();
  await page.keyboard.press("Control+Enter");
  await page.waitForURL(/\/tasks\/[0-9a-f]{8}\?/);
  const id = new URL(page.url()).pathname.slice("/tasks/".length);
  expect(await board.api.task(id)).toMatchObject({
    title: HOSTILE,
    content: "Say in the README\nhow to begin.",
    blocked_by: FLEET.review,
    file_path: `tasks/${id}.md`,
    branch: "main",
    priority: "P2",
  });
  await page.keyboard.press("g");
  await page.keyboard.press("t");
  await page.locator(`[data-row="${id}"]`).getByText(HOSTILE).waitFor();
  expect(await page.title()).not.toContain("broken in");
});

test("what is written survives a panel that is closed, also on a telephone", async () => {
  const key = await board.api.issueKey("manage");
  const page = await board.open("/", { ...TELEPHONE, key });
  await page.getByRole("button", { name: "New task" }).click();
  await page.getByLabel("Title").fill("Not finished yet");
  await page.getByRole("button", { name: "Close" }).click();
  await page.reload();
  await page.getByRole("button", { name: "New task" }).click();
  expect(await page.getByLabel("Title").inputValue()).toBe("Not finished yet");
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(360);
  await page.getByRole("button", { name: "Create, and another" }).click();
  await page.getByText("Created: Not finished yet").waitFor();
  expect(await page.getByLabel("Title").inputValue()).toBe("");
});

test("one field finds tasks, views and commands, and opens them", async () => {
  const page = await board.open("/", { key: await board.api.issueKey("manage") });
  await page.getByText("Fix the flaky login test").first().waitFor();
  const palette = page.getByRole("dialog", { name: "Search and commands" });
  const search = async (text: string, found: string | RegExp) => {
    await page.keyboard.press("Control+k");
    await palette.waitFor();
    await page.keyboard.type(text);
    await palette.getByRole("option", { name: found }).first().waitFor();
  };
  await search("flee", /^Fleet/);
  await expectAccessible(page);
  await page.keyboard.press("Enter");
  await expect.poll(() => new URL(page.url()).pathname).toBe("/fleet");
  await search("the flaky", /Fix the flaky login test/);
  await picture(page, "palette");
  await page.keyboard.press("Enter");
  await expect.poll(() => new URL(page.url()).pathname).toBe(`/tasks/${FLEET.review}`);
  await search("pause", /^Pause/);
  await page.keyboard.press("Enter");
  await page.locator(".live.is-paused").waitFor();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("no such thing");
  await palette.getByText("Nothing found.").waitFor();
  await page.keyboard.press("Escape");
  await palette.waitFor({ state: "detached" });
});

test("each state says in its row what there is to say", async () => {
  const page = await board.open("/tasks", { key: await board.api.issueKey("manage") });
  const row = (id: string) => page.locator(`[data-row="${id}"]`);
  await row(FLEET.review).getByText("+20").waitFor();
  await row(FLEET.review).getByText("✓ 2 checks").waitFor();
  await row(FLEET.reviewFailing).getByText(/failed/).waitFor();
  await row(FLEET.running).getByText("running tests").waitFor();
  await row(FLEET.running).getByText("65 %").waitFor();
  await row(FLEET.running).getByText("slot-2").waitFor();
  await row(FLEET.blocked).getByText(/waits for .*Fix the flaky login test/).waitFor();
  await row(FLEET.question).getByText("waits for an answer").waitFor();
  await expectAccessible(page);
  await row(FLEET.review).hover();
  await row(FLEET.review).getByRole("button", { name: "Accept" }).click();
  await expect.poll(async () => (await board.api.task(FLEET.review)).queue).not.toBe("provisional");
});

test("with a key that may only read, the table selects and changes nothing", async () => {
  const page = await board.open("/tasks", { key: await board.api.issueKey("read") });
  const row = page.locator(`[data-row="${FLEET.failed}"]`);
  await row.hover();
  expect(await page.getByRole("checkbox").count()).toBe(0);
  expect(await row.getByRole("button").count()).toBe(0);
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  expect(await page.getByText(/selected/).count()).toBe(0);
});
