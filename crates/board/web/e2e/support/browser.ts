/** Chromium, and pages that fail their test if anything goes wrong in them. */

import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

/** How a page is opened. */
export interface PageOptions {
  /** The size of the window in pixels. By default that of a laptop. */
  viewport?: { width: number; height: number };
  /** The colours that the system asks for. By default light. */
  colorScheme?: "light" | "dark";
  /** Whether a finger points instead of a mouse. */
  hasTouch?: boolean;
  /** The API key that the tab has. */
  key?: string;
  /** Another tab of the same browser: both share their storage. */
  beside?: Page;
}

/** The window of a laptop. */
const LAPTOP = { width: 1280, height: 800 };

/** A telephone, the smallest on which the board must work. */
export const TELEPHONE = { viewport: { width: 360, height: 740 }, hasTouch: true };

/** No request but the board's own: no updates, no accounts, no first start. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What a page logs about a refused request. Where it is the API's, that is not an error. */
const REFUSED_REQUEST = /^Failed to load resource/;

/** Starts the browser that `CHROMIUM` names, or Debian's. */
export function launch(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** What went wrong in pages: errors of scripts, and what a Content-Security-Policy forbade. */
export class Complaints {
  /** All that pages have logged since the last call of `take`. */
  readonly logged: string[] = [];
  private found: string[] = [];

  /** Listens to a page from now on. */
  watch(page: Page): void {
    page.on("pageerror", (error) => {
      const told = `error: ${error.stack ?? error.message}`;
      this.logged.push(told);
      this.found.push(told);
    });
    page.on("console", (message) => {
      this.logged.push(`${message.type()}: ${message.text()} (${message.location().url})`);
      if (message.type() !== "error" && message.type() !== "warning") return;
      const { url } = message.location();
      if (REFUSED_REQUEST.test(message.text()) && isApi(url)) return;
      this.found.push(`${message.type()}: ${message.text()} (${url})`);
    });
  }

  /** Returns what was found since the last call. A test that provokes an error looks at it here. */
  take(): string[] {
    this.logged.length = 0;
    return this.found.splice(0);
  }
}

/** Opens a page of a server, in a browser profile of its own. */
export async function openPage(
  browser: Browser,
  address: string,
  complaints: Complaints,
  options: PageOptions = {},
): Promise<Page> {
  const context = options.beside?.context() ?? (await profile(browser, options));
  const page = await context.newPage();
  complaints.watch(page);
  await page.goto(address);
  return page;
}

/** A browser profile: storage, size and colours. All of a profile's tabs share them. */
async function profile(browser: Browser, options: PageOptions): Promise<BrowserContext> {
  const context = await browser.newContext({
    viewport: options.viewport ?? LAPTOP,
    colorScheme: options.colorScheme ?? "light",
    hasTouch: options.hasTouch ?? false,
    // Times must not depend on where the tests run, and pictures must not be taken in motion.
    timezoneId: "UTC",
    locale: "en-GB",
    reducedMotion: "reduce",
  });
  if (options.key !== undefined) {
    const keep = (key: string) => sessionStorage.setItem("octopoid.key", key);
    await context.addInitScript(keep, options.key);
  }
  return context;
}

/** Whether a request was one to the API, or one that signs in. */
function isApi(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { pathname } = new URL(url);
  return pathname.startsWith("/api/") || pathname === "/login";
}
