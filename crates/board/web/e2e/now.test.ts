import { expect, test } from "vitest";

import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { TELEPHONE } from "./support/browser";
import { FLEET, nowIsRead, seedFleet } from "./support/fleet";

const board = new Board({ seed: seedFleet });

test("the first view shows what needs a person, what runs, and why the rest waits", async () => {
  const page = await board.open("/");
  const needs = page.getByRole("region", { name: "Needs you" });
  await needs.getByText("Fix the flaky login test").waitFor();
  const review = needs.locator(`[data-row="${FLEET.review}"]`);
  expect(await review.innerText()).toMatch(/\+20\s+−8\s*3 files\s*✓ 2 checks/);
  expect(await needs.locator(`[data-row="${FLEET.reviewFailing}"]`).innerText()).toContain("failed");
  await needs.getByText("Which port should the mock use, 2525 or 1025?").first().waitFor();

  const running = page.locator(`[data-row="${FLEET.running}"]`);
  const told = await running.innerText();
  expect(told).toContain("slot-2");
  expect(told).toContain("home-laptop");
  expect(told).toContain("running tests");
  expect(told).toContain("65 %");
  expect(told).toMatch(/lease 1[0-5]:\d\d/);
  expect(told).toContain("$1.10");

  const waits = (id: string) => page.locator(`[data-row="${id}"]`).innerText();
  expect(await waits(FLEET.blocked)).toContain("waits for Fix the flaky login test (in review)");
  expect(await waits(FLEET.blockedTwice)).toContain("waits for Cut the release");
  expect(await waits(FLEET.paused)).toContain("The test data is being replaced");
  expect(await waits(FLEET.next)).toContain("next in line");
  expect(await page.getByRole("region", { name: "Last 24 hours" }).innerText()).toContain("done 3");
  await expectAccessible(page);
  await picture(page, "now");
});

test("no row costs a request", async () => {
  const page = await board.open("/activity");
  await page.locator(".live.is-live").waitFor();
  await page.getByText("This is the oldest event that the server keeps.").waitFor();
  const requests: string[] = [];
  page.on("request", (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname.startsWith("/api/")) requests.push(`${pathname} ${searchParams.get("queue")}`);
  });
  await page.getByRole("link", { name: "Now", exact: true }).click();
  await nowIsRead(page);
  expect(await page.locator("[data-row]").count()).toBeGreaterThan(10);
  // Four lists of tasks, the questions, the summary and the machines, each at most once.
  expect(requests.length, requests.join("\n")).toBeLessThanOrEqual(7);
  expect(new Set(requests).size).toBe(requests.length);
});

test("it is as clear in the dark, and on a telephone", async () => {
  const dark = await board.open("/", { colorScheme: "dark" });
  await dark.getByText("Fix the flaky login test").first().waitFor();
  await expectAccessible(dark);
  await picture(dark, "now-dark");
  const small = await board.open("/", TELEPHONE);
  await small.getByText("Fix the flaky login test").first().waitFor();
  const width = await small.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(360);
  await expectAccessible(small);
  await picture(small, "now-telephone");
});

test("work is accepted by keys alone, and the next thing to decide is under the cursor", async () => {
  const page = await board.open("/");
  await nowIsRead(page);
  const at = page.locator(".row.is-at");
  do await page.keyboard.press("j");
  while ((await at.getAttribute("data-row")) !== FLEET.review);
  await page.keyboard.press("a");
  await expect.poll(async () => (await board.api.task(FLEET.review)).queue).toBe("done");
  await page.locator(`[data-row="${FLEET.review}"]`).waitFor({ state: "detached" });
  await expect.poll(() => at.getAttribute("data-row")).toBe(FLEET.reviewFailing);
});

test("work is rejected with a reason, which the next attempt is given", async () => {
  const page = await board.open("/");
  const needs = page.getByRole("region", { name: "Needs you" });
  const row = needs.locator(`[data-row="${FLEET.reviewFailing}"]`);
  await row.getByRole("button", { name: "Reject…" }).click();
  await row.getByLabel(/Why is the work rejected/).fill("The second file is still read twice.");
  await row.getByRole("button", { name: "Reject", exact: true }).click();
  await row.waitFor({ state: "detached" });
  const task = await board.api.task(FLEET.reviewFailing);
  expect(task.queue).toBe("incoming");
  const claimed = await board.api.claim({ agent: "slot-9", role: "implement" });
  expect(claimed.id).toBe(FLEET.reviewFailing);
  const { feedback } = claimed as unknown as { feedback: { text: string; by: string }[] };
  expect(feedback[0]).toMatchObject({ text: "The second file is still read twice.", by: "board" });
  await page.locator(`[data-row="${FLEET.reviewFailing}"]`).getByText("slot-9").waitFor();
});

test("a question is answered in place, and the task goes on", async () => {
  const page = await board.open("/");
  const row = page.getByRole("listitem").filter({ hasText: "Which port should the mock use" });
  await row.first().getByRole("button", { name: "Answer…" }).click();
  await row.first().getByLabel(/Your answer/).fill("2525");
  await page.keyboard.press("Control+Enter");
  await expect.poll(async () => (await board.api.task(FLEET.question)).blocked_by).toBeNull();
  await page.locator(`[data-row="${FLEET.question}"]`).getByText(/next in line|free slot/).waitFor();
});
