import { cleanup, render } from "@testing-library/preact";
import { useEffect, useRef } from "preact/hooks";
import { afterEach, beforeEach, expect, test } from "vitest";

import { useReturnedFocus } from "./focus";

let before: HTMLInputElement;
let other: HTMLInputElement;

beforeEach(() => {
  before = document.body.appendChild(document.createElement("input"));
  other = document.body.appendChild(document.createElement("input"));
  before.focus();
});

afterEach(() => {
  cleanup();
  before.remove();
  other.remove();
});

function Box() {
  const box = useRef<HTMLDivElement>(null);
  useReturnedFocus(box);
  useEffect(() => box.current?.querySelector("button")?.focus(), []);
  return (
    <div ref={box}>
      <button>Inside</button>
    </div>
  );
}

function shown() {
  const box = render(<Box />);
  expect(document.activeElement?.textContent).toBe("Inside");
  return box;
}

test("the focus returns to the element that had it", () => {
  shown().unmount();
  expect(document.activeElement).toBe(before);
});

test("the focus returns also when the element inside that had it is gone", () => {
  const box = shown();
  (document.activeElement as HTMLElement).blur();
  box.unmount();
  expect(document.activeElement).toBe(before);
});

test("the focus stays where a command has moved it", () => {
  const box = shown();
  other.focus();
  box.unmount();
  expect(document.activeElement).toBe(other);
});
