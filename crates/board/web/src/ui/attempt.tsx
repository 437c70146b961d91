/** Requests that a person makes: whether one is in progress, and why the last was refused. */

import { useEffect, useRef, useState } from "preact/hooks";

import { ApiError } from "../api/http";
import { Button } from "./basics";

/** The state of a form's or a row's requests. */
interface Attempt {
  isBusy: boolean;
  /** Why the server did not carry it out, in its words. */
  problem: string | undefined;
  /** Sends a request. The result is false if it was refused. */
  run: (send: () => Promise<unknown>) => Promise<boolean>;
}

/** Returns the state of requests that are made one after another. */
export function useAttempt(): Attempt {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const run = async (send: () => Promise<unknown>) => {
    setBusy(true);
    setProblem(undefined);
    try {
      await send();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.message);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { isBusy, problem, run };
}

/** A button that asks for confirmation in its place. */
export function Confirmed(props: {
  /** What the button says, such as `Drain…`. */
  label: string;
  /** What will happen, as a question. */
  question: string;
  /** What the button says that does it, such as `Drain`. */
  yes: string;
  isBusy?: boolean;
  isDangerous?: boolean;
  onYes: () => void;
}) {
  const [isAsked, setAsked] = useState(false);
  const yes = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (isAsked) yes.current?.focus();
  }, [isAsked]);
  if (!isAsked) {
    return (
      <Button isBusy={props.isBusy ?? false} onClick={() => setAsked(true)}>
        {props.label}
      </Button>
    );
  }
  const answer = (isYes: boolean) => {
    setAsked(false);
    if (isYes) props.onYes();
  };
  return (
    <span class="buttons confirm" role="group" aria-label={props.question}>
      <span>{props.question}</span>
      <Button
        ref={yes}
        kind={props.isDangerous ? "danger" : "primary"}
        onClick={() => answer(true)}
      >
        {props.yes}
      </Button>
      <Button onClick={() => answer(false)}>Keep</Button>
    </span>
  );
}
