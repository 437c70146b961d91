/** Renders in unit tests as the board does. */

import { render, type ComponentChild } from "preact";
import { onTestFinished } from "vitest";

/**
 * Renders until the end of the test. Unlike testing-library's `render`, this does not wait for
 * effects that follow the first frame: a user may press a key before them.
 */
export function draw(content: ComponentChild): void {
  const page = document.body.appendChild(document.createElement("div"));
  render(content, page);
  onTestFinished(() => {
    render(null, page);
    page.remove();
  });
}
