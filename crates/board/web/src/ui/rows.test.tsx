import { cleanup, fireEvent, render } from "@testing-library/preact";
import { afterEach, beforeEach, expect, test } from "vitest";

import { startKeys } from "../keys/keys";
import { Row, useCursor, useListKeys } from "./rows";

let opened: string[];

function List({ ids }: { ids: string[] }) {
  const cursor = useCursor(ids);
  useListKeys(cursor, (id) => opened.push(id));
  return (
    <ul>
      {ids.map((id) => (
        <Row key={id} cursor={cursor} id={id}>
          {id}
        </Row>
      ))}
      <li>
        <input aria-label="search" />
      </li>
    </ul>
  );
}

function press(key: string, target: Element = document.body): void {
  fireEvent.keyDown(target, { key });
}

function at(): string | undefined {
  return document.querySelector(".is-at")?.textContent ?? undefined;
}

startKeys();

beforeEach(() => {
  opened = [];
});

afterEach(cleanup);

test("j and k move the cursor, and stop at the ends; Enter opens", () => {
  render(<List ids={["a", "b"]} />);
  expect(at()).toBeUndefined();
  press("k");
  expect(at()).toBe("a");
  for (let times = 0; times < 3; times += 1) press("j");
  expect(at()).toBe("b");
  press("Enter");
  expect(opened).toEqual(["b"]);
});

test("when the row under the cursor leaves, the next one is under it", () => {
  const { rerender } = render(<List ids={["a", "b", "c"]} />);
  press("j");
  press("j");
  rerender(<List ids={["a", "c"]} />);
  rerender(<List ids={["a", "c"]} />);
  expect(at()).toBe("c");
  rerender(<List ids={["a"]} />);
  rerender(<List ids={["a"]} />);
  expect(at()).toBe("a");
});

test("what is typed into a field moves nothing", () => {
  const { getByLabelText } = render(<List ids={["a"]} />);
  press("j", getByLabelText("search"));
  expect(at()).toBeUndefined();
});
