import { defineConfig } from "vitest/config";

/** The server that the development server passes requests on to. */
const target = process.env.OCTOPOID_SERVER ?? "http://127.0.0.1:8787";
/** Where a report of the tests is written, if the environment names a folder. */
const report = process.env.OCTOPOID_BOARD_REPORT;
// The server takes requests of its own pages only.
const proxied = { target, changeOrigin: true, headers: { origin: target } };

export default defineConfig({
  // The server answers with the page under several addresses.
  base: "/",
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // The Content-Security-Policy of the page forbids `data:` addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": proxied, "/login": proxied },
  },
  test: {
    reporters: report ? ["default", ["json", { outputFile: `${report}/report.json` }]] : ["default"],
    projects: [
      {
        extends: true,
        test: { name: "unit", environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          environment: "node",
          include: ["e2e/**/*.test.ts"],
          testTimeout: 60_000,
          // To fill a database takes a minute, and several where other programs need the processor.
          hookTimeout: 600_000,
          // As long as Playwright waits for an element: a slow machine is no failure.
          expect: { poll: { timeout: 30_000 } },
        },
      },
      {
        extends: true,
        test: {
          name: "measure",
          environment: "node",
          include: ["e2e/**/*.measure.ts"],
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
