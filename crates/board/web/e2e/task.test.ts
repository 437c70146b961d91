import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import type { Claimed } from "./support/api";
import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { TELEPHONE } from "./support/browser";
import { seedMany } from "./support/many";
import { LOGIN_PATCH, ONE_FAILED, PASSED } from "./support/texts";

const board = new Board();

let made = 0;

/** Each test has tasks of a role of its own, so that it claims no other's. */
function named(name: string): { id: string; role: string } {
  made += 1;
  return { id: `${name}-${made}`, role: `role-${made}` };
}

/** A task that an agent has handed in. */
async function inReview(name: string, title = "Fix the flaky login test"): Promise<Claimed> {
  const { id, role } = named(name);
  const held = await board.api.start({ id, role, title, content: "No sleeps." }, { role });
  await board.api.submit(held, {
    summary: "The test has a clock of its own.",
    files_changed: 3,
    insertions: 20,
    deletions: 8,
    patch: LOGIN_PATCH,
    checks: PASSED,
  });
  return held;
}

const pageOf = (id: string) => `/tasks/${encodeURIComponent(id)}`;
const queueOf = async (id: string) => (await board.api.task(id)).queue;

/** The panel with what there is to decide. */
const panel = (page: Page) => page.locator(".decide");

/** Makes a page read a task as it is now, as if the news were slow, until the result is called. */
async function delayNews(page: Page, id: string): Promise<() => Promise<void>> {
  const task = await board.api.task(id);
  const reads = (url: URL) => url.pathname === `/api/v1/tasks/${id}`;
  await page.route(reads, (route) => route.fulfill({ json: task }));
  return () => page.unroute(reads);
}

test("the page tells the story, and what happens next", async () => {
  const { id } = await inReview("story");
  await board.api.reject(id, "Tests missing");
  const role = (await board.api.task(id)).role ?? "";
  const again = await board.api.claimTask(id, { role, agent: "slot-2" });
  await board.api.message(id, "ada", "The clock is in src/clock.ts.", { to_actor: "agent" });
  await board.api.submit(again, { summary: "With tests.", patch: LOGIN_PATCH, checks: ONE_FAILED });
  const page = await board.open(pageOf(id));
  await page.getByRole("heading", { level: 1, name: "Fix the flaky login test" }).waitFor();
  await page.getByText(/Waits for your review, for/).waitFor();
  const story = page.getByRole("region", { name: "Story" });
  await story.getByText("With tests.").waitFor();
  await expect.poll(() => story.locator(".chapter strong").allInnerTexts()).toEqual([
    "created",
    "claimed",
    "submitted",
    "rejected",
    "claimed",
    "wrote to agent",
    "submitted",
  ]);
  expect(await story.innerText()).toMatch(/rejected by ada[\s\S]*Tests missing/);
  expect(await story.innerText()).toMatch(/by slot-2 · run 2 · took \d+ s/);
  // The check that failed comes first, with the end of what it printed.
  expect(await panel(page).locator(".checks > li").first().innerText()).toMatch(
    /✕ tests exit code 1/,
  );
  await panel(page).getByText("AssertionError: expected 2 to be 1").waitFor();
  expect(await page.title()).toContain("Fix the flaky login test");
  await expectAccessible(page);
  await picture(page, "task");
});

test("`a` accepts, and the next review has the focus", async () => {
  const { id } = await inReview("accept");
  const next = await inReview("next", "Cut the release");
  const page = await board.open(pageOf(id));
  await panel(page).getByText("To review").waitFor();
  await page.keyboard.press("a");
  await panel(page).getByText("Accepted: the task is done").waitFor();
  expect(await queueOf(id)).toBe("done");
  await page.getByText("Next review").waitFor();
  await page.keyboard.press("Enter");
  await expect.poll(() => page.url()).not.toContain(id);
  await panel(page).getByText("To review").waitFor();
  expect(await queueOf(next.id)).toBe("provisional");
});

test("notes on lines are the reason of a rejection, which the next attempt is given", async () => {
  const { id, role } = await inReview("reject");
  const page = await board.open(`${pageOf(id)}?tab=diff`);
  const file = page.getByRole("region", { name: "src/login.test.ts" });
  await file.getByRole("button", { name: "Note on line 9", exact: true }).click();
  await page.keyboard.type("Why a stopped clock?");
  await page.keyboard.press("Control+Enter");
  await file.getByRole("button", { name: "Note on line 6 before the change" }).click();
  await page.keyboard.type("<b>Keep</b> this");
  await page.getByRole("button", { name: "Keep the note" }).click();
  // The notes outlast the page.
  await page.reload();
  await panel(page).getByText("Why a stopped clock?").waitFor();
  await page.keyboard.press("r");
  await page.keyboard.type("And add a test.");
  await page.keyboard.press("Control+Enter");
  await panel(page)
    .getByText(/Rejected: the next attempt/)
    .waitFor();
  const claimed = await board.api.claimTask(id, { role: role ?? "" });
  const { feedback } = claimed as unknown as { feedback: { text: string }[] };
  expect(feedback[0]?.text).toBe(
    "src/login.test.ts:6 (before): <b>Keep</b> this\n" +
      "src/login.test.ts:9: Why a stopped clock?\n\nAnd add a test.",
  );
  expect(await panel(page).locator(".notes").count()).toBe(0);
});

test("a task is taken back from its agent, cancelled, and tried again", async () => {
  const { id, role } = named("steps");
  await board.api.start({ id, role, title: "Port the parser" }, { role });
  const page = await board.open(pageOf(id));
  await page.getByText(/slot-1 works on it on home-laptop/).waitFor();
  await panel(page).getByRole("button", { name: "Requeue…" }).click();
  await panel(page)
    .getByText(/whose work is lost/)
    .waitFor();
  expect(await queueOf(id)).toBe("claimed");
  await panel(page).getByRole("button", { name: "Requeue the task" }).click();
  await page.getByText("The next free agent that fits gets it").waitFor();
  expect(await queueOf(id)).toBe("incoming");

  await panel(page).getByRole("button", { name: "Cancel…" }).click();
  const cancel = panel(page).getByRole("button", { name: "Cancel the task" });
  expect(await cancel.isDisabled()).toBe(true);
  await page.keyboard.press("Escape");
  await page.locator("h1").click();
  await panel(page).getByRole("button", { name: "Cancel…" }).click();
  await panel(page)
    .getByLabel(/Reason/)
    .fill("Not needed");
  await cancel.click();
  await page.getByText(/Not worked on, unless you retry it/).waitFor();
  expect(await queueOf(id)).toBe("cancelled");

  await panel(page).getByRole("button", { name: "Retry…" }).click();
  await panel(page).getByRole("button", { name: "Retry the task" }).click();
  await page.getByText("The next free agent that fits gets it").waitFor();
  expect(await queueOf(id)).toBe("incoming");
  const told = page.getByRole("region", { name: "Story" }).getByText(/cancelled by board/);
  await told.waitFor();
});

test("a task is moved by hand, with a reason", async () => {
  const { id, role } = named("move");
  await board.api.createTask({ id, role });
  const page = await board.open(pageOf(id));
  await panel(page).getByRole("button", { name: "Move…" }).click();
  await panel(page).getByLabel("New state").selectOption("failed");
  await panel(page)
    .getByLabel(/Reason/)
    .fill("Superseded");
  await panel(page).getByRole("button", { name: "Move the task" }).click();
  await page.getByText(/Not tried again, unless you retry it/).waitFor();
  await page.getByRole("region", { name: "Story" }).getByText("Superseded").waitFor();
});

test("a held task is cancelled when its agent stops", async () => {
  const { id, role } = named("stop");
  const held = await board.api.start({ id, role }, { role });
  const page = await board.open(pageOf(id));
  await panel(page).getByRole("button", { name: "Cancel…" }).click();
  await panel(page)
    .getByLabel(/Reason/)
    .fill("Not needed");
  await panel(page).getByRole("button", { name: "Cancel the task" }).click();
  await page.getByText(/Will be cancelled when slot-1 stops/).waitFor();
  await board.api.fail(held, "cancelled", "stopped");
  await page.getByText(/Not worked on, unless you retry it/).waitFor();
});

test("of two browsers that decide at once, the second is told what the first did", async () => {
  const { id } = await inReview("race");
  const ada = await board.open(pageOf(id));
  const ben = await board.open(pageOf(id));
  await panel(ada).getByText("To review").waitFor();
  await panel(ben).getByText("To review").waitFor();
  const release = await delayNews(ben, id);
  await panel(ada).getByRole("button", { name: "Accept" }).click();
  await panel(ada).getByText("Accepted: the task is done").waitFor();
  await panel(ben).getByRole("button", { name: "Reject…" }).click();
  await ben.keyboard.type("Too slow");
  await release();
  await panel(ben).getByRole("button", { name: "Reject", exact: true }).click();
  await panel(ben)
    .getByText(/Changed meanwhile: accepted by board/)
    .waitFor();
  expect(
    await panel(ben)
      .getByLabel(/Why is the work rejected/)
      .inputValue(),
  ).toBe("Too slow");
  expect(await queueOf(id)).toBe("done");
});

test("a change of the text keeps what another has changed meanwhile", async () => {
  const { id, role } = named("edit");
  await board.api.createTask({ id, role, title: "Old title", content: "Old text" });
  const page = await board.open(pageOf(id));
  await page.getByRole("heading", { name: "Old title" }).waitFor();
  await page.keyboard.press("e");
  await page.getByLabel(/^Text/).fill("My text");
  await board.api.patch(id, { title: "Their title", content: "Their text" });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(/Changed meanwhile: edited/).waitFor();
  await expect.poll(() => page.getByLabel("Title").inputValue()).toBe("Their title");
  expect(await page.getByLabel(/^Text/).inputValue()).toBe("My text");
  await page.getByText("The server has: Their text").waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  // The form closes once the server has both.
  await page.getByLabel(/^Text/).waitFor({ state: "detached" });
  await page.getByRole("heading", { name: "Their title" }).waitFor();
  expect(await board.api.task(id)).toMatchObject({ title: "Their title", content: "My text" });
});

test("a question is answered on the page, and what waits says for what", async () => {
  const { id, role } = named("ask");
  const held = await board.api.start({ id, role, title: "Mock the mail" }, { role });
  const later = await named("later");
  await board.api.createTask({ ...later, title: "Send the mail", blocked_by: id });
  await board.api.fail(held, "needs_input", "Which port?");
  const page = await board.open(pageOf(later.id));
  await page.locator(".about-state").getByRole("link", { name: "Mock the mail" }).click();
  await page.getByText("Waits for your answer").waitFor();
  const links = page.getByRole("region", { name: "Dependencies" });
  await links.getByRole("link", { name: "Send the mail" }).waitFor();
  await panel(page).getByRole("button", { name: "Answer…" }).click();
  await page.keyboard.type("2525");
  await page.keyboard.press("Control+Enter");
  await page.getByText("The next free agent that fits gets it").waitFor();
});

test("what waits for a task is shown, however many other tasks are open", async () => {
  const { id } = named("awaited");
  const later = named("waits");
  await board.api.createTask({ id, title: "Draw the plan" });
  await board.api.createTask({ ...later, title: "Build by the plan", blocked_by: id });
  await seedMany(board.api, 120);
  const page = await board.open(pageOf(id));
  const links = page.getByRole("region", { name: "Dependencies" });
  await links.getByRole("link", { name: "Build by the plan" }).waitFor();
  const more = named("waits");
  await board.api.createTask({ ...more, title: "Paint it", blocked_by: id });
  await links.getByRole("link", { name: "Paint it" }).waitFor();
  await board.api.patch(later.id, { blocked_by: null });
  await links.getByRole("link", { name: "Build by the plan" }).waitFor({ state: "detached" });
});

test("what is delayed can be tried at once", async () => {
  const { id, role } = named("delay");
  const held = await board.api.start({ id, role }, { role });
  const later = new Date(Date.now() + 3_600_000).toISOString();
  await board.api.fail(held, "network", "no route", { not_before: later });
  const page = await board.open(pageOf(id));
  await page
    .locator(".about-state")
    .getByText(/in 59 min/)
    .waitFor();
  await page.getByRole("button", { name: "Try it now" }).click();
  await page.getByText("The next free agent that fits gets it").waitFor();
});

test("what is written in the thread reaches the agent that holds the task", async () => {
  const { id, role } = named("thread");
  const held = await board.api.start({ id, role }, { role });
  const page = await board.open(`${pageOf(id)}?tab=thread`);
  await page.getByText(/slot-1 is given it when it renews/).waitFor();
  await page.getByLabel("To slot-1").fill("Use port 2525");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator(".thread").getByText("Use port 2525").waitFor();
  const { messages } = (await board.api.progress(held, "mocking")) as {
    messages: { content: string }[];
  };
  expect(messages.map(({ content }) => content)).toEqual(["Use port 2525"]);
  await board.api.fail(held, "other", "no");
  await page.getByText(/the next one is not given it/).waitFor();
  await expectAccessible(page);
});

test("runs are a line each, and open on request", async () => {
  const { id } = await inReview("runs");
  const page = await board.open(`${pageOf(id)}?tab=runs`);
  await page.locator(".run-more").getByText("The test has a clock of its own.").waitFor();
  await page.getByText(`octopoid agent attach ${id}`).waitFor();
  await expectAccessible(page);
  await page.getByRole("button", { name: /attempt 1/ }).click();
  await page.locator(".run-more").waitFor({ state: "detached" });
});

test("the page leads from task to task in the order of the list that one came from", async () => {
  const page = await board.open("/");
  const title = page.locator("section[aria-labelledby=needs-you] .row a.title").first();
  await title.click();
  const place = page.getByRole("navigation", { name: "Tasks of Now" });
  await place.getByText(/^1 of \d+ in Now$/).waitFor();
  await page.keyboard.press("]");
  await place.getByText(/^2 of \d+ in Now$/).waitFor();
  await page.keyboard.press("[");
  await place.getByText(/^1 of \d+ in Now$/).waitFor();
});

test("an unknown task says what to do, and a deleted one keeps its history", async () => {
  const page = await board.open(pageOf("no/such task"));
  await page.getByRole("heading", { name: "There is no such task" }).waitFor();
  await expectAccessible(page);
  const { id, role } = named("deleted");
  await board.api.createTask({ id, role });
  await board.api.send("DELETE", pageOf(id));
  const deleted = await board.open(pageOf(id));
  await deleted.getByRole("heading", { name: "A task that was deleted" }).waitFor();
  await deleted.getByRole("region", { name: "Story" }).getByText("deleted").waitFor();
});

test("all of it fits a telephone, and is clear in the dark", async () => {
  const { id } = await inReview("small", "A title that is much longer than a telephone is wide");
  for (const tab of ["overview", "diff", "log", "runs", "thread"]) {
    const page = await board.open(`${pageOf(id)}?tab=${tab}`, {
      ...TELEPHONE,
      colorScheme: "dark",
    });
    await panel(page).getByRole("button", { name: "Accept" }).waitFor();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width, tab).toBeLessThanOrEqual(360);
    await expectAccessible(page);
    // What there is to decide comes before the rest.
    const [decide, rest] = await Promise.all(
      [".task-decide", ".task-main"].map((part) => page.locator(part).boundingBox()),
    );
    expect(decide!.y, tab).toBeLessThan(rest!.y);
    if (tab === "overview") await picture(page, "task-telephone");
  }
});
