import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { Board } from "./support/board";
import { seedMany } from "./support/many";

const board = new Board({ seed: (api) => api.createTask({ id: "first", title: "The first task" }) });

/** Leases outlast the tests, so that none ends while an idle board is watched. */
const LEASE_SECONDS = 3_600;

/** What a scope with tasks and without a machine is told. */
const FIRST_MACHINE = /^No machine works for/;

/** Tasks enough for the board to call it load. */
const MANY = 200;

/** How long an idle board is watched, in milliseconds: longer than any timer of the board. */
const IDLE_MS = 60_000;

async function openLive(path = "/", beside?: Page): Promise<Page> {
  const page = await board.open(path, beside ? { beside } : {});
  await page.locator(".live.is-live").waitFor();
  return page;
}

test("a task that another client adds appears by itself", async () => {
  const page = await openLive();
  await page.getByText("The first task").waitFor();
  await board.api.createTask({ id: "second", title: "Another task" });
  await page.getByText("Another task").waitFor();
});

test("progress that nothing keeps is shown while it is reported", async () => {
  const page = await openLive();
  await page.getByText("The first task").waitFor();
  const held = await board.api.claimTask("first", { seconds: LEASE_SECONDS });
  const row = page.locator('[data-row="first"]');
  await row.getByText("slot-1").waitFor();
  await board.api.progress(held, "compiling", { percent: 40, seconds: LEASE_SECONDS });
  await row.getByText("compiling").waitFor();
  await row.getByText("40 %").waitFor();
});

test("a server that goes away and comes back is followed again, and nothing is missed", async () => {
  const page = await openLive();
  await page.getByText("The first task").waitFor();
  await board.server.pause();
  await page.locator(".live.is-reconnecting").waitFor();
  await board.server.resume();
  await board.api.createTask({ id: "meanwhile", title: "Added meanwhile" });
  await page.locator(".live.is-live").waitFor();
  await page.getByText("Added meanwhile").waitFor();
});

test("a paused board stands still until it goes on, while another tab moves", async () => {
  const page = await openLive();
  await page.getByText("The first task").waitFor();
  await page.locator(".live").click();
  await page.locator(".live.is-paused").waitFor();
  const other = await openLive("/", page);
  await other.getByText("The first task").waitFor();
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  await board.api.createTask({ id: "unseen", title: "Not shown yet" });
  await other.getByText("Not shown yet").waitFor();
  await page.bringToFront();
  expect(await page.getByText("Not shown yet").count()).toBe(0);
  expect(requests).toEqual([]);
  await page.locator(".live").click();
  await page.getByText("Not shown yet").waitFor();
});

test("eight tabs share one stream, and go on when the one that reads closes", async () => {
  const first = await openLive();
  const streams: string[] = [];
  first.context().on("request", (request) => {
    if (request.url().includes("/api/v1/events")) streams.push(request.url());
  });
  const others: Page[] = [];
  for (let count = 0; count < 7; count += 1) others.push(await openLive("/", first));
  expect(streams).toEqual([]);
  await board.api.createTask({ id: "for-eight", title: "For eight tabs" });
  for (const page of [first, ...others]) {
    await page.bringToFront();
    await page.getByText("For eight tabs").waitFor();
  }
  await first.close();
  await expect.poll(() => streams.length).toBe(1);
  await board.api.createTask({ id: "for-seven", title: "For seven tabs" });
  await others[6]!.bringToFront();
  await others[6]!.getByText("For seven tabs").waitFor();
  expect(streams).toHaveLength(1);
});

test("an idle board asks the server for nothing in 60 seconds", async () => {
  const page = await openLive();
  await page.getByText("The first task").waitFor();
  // The machines are read last, once it is known that tasks wait.
  await page.getByText(FIRST_MACHINE).waitFor();
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.waitForTimeout(IDLE_MS);
  expect(requests).toEqual([]);
}, 2 * IDLE_MS);

test("under load the board closes its stream and reads summaries", async () => {
  const page = await openLive();
  await page.getByText("The first task").waitFor();
  // By a clock that stands still, all tasks are created in one second, however slow the machine is.
  await page.clock.setFixedTime(Date.now());
  await seedMany(board.api, MANY);
  await page.locator(".live.is-busy").waitFor();
  await page.waitForRequest((request) => request.url().includes("/api/v1/summary"));
  await page.locator(".live.is-live").waitFor({ timeout: 60_000 });
  const { queues } = await board.api.get<{ queues: Record<string, number> }>("/summary");
  await page.getByRole("heading", { name: `Waiting ${queues.incoming}` }).waitFor();
}, 120_000);
