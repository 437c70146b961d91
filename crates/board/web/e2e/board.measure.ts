/** How fast the board is in a browser: `cargo xtask board test -- --project measure`. */

import type { Page } from "playwright-core";
import { test } from "vitest";

import { Board } from "./support/board";
import { seedMany } from "./support/many";

const TASKS = 10_000;
const ROUNDS = 15;

const board = new Board({ seed: (api) => seedMany(api, TASKS) });

/** The median, and the worst, of times in milliseconds. */
function told(times: number[]): string {
  const sorted = [...times].sort((one, other) => one - other);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `median ${median.toFixed(0)} ms, worst ${(sorted.at(-1) ?? 0).toFixed(0)} ms`;
}

/** Opens a path, and returns how long it took until a row is shown and a key is answered. */
async function interactive(path: string, row: string): Promise<number> {
  const page = await board.open("/activity");
  await page.locator(".live.is-live").waitFor();
  const begun = performance.now();
  const address = new URL(path, board.server.url);
  address.searchParams.set("scope", "my-repo");
  await page.goto(address.href, { waitUntil: "commit" });
  await page.locator(row).first().waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  const time = performance.now() - begun;
  await page.close();
  return time;
}

/** Returns how long a new task takes from the answer of the server to the screen. */
async function untilShown(page: Page, id: string): Promise<number> {
  const shown = page.evaluate(
    (wanted) =>
      new Promise<number>((resolve) => {
        const look = () => {
          if (!document.body.textContent.includes(wanted)) return requestAnimationFrame(look);
          return resolve(Date.now());
        };
        look();
      }),
    id,
  );
  await board.api.createTask({ id, title: `Measured ${id}`, priority: "P0" });
  const acknowledged = Date.now();
  return (await shown) - acknowledged;
}

test("the time until the board can be used, and until an event is seen", async () => {
  const first: number[] = [];
  const table: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    first.push(await interactive("/", ".row"));
    table.push(await interactive("/tasks", "[data-row]"));
  }
  // The view that shows every event.
  const page = await board.open("/activity");
  await page.locator(".live.is-live").waitFor();
  await page.locator("[data-event]").first().waitFor();
  const events: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    events.push(await untilShown(page, `measured-${round}`));
  }
  process.stdout.write(`Now with ${TASKS} tasks, interactive: ${told(first)} (bound 1000)\n`);
  process.stdout.write(`Tasks with ${TASKS} tasks, interactive: ${told(table)} (bound 1000)\n`);
  process.stdout.write(`an event on the screen: ${told(events)} (bound 200)\n`);
}, 300_000);
