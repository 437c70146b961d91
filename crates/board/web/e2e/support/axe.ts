/** axe, which finds what keeps people from using a page. */

import axe from "axe-core";
import type { Page } from "playwright-core";
import { expect } from "vitest";

/** The findings that fail a test. Lesser ones are matters of taste. */
const GRAVE = ["serious", "critical"];

/** Fails if axe finds anything serious in a page. */
export async function expectAccessible(page: Page): Promise<void> {
  expect(await graveFindings(page)).toEqual([]);
}

/**
 * What axe finds in a page that is serious, in words.
 *
 * axe runs in a world of its own beside the page's, in which the page's Content-Security-Policy
 * does not apply: the policy stays as it is, and the page does not notice.
 */
export async function graveFindings(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  try {
    const { frameTree } = await session.send("Page.getFrameTree");
    const world = { frameId: frameTree.frame.id, worldName: "axe" };
    const { executionContextId: contextId } = await session.send("Page.createIsolatedWorld", world);
    await session.send("Runtime.evaluate", { contextId, expression: axe.source });
    const evaluated = await session.send("Runtime.evaluate", {
      contextId,
      expression: "axe.run(document, { resultTypes: ['violations'] })",
      awaitPromise: true,
      returnByValue: true,
    });
    if (evaluated.exceptionDetails) throw new Error(evaluated.exceptionDetails.text);
    const { violations } = evaluated.result.value as axe.AxeResults;
    return violations.filter(({ impact }) => GRAVE.includes(impact ?? "")).map(told);
  } finally {
    await session.detach();
  }
}

/** A finding in words: the rule, and where it is broken. */
function told({ id, help, nodes }: axe.Result): string {
  const places = nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`);
  return `${id} (${help})\n  ${places.join("\n  ")}`;
}
