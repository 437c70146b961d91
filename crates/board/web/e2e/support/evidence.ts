/** What is kept of a test that failed: pictures of its pages, and what they have logged. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Browser } from "playwright-core";
import type { TestContext } from "vitest";

import type { Complaints } from "./browser";

/** Where it is kept. `cargo xtask board test` names the folder. */
const FOLDER = process.env.OCTOPOID_BOARD_REPORT;

/** Keeps the evidence if a test has failed and there is a folder for it. */
export async function keepEvidence(
  { task }: TestContext,
  browser: Browser,
  complaints: Complaints,
): Promise<void> {
  if (task.result?.state !== "fail" || !FOLDER) return;
  const pages = browser.contexts().flatMap((context) => context.pages());
  if (pages.length === 0) return;
  const name = `${task.file.name}-${task.name}`.replaceAll(/\W+/g, "-").slice(0, 120);
  await mkdir(FOLDER, { recursive: true });
  for (const [index, page] of pages.entries()) {
    // A page that hangs must not hide why the test failed.
    await page.screenshot({ path: join(FOLDER, `${name}-${index + 1}.png`) }).catch(() => undefined);
  }
  const addresses = pages.map((page) => page.url());
  await writeFile(join(FOLDER, `${name}.txt`), [...addresses, ...complaints.logged].join("\n"));
}
