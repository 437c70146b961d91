import { cleanup, fireEvent, render, screen } from "@testing-library/preact";
import { afterEach, expect, it, vi } from "vitest";

import { ApiError } from "../api/http";
import { Confirmed, useAttempt } from "./attempt";
import { Problem } from "./problem";

afterEach(cleanup);

it("does nothing before it is confirmed, and nothing after it is declined", () => {
  const onYes = vi.fn();
  render(<Confirmed label="Drain…" question="Drain it?" yes="Drain" onYes={onYes} />);
  fireEvent.click(screen.getByText("Drain…"));
  fireEvent.click(screen.getByText("Keep"));
  expect(onYes).not.toHaveBeenCalled();
  fireEvent.click(screen.getByText("Drain…"));
  expect(document.activeElement).toBe(screen.getByText("Drain"));
  fireEvent.click(screen.getByText("Drain"));
  expect(onYes).toHaveBeenCalledOnce();
  expect(screen.queryByText("Drain it?")).toBeNull();
});

it("says why a request was refused, until the next one", async () => {
  const answers = [Promise.reject(new ApiError(409, "race", "Too late")), Promise.resolve()];
  function Form() {
    const attempt = useAttempt();
    return (
      <>
        <button onClick={() => void attempt.run(() => answers.shift() ?? Promise.resolve())}>
          send
        </button>
        <Problem text={attempt.problem} />
      </>
    );
  }
  render(<Form />);
  fireEvent.click(screen.getByText("send"));
  expect((await screen.findByRole("alert")).textContent).toBe("Too late");
  fireEvent.click(screen.getByText("send"));
  await vi.waitFor(() => expect(screen.queryByRole("alert")).toBeNull());
});
