import { cleanup, render, screen } from "@testing-library/preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { liveStatus } from "../../live/live";
import { POLL_MS } from "../../live/source";
import { now } from "../../state/clock";
import { beats } from "../../state/passing";
import { forgetQueries } from "../../state/queries";
import { permission } from "../../state/session";
import { serve, until, type Asked } from "../../test/server";
import { FleetView } from "./fleet";

const AT = Date.parse("2026-11-26T12:00:00.000Z");

function at(secondsAgo: number): string {
  return new Date(AT - secondsAgo * 1_000).toISOString();
}

const LAPTOP = {
  id: "home-laptop",
  cluster: "home",
  machine_id: "laptop",
  status: "active",
  is_stale: false,
  last_heartbeat: at(5),
  slots: 3,
  busy: 1,
};

/** Serves one machine, and returns what is asked for. */
function serveLaptop(): Asked[] {
  return serve({
    "GET /api/v1/orchestrators": () => ({ body: { orchestrators: [LAPTOP], next_cursor: null } }),
    "GET /api/v1/runs": () => ({ body: { runs: [], next_cursor: null } }),
    "GET /api/v1/pauses": () => ({ body: { pauses: [], next_cursor: null } }),
  });
}

function reads(asked: Asked[]): number {
  return asked.filter(({ url }) => url.pathname.endsWith("/orchestrators")).length;
}

beforeEach(() => {
  forgetQueries();
  now.value = AT;
  beats.value = new Map();
  permission.value = "manage";
  liveStatus.value = "live";
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

it("shows heartbeats as they arrive, without reading the machines again", async () => {
  const asked = serveLaptop();
  render(<FleetView />);
  await screen.findByText("laptop");
  expect(document.querySelectorAll(".square.is-busy").length).toBe(1);
  beats.value = new Map([["home-laptop", { at: at(-20), slots: 3, busy: 3 }]]);
  now.value = AT + 25_000;
  await until(() => document.querySelectorAll(".square.is-busy").length === 3);
  expect(document.querySelector(".health")?.textContent).toBe("live seen 5 s ago");
  expect(reads(asked)).toBe(1);
});

it("reads a machine again before it calls it silent", async () => {
  const asked = serveLaptop();
  render(<FleetView />);
  await screen.findByText("laptop");
  now.value = AT + 80_000;
  expect(reads(asked)).toBe(1);
  now.value = AT + 90_000;
  await until(() => reads(asked) === 2);
  now.value = AT + 125_000;
  await screen.findByText(/silent for 2 min/);
});

it("reads the machines with each poll where no heartbeats arrive", async () => {
  const asked = serveLaptop();
  liveStatus.value = "polling";
  vi.useFakeTimers();
  render(<FleetView />);
  await vi.waitFor(() => expect(reads(asked)).toBe(1));
  await vi.advanceTimersByTimeAsync(POLL_MS + 1_100);
  expect(reads(asked)).toBe(2);
});

it("has no buttons for a key that may only read", async () => {
  serveLaptop();
  permission.value = "read";
  render(<FleetView />);
  await screen.findByText("laptop");
  await screen.findByText("Nothing is paused.");
  expect(screen.queryAllByRole("button")).toEqual([]);
});
