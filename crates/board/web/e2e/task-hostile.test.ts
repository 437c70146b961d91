import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { Board } from "./support/board";

const board = new Board();

const MARKUP = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;
const LINK = "javascript:window.hacked=1";
const ESC = "\u001b";

/** A patch whose paths and lines are made to be taken for something else. */
const PATCH = [
  `diff --git "a/${MARKUP.replaceAll('"', '\\"')}" "b/${MARKUP.replaceAll('"', '\\"')}"`,
  "new file mode 100644",
  "--- /dev/null",
  `+++ "b/${MARKUP.replaceAll('"', '\\"')}"`,
  `@@ -0,0 +1,4 @@ ${MARKUP}`,
  `+${MARKUP}`,
  "+if (isAdmin) { /* \u202e } \u2066 begin */",
  `+[link](${LINK})`,
  `+${ESC}[31mred${ESC}]8;;${LINK}\u0007`,
  "",
].join("\n");

/** Everything that an agent may write has markup in it. */
async function seedHostile(): Promise<string> {
  const id = "hostile";
  await board.api.createTask({
    id,
    role: "hostile",
    title: MARKUP,
    content: `${MARKUP}\n${LINK}`,
    branch: MARKUP,
  });
  const held = await board.api.claimTask(id, { role: "hostile", agent: MARKUP });
  await board.api.progress(held, MARKUP);
  await board.api.message(id, MARKUP, `${MARKUP} ${LINK}`);
  await board.api.log(
    held,
    [MARKUP, `${ESC}]8;;${LINK}\u0007click${ESC}]8;;\u0007`, `${ESC}[2J${ESC}c error`, ""].join(
      "\n",
    ),
  );
  const check = { name: MARKUP, command: MARKUP, exit_code: 1, seconds: 1, tail: MARKUP };
  const result = { summary: MARKUP, branch: MARKUP, patch: PATCH, pr_url: LINK, checks: [check] };
  await board.api.submit(held, result);
  await board.api.patch(id, { pr_url: LINK, staging_url: LINK, execution_notes: MARKUP });
  return id;
}

/** Nothing that was written has become an element, or has run. */
async function expectHarmless(page: Page): Promise<void> {
  const found = await page.evaluate(() => ({
    hacked: "hacked" in window,
    made: document.querySelectorAll("main img, main script, main iframe").length,
    links: [...document.querySelectorAll("a")].filter(({ protocol }) => protocol !== "http:")
      .length,
  }));
  expect(found).toEqual({ hacked: false, made: 0, links: 0 });
}

test("what agents write is text, in each part of the page", async () => {
  const id = await seedHostile();
  const seen: Record<string, string> = {
    overview: ".story .chapter-text",
    diff: ".code td.text",
    log: ".log-text",
    runs: ".run-more .summary",
    thread: ".thread .prose",
  };
  for (const [tab, place] of Object.entries(seen)) {
    const page = await board.open(`/tasks/${id}?tab=${tab}`);
    await page.locator(place).first().waitFor();
    await expect
      .poll(() => page.locator(place).allInnerTexts())
      .toContainEqual(expect.stringContaining("<img src=x"));
    await expectHarmless(page);
    expect(await page.title()).toContain("<img src=x");
  }
});

test("characters that hide something are named, and sequences of terminals taken out", async () => {
  const page = await board.open("/tasks/hostile?tab=diff");
  await page.getByText("⟨U+202E⟩").waitFor();
  await page.getByText("⟨U+001B⟩[31mred").waitFor();
  await page.goto(page.url().replace("tab=diff", "tab=log"));
  await expect
    .poll(() => page.locator(".log-text").allInnerTexts())
    .toEqual([MARKUP, "click", " error"]);
});
