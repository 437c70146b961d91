/** What a file of tests has: one server, one browser, and pages that must be without errors. */

import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";

import type { Api } from "./api";
import { Complaints, launch, openPage, type PageOptions } from "./browser";
import { keepEvidence } from "./evidence";
import { SCOPE, Server, type ServerOptions } from "./server";

/** How the tests of a file begin. */
interface BoardOptions extends ServerOptions {
  /** Fills the database, before the first test. */
  seed?: (api: Api) => Promise<unknown>;
}

/** Where pictures for the documentation lie. */
const PICTURES = fileURLToPath(new URL("../../../../../docs/board", import.meta.url));

/** The server and the browser of a file of tests. */
export class Board {
  /** What went wrong in pages. After each test it must be empty. */
  readonly complaints = new Complaints();
  private started: { server: Server; browser: Browser } | undefined;

  /** Starts both before the first test of a file, and ends both after the last. */
  constructor(options: BoardOptions = {}) {
    beforeAll(async () => {
      const server = await Server.start(options);
      this.started = { server, browser: await launch() };
      await options.seed?.(server.api());
    });
    afterEach(async (test) => {
      await keepEvidence(test, this.browser, this.complaints);
      await Promise.all(this.browser.contexts().map((context) => context.close()));
      expect(this.complaints.take()).toEqual([]);
    });
    afterAll(async () => {
      await this.started?.browser.close();
      await this.started?.server.stop();
    });
  }

  /** The server. */
  get server(): Server {
    return this.running.server;
  }

  /** The browser. */
  get browser(): Browser {
    return this.running.browser;
  }

  /** A client of the server. */
  get api(): Api {
    return this.server.api();
  }

  /** Opens a page by its path, of the scope of the tests unless the path has another. */
  open(path: string, options: PageOptions = {}): Promise<Page> {
    const address = new URL(path, this.server.url);
    if (!address.searchParams.has("scope")) address.searchParams.set("scope", SCOPE);
    return openPage(this.browser, address.href, this.complaints, options);
  }

  private get running(): { server: Server; browser: Browser } {
    if (this.started) return this.started;
    throw new Error("the server and the browser are there during tests only");
  }
}

/**
 * Takes a picture for the documentation, if `OCTOPOID_PICTURES` is set; otherwise it does nothing,
 * because each picture differs from the last by its times.
 */
export async function picture(page: Page, name: string): Promise<void> {
  if (!process.env.OCTOPOID_PICTURES) return;
  const path = join(PICTURES, `${name}.png`);
  await mkdir(dirname(path), { recursive: true });
  await page.screenshot({ path });
}
