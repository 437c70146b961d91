import { expect, test } from "vitest";

import type { Api, Result } from "./support/api";
import { expectAccessible } from "./support/axe";
import { Board, picture } from "./support/board";
import { CHANGELOG_PATCH, LOGIN_PATCH, PASSED, RENAME_PATCH } from "./support/texts";

/** More of what git writes: a renamed file, a binary one, a mode, and a file without its end. */
const ODD_PATCH = `diff --git a/old name.py b/new name.py
similarity index 91%
rename from old name.py
rename to new name.py
index 1..2 100644
--- a/old name.py\t
+++ b/new name.py\t
@@ -1,2 +1,2 @@
 import time
-wait(1)
\\ No newline at end of file
+pause(1)
diff --git a/logo.png b/logo.png
index 1..2 100644
GIT binary patch
literal 6
NcmZ?wbhEHbWMp7uXkcIfQGfw#05bv-0001

diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
`;

const LARGE = 20_000;

/** A new file of a megabyte. */
function largePatch(): string {
  const lines = Array.from(
    { length: LARGE },
    (_, line) => `+let value_${line} = "${"x".repeat(25)}";`,
  );
  return `diff --git a/src/large.rs b/src/large.rs\n@@ -0,0 +1,${LARGE} @@\n${lines.join("\n")}\n`;
}

async function handIn(api: Api, id: string, ...results: Result[]): Promise<void> {
  await api.createTask({ id, role: id, title: `Work of ${id}` });
  for (const [index, result] of results.entries()) {
    if (index > 0) await api.reject(id, "Not yet");
    const held = await api.claimTask(id, { role: id });
    await api.submit(held, result);
  }
}

const board = new Board({
  seed: async (api) => {
    const patch = LOGIN_PATCH + RENAME_PATCH + ODD_PATCH;
    const earlier = { patch: CHANGELOG_PATCH + RENAME_PATCH };
    await handIn(api, "odd", earlier, { patch, checks: PASSED });
    await handIn(api, "large", { patch: largePatch() + RENAME_PATCH });
    await handIn(api, "cut", { patch: LOGIN_PATCH.slice(0, 700), patch_truncated: true });
    await handIn(api, "none", { summary: "There was nothing to change.", files_changed: 0 });
  },
});

test("a diff has its files, their lines, words and colours", async () => {
  const page = await board.open("/tasks/odd?tab=diff");
  const file = (name: string) => page.getByRole("region", { name, exact: true });
  await file("src/login.test.ts").locator("tr.is-plus").first().waitFor();
  const tree = page.getByRole("navigation", { name: "7 files" });
  expect(await tree.getByRole("button").allInnerTexts()).toHaveLength(7);
  // A lock file is folded, and opens on request.
  expect(await file("package-lock.json").innerText()).toContain(
    "Folded, because it is a lock file",
  );
  await file("package-lock.json").getByRole("button", { name: "Show it" }).click();
  await file("package-lock.json").getByText('"version": "0.3.1"').waitFor();
  // What differs in a line is marked, and code has colours.
  const renamed = file("crates/parser/src/lib.rs");
  expect(await renamed.locator("tr.is-minus .mark").allInnerTexts()).toContain("parse_document");
  expect(await renamed.locator(".syntax-keyword").allInnerTexts()).toContain("pub");
  // What has no lines says why.
  expect(await file("logo.png").innerText()).toContain("A binary file");
  expect(await file("run.sh").innerText()).toContain("mode 100644 → 100755");
  expect(await file("new name.py").innerText()).toMatch(/old name\.py → new name\.py/);
  expect(await file("new name.py").innerText()).toContain("no newline at the end");
  await expectAccessible(page);
  await page.evaluate(() => window.scrollTo(0, 0));
  await picture(page, "diff");
});

test("lines stand side by side if that is chosen, also the next time", async () => {
  const page = await board.open("/tasks/odd?tab=diff");
  await page.getByRole("button", { name: "Side by side" }).click();
  const row = page.locator(".code.is-split tr", { hasText: "parse_document(text" });
  await row.scrollIntoViewIfNeeded();
  expect(await row.innerText()).toMatch(/parse_document\(text.*parse\(text/s);
  await expectAccessible(page);
  await page.reload();
  await page.locator(".code.is-split").first().waitFor();
});

test("work is compared with that of an earlier attempt", async () => {
  const page = await board.open("/tasks/odd?tab=diff");
  await page.getByLabel("Beside").selectOption({ label: "attempt 1" });
  await page
    .getByText("Beside attempt 1: 6 files differ; no longer changed: CHANGELOG.md.")
    .waitFor();
  const same = page.getByRole("region", { name: "crates/parser/src/lib.rs" });
  expect(await same.innerText()).toContain("Folded, because it is the same as in attempt 1");
  await page.getByLabel("Work of").selectOption({ label: "attempt 1, rejected" });
  await page.getByText("This is what attempt 1 handed in.").waitFor();
  expect(page.url()).toContain("run=1");
});

test("`j` and `k` lead from file to file, and arrows from line to line", async () => {
  const page = await board.open("/tasks/odd?tab=diff");
  const names = ["src/login.test.ts", "src/testing/clock.ts"];
  await page.getByRole("region", { name: names[0]! }).locator("tr").first().waitFor();
  const focused = () =>
    page.evaluate(() => document.activeElement?.closest("section")?.getAttribute("aria-label"));
  for (const name of names) {
    await page.keyboard.press("j");
    expect(await focused()).toBe(name);
  }
  await page.keyboard.press("k");
  expect(await focused()).toBe(names[0]);
  await page.getByRole("button", { name: "Note on line 1", exact: true }).first().focus();
  await page.keyboard.press("ArrowDown");
  const label = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  expect(label).toBe("Note on line 2 before the change");
});

test("a megabyte stays usable: lines are made when they are near", async () => {
  const page = await board.open("/tasks/large?tab=diff");
  const large = page.getByRole("region", { name: "src/large.rs" });
  await large.getByText("Folded, because it is 20,000 changed lines").waitFor();
  await large.getByRole("button", { name: "Show it" }).click();
  await large.getByText("value_0 ").waitFor();
  expect(await large.locator("tr").count()).toBeLessThan(LARGE / 10);
  await page
    .getByRole("navigation")
    .getByRole("button", { name: /^lib\.rs/ })
    .click();
  const far = page.getByRole("region", { name: "crates/parser/src/lib.rs" });
  await far.getByText("pub fn parse(").waitFor();
  expect(await page.locator("tr").count()).toBeLessThan(LARGE / 10);
});

test("a patch that is cut says so, and so does work without changes", async () => {
  const cut = await board.open("/tasks/cut?tab=diff");
  await cut.getByText(/The patch was too long and is cut/).waitFor();
  await cut.getByText(/The patch is cut here, after \d+ changed lines/).waitFor();
  const none = await board.open("/tasks/none?tab=diff");
  await none.getByText("The run has changed nothing.").waitFor();
});
