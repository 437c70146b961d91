import { screen } from "@testing-library/preact";
import { beforeEach, expect, test } from "vitest";

import { navigate } from "../state/location";
import { chooseScope, permission } from "../state/session";
import { draw } from "../test/draw";
import { serve, until } from "../test/server";
import { App } from "./app";
import { overlay } from "./overlay";

beforeEach(async () => {
  serve({});
  chooseScope("s");
  permission.value = "manage";
  overlay.value = undefined;
  navigate("/flows");
  draw(<App />);
  await framed();
});

/** Resolves after a frame, and after the effects that follow it. */
function framed(): Promise<void> {
  return new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
}

test("an overlay that is opened as soon as another view is seen stays", async () => {
  navigate("/");
  await Promise.resolve();
  expect(screen.queryByRole("heading", { name: "Now" })).not.toBeNull();
  overlay.value = "help";
  await framed();
  expect(screen.queryByRole("dialog", { name: "Keys" })).not.toBeNull();
});

test("an overlay closes when another view is shown", async () => {
  overlay.value = "help";
  await until(() => screen.queryByRole("dialog", { name: "Keys" }) !== null);
  navigate("/");
  await until(() => screen.queryByRole("dialog", { name: "Keys" }) === null);
});
