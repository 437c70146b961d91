/**
 * The first steps of a new user with the demo: each click is one that docs/board.md names, under
 * the number that it has there.
 */

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Browser } from "playwright-core";

import { Complaints, launch, openPage } from "./support/browser";
import { keepEvidence } from "./support/evidence";
import { Program } from "./support/process";

/** How long the simulated agent, and the runner's looks for tasks, may take, in milliseconds. */
const AGENT_MAX_MS = 60_000;

const REASON = "Greet the reader by name: her name is Ada.";

let demo: Program;
let browser: Browser;
const complaints = new Complaints();

beforeAll(async () => {
  const binary = process.env.OCTOPOID_BIN ?? "octopoid";
  demo = new Program(binary, ["up", "--demo", "--by-hand"], process.env);
  browser = await launch();
});

afterEach((test) => keepEvidence(test, browser, complaints));

afterAll(async () => {
  await browser?.close();
  await demo?.stop();
});

test("who is told nothing but the address finds what needs a decision, and decides", async () => {
  const [link = ""] = await demo.prints(/http:\/\/127\.0\.0\.1:\d+\/\?scope=\S+#k=\S+/, AGENT_MAX_MS);
  const page = await openPage(browser, link, complaints);
  page.setDefaultTimeout(AGENT_MAX_MS);
  const needs = page.getByRole("region", { name: "Needs you" });
  const waiting = page.getByRole("region", { name: "Waiting" });
  const story = page.getByRole("region", { name: "Story" });

  // 1. What waits for a person.
  await needs.getByRole("listitem").filter({ hasText: "Greet the reader" }).waitFor();

  // 2. Why another task waits: in its row, and all of its reasons on its page.
  const notes = waiting.getByRole("listitem").filter({ hasText: "Write the release notes" });
  await notes.getByText("waits for Greet the reader (in review)").waitFor();
  await notes.getByRole("link", { name: "Write the release notes" }).click();
  const why = page.getByRole("region", { name: "Why it waits" });
  await why.getByText("It waits for Greet the reader (in review)").waitFor();
  await why.getByText(/It waits for Add a licence/).waitFor();
  await why.getByText(/It waits for Choose the port of the server/).waitFor();

  // 3. What that task has changed.
  await why.getByRole("link", { name: "Greet the reader" }).click();
  await page.getByText(/Waits for your review/).waitFor();
  await page.getByRole("link", { name: /^Diff/ }).click();
  const file = page.getByRole("region", { name: "greeting.txt" });
  await file.getByText("Hello.", { exact: true }).waitFor();

  // 4. A rejection with a reason.
  await page.getByRole("button", { name: "Reject…" }).click();
  await page.getByLabel(/Why is the work rejected/).fill(REASON);
  await page.getByRole("button", { name: "Reject", exact: true }).click();
  await page.getByText("Rejected: the next attempt is given the reason").waitFor();

  // 5. The next attempt begins while the user looks.
  await page.getByText(/works on it on/).waitFor();
  await page.getByRole("link", { name: "Overview" }).click();
  await story.getByText(REASON).waitFor();
  await expect
    .poll(() => story.locator(".chapter-line strong").allInnerTexts(), { timeout: AGENT_MAX_MS })
    .toEqual(["created", "claimed", "submitted", "rejected", "claimed", "submitted"]);
  await story.getByRole("link", { name: "run 2" }).first().waitFor();

  // 6. It has read the reason, and its work is accepted.
  await page.getByRole("link", { name: /^Diff/ }).click();
  await file.getByText("Hello, Ada. Welcome!", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Accept" }).click();
  await page.getByText("Accepted: the task goes on as approved").waitFor();

  // 7. The answer to the question, after which its task goes on.
  await page.getByRole("link", { name: "Now", exact: true }).click();
  const question = needs.getByRole("listitem").filter({ hasText: "Which port" });
  await question.getByRole("button", { name: "Answer…" }).click();
  await question.getByLabel(/Your answer/).fill("9090");
  await question.getByRole("button", { name: "Send the answer" }).click();
  await question.waitFor({ state: "detached" });
  const port = needs.getByRole("listitem").filter({ hasText: "Choose the port" });
  await port.getByRole("link", { name: "Diff" }).click();
  await page.getByRole("region", { name: "port.txt" }).getByText("9090", { exact: true }).waitFor();
  expect(complaints.take()).toEqual([]);
}, 240_000);
