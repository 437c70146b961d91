import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { TELEPHONE } from "./support/browser";
import { manyId, seedMany } from "./support/many";

/** How many tasks the tests need. */
const MANY = 10_000;
/** How many of them are cancelled by filter: those of two priorities. */
const CANCELLED = 5_000;
/** How long that may take, in milliseconds, where other programs need the processor. */
const BULK_MAX_MS = 300_000;

const board = new Board({ seed: (api) => seedMany(api, MANY) });

async function open(path = "/tasks", options = {}): Promise<Page> {
  const page = await board.open(path, options);
  await page.locator("[data-row]").first().waitFor();
  return page;
}

/** Scrolls the table to a share of its height. */
async function scroll(page: Page, share: number): Promise<void> {
  await page.locator(".table-scroll").evaluate((table, wanted) => {
    table.scrollTop = (table.scrollHeight - table.clientHeight) * wanted;
  }, share);
}

/** The ids of the rows that are in the page. */
function rowsOf(page: Page): Promise<string[]> {
  const ids = (rows: Element[]) => rows.map((row) => row.getAttribute("data-row") ?? "");
  return page.locator("[data-row]").evaluateAll(ids);
}

/**
 * Counts the requests of a page that wait for their answers, from now on. The returned function
 * tells how many did so at once. The page itself counts: the browser may tell of a request before
 * it tells of the answer that came first.
 */
async function countRequests(page: Page, path: string): Promise<() => Promise<number>> {
  const most = await page.evaluateHandle((wanted) => {
    const counted = { underWay: 0, most: 0 };
    const send = window.fetch;
    window.fetch = async (...request) => {
      if (!String(request[0]).includes(wanted)) return send(...request);
      counted.underWay += 1;
      counted.most = Math.max(counted.most, counted.underWay);
      try {
        return await send(...request);
      } finally {
        counted.underWay -= 1;
      }
    };
    return counted;
  }, path);
  return () => most.evaluate((counted) => counted.most);
}

function foot(page: Page) {
  return page.locator(".task-foot");
}

test("10,000 tasks scroll from end to end, with few rows in the page", async () => {
  const page = await open();
  await foot(page).getByText("10,000 tasks").waitFor();
  const [newest] = await rowsOf(page);
  for (const share of [0.1, 0.5, 0.9, 1]) {
    await scroll(page, share);
    expect((await rowsOf(page)).length).toBeLessThan(100);
  }
  // The head is the first row.
  const last = page.locator(`[data-row="${manyId(0)}"][aria-rowindex="${MANY + 1}"]`);
  await last.getByText("waits for a free slot").waitFor();
  await scroll(page, 0);
  await page.locator(`[data-row="${newest}"]`).waitFor();
  await expectAccessible(page);
});

test("while the user scrolls, a page is read for 500 rows, not for each", async () => {
  const page = await open();
  const requests: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/api/v1/tasks")) requests.push(request.url());
  });
  await scroll(page, 0.2);
  await page.locator('[aria-rowindex="2001"]').getByText("waits for a free slot").waitFor();
  const pages = requests.filter((url) => url.includes("cursor="));
  expect(pages.length).toBeLessThanOrEqual(5);
  expect(requests.length - pages.length).toBeLessThanOrEqual(2);
});

test("filters are in the address, and the address restores them", async () => {
  const page = await open();
  await page.getByRole("button", { name: "Filter" }).click();
  const menu = page.getByRole("dialog", { name: "Filter" });
  await menu.getByRole("checkbox", { name: "P0" }).check();
  await menu.getByRole("checkbox", { name: /^waiting/ }).check();
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await foot(page).getByText("2,500 tasks").waitFor();
  await page.getByLabel("Order").selectOption("priority");
  const { search } = new URL(page.url());
  expect(Object.fromEntries(new URLSearchParams(search))).toMatchObject({
    queue: "incoming",
    priority: "P0",
    sort: "priority",
  });
  await page.locator(`[data-row="${manyId(0)}"]`).waitFor();

  const other = await open(`/tasks${search}`);
  await foot(other).getByText("2,500 tasks").waitFor();
  expect(await rowsOf(other)).toEqual(await rowsOf(page));
  await other.getByRole("button", { name: "Do not filter by P0" }).click();
  await foot(other).getByText("10,000 tasks").waitFor();
  expect(other.url()).not.toContain("priority=P0");
});

test("a view that is saved is there after a reload", async () => {
  const page = await open("/tasks?priority=P1&role=test");
  await page.getByRole("button", { name: "Save this view…" }).click();
  await page.getByLabel("Name of the view").fill("Urgent tests");
  await page.keyboard.press("Enter");
  await page.goto(new URL("/tasks?scope=my-repo", page.url()).href);
  await page.getByRole("link", { name: "Urgent tests" }).click();
  await foot(page).getByText("2,500 tasks").waitFor();
  expect(await page.title()).toContain("Tasks: Urgent tests");
});

test("a search finds titles while the user types, and / leads to it", async () => {
  const page = await open();
  await page.keyboard.press("/");
  await page.keyboard.type("task 7777 of");
  await foot(page).getByText("1 task", { exact: true }).waitFor();
  expect(await rowsOf(page)).toEqual([manyId(7_777)]);
  await page.keyboard.press("Escape");
  await foot(page).getByText("10,000 tasks").waitFor();
});

test("a row that changes stays where it is, and new rows are announced", async () => {
  const page = await open();
  await page.locator(".live.is-live").waitFor();
  const id = (await rowsOf(page))[3] ?? "";
  const row = page.locator(`[data-row="${id}"]`);
  await row.hover();
  const before = await row.boundingBox();
  await board.api.patch(id, { title: "Another title" });
  await row.getByText("Another title").waitFor();
  await board.api.createTask({ id: "the-new-one", title: "A new one" });
  const news = page.getByRole("button", { name: "1 new task: show" });
  await news.waitFor();
  expect(await row.boundingBox()).toEqual(before);
  await news.click();
  await page.locator('[data-row="the-new-one"]').waitFor();
  await board.api.send("DELETE", "/tasks/the-new-one");
});

test("the keyboard alone moves, selects, opens and goes back to the same place", async () => {
  const page = await open();
  for (let count = 0; count < 60; count += 1) await page.keyboard.press("j");
  await page.keyboard.press("k");
  const at = page.locator(".task-row.is-at");
  // The head is the first row.
  expect(await at.getAttribute("aria-rowindex")).toBe("60");
  await page.keyboard.press("x");
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await foot(page).getByText("2 of 10,000 tasks selected").waitFor();
  await page.keyboard.press("Escape");
  await foot(page).getByText("10,000 tasks", { exact: true }).waitFor();
  expect(await at.getAttribute("aria-rowindex")).toBe("61");
  const id = await at.getAttribute("data-row");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/tasks/${id}?**`);
  await page.goBack();
  await page.locator(`[data-row="${id}"]`).waitFor();
  const top = await page.locator(".table-scroll").evaluate((table) => table.scrollTop);
  expect(top).toBeGreaterThan(0);
});

test("a telephone shows two lines a task, and everything fits", async () => {
  const page = await open("/tasks", TELEPHONE);
  const fits = () => document.documentElement.scrollWidth <= window.innerWidth;
  expect(await page.evaluate(fits)).toBe(true);
  const box = await page.locator("[data-row]").first().boundingBox();
  expect(box?.height).toBe(60);
  await page.getByRole("button", { name: "Filter" }).click();
  expect(await page.evaluate(fits)).toBe(true);
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await page.locator("[data-row]").first().getByRole("checkbox").check();
  await foot(page).getByText("1 of 10,000 tasks selected").waitFor();
  expect(await page.evaluate(fits)).toBe(true);
  // Each change is seen without scrolling.
  const last = await foot(page).getByRole("button", { name: "Priority…" }).boundingBox();
  expect(last!.x + last!.width).toBeLessThanOrEqual(TELEPHONE.viewport.width);
  await picture(page, "tasks-telephone");
});

test("5,000 tasks are cancelled by filter, eight at a time; refusals are listed", async () => {
  await board.api.move(manyId(0), "done", "made for this test");
  const page = await open("/tasks?priority=P0,P1");
  await foot(page).getByText("5,000 tasks").waitFor();
  await foot(page).getByRole("button", { name: "Select all 5,000" }).click();
  await foot(page).getByText("5,000 of 5,000 tasks selected").waitFor();
  await foot(page).getByRole("button", { name: "Cancel…" }).click();
  const panel = page.getByRole("dialog", { name: "Cancel: 5,000 tasks" });
  await panel.getByText("This changes 4,999 tasks.").waitFor();
  await panel.getByText("1 in the state “done”").waitFor();
  await panel.getByLabel("Reason").fill("not needed any more");
  await expectAccessible(page);
  await picture(page, "tasks-bulk");

  const mostAtOnce = await countRequests(page, "/cancel");
  await panel.getByRole("button", { name: "Cancel 4,999 tasks" }).click();
  await page.getByText("4,999 tasks cancelled").waitFor({ timeout: BULK_MAX_MS });
  expect(await mostAtOnce()).toBe(8);
  await page.getByRole("heading", { name: /Not changed 1/ }).waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).last().click();
  const summary = await board.api.get<{ queues: Record<string, number> }>("/summary");
  expect(summary.queues.cancelled).toBe(CANCELLED - 1);
  expect(summary.queues.incoming).toBe(MANY - CANCELLED);
}, 2 * BULK_MAX_MS);
