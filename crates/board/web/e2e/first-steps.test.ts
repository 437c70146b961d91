/** The first steps of a new user, as docs/board.md describes them, with the data of the demo. */

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Browser } from "playwright-core";

import { Complaints, launch, openPage } from "./support/browser";
import { keepEvidence } from "./support/evidence";
import { Program } from "./support/process";

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
  const [link = ""] = await demo.prints(/http:\/\/127\.0\.0\.1:\d+\/\?scope=\S+#k=\S+/, 60_000);
  const page = await openPage(browser, link, complaints);
  const needs = page.getByRole("region", { name: "Needs you" });
  const waiting = page.getByRole("region", { name: "Waiting" });

  // 1. What waits for a person.
  const review = needs.getByRole("listitem").filter({ hasText: "Greet the reader" });
  await review.waitFor({ timeout: 60_000 });
  await needs.getByText("Which port is the server to listen on").first().waitFor();

  // 2. Why another task waits, in its row and on its page.
  const notes = waiting.getByRole("listitem").filter({ hasText: "Write the release notes" });
  await notes.getByText(/waits for/).waitFor();
  await notes.getByRole("link", { name: "Write the release notes" }).click();
  await page.getByText(/Greet the reader|greeting/).first().waitFor();
  await page.goBack();

  // 3. The diff.
  await review.getByRole("link", { name: "Diff" }).click();
  await page.getByText("greeting.txt").first().waitFor();
  await page.getByText("Hello.").first().waitFor();
  await page.goBack();

  // 4. A rejection with a reason.
  await review.getByRole("button", { name: "Reject…" }).click();
  await review.getByLabel(/Why is the work rejected/).fill("Greet the reader by name: her name is Ada.");
  await review.getByRole("button", { name: "Reject", exact: true }).click();

  // 5. The next attempt reads the reason. It may be over before the page has shown it at work.
  await review.getByRole("link", { name: "Diff" }).click({ timeout: 60_000 });
  await page.getByText("Hello, Ada. Welcome!").first().waitFor({ timeout: 60_000 });
  await page.goBack();
  await review.getByRole("button", { name: "Accept" }).click();
  await review.waitFor({ state: "detached" });

  // 6. The answer to the question, after which its task goes on.
  const question = needs.getByRole("listitem").filter({ hasText: "Which port" });
  await question.getByRole("button", { name: "Answer…" }).click();
  await question.getByLabel(/Your answer/).fill("9090");
  await question.getByRole("button", { name: "Send the answer" }).click();
  await question.waitFor({ state: "detached", timeout: 60_000 });
  const port = needs.getByRole("listitem").filter({ hasText: "Choose the port" });
  await port.getByRole("link", { name: "Diff" }).click({ timeout: 60_000 });
  await page.getByText("9090").first().waitFor();
  expect(complaints.take()).toEqual([]);
}, 240_000);
