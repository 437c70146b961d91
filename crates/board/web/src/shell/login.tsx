/** Signing in where the server wants a key. */

import { useState } from "preact/hooks";

import { keepKey } from "../state/session";
import { Button, Command } from "../ui/basics";
import { Problem } from "../ui/problem";
import { start, startError } from "./start";
import { useTitle } from "./title";

/** Asks for a key. */
export function Login() {
  useTitle("Sign in");
  const [isBusy, setBusy] = useState(false);
  const [isWrong, setWrong] = useState(false);
  const refused = "The server does not take this key. It may be revoked or have expired.";
  const problem = startError.value ?? (isWrong ? refused : undefined);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const key = String(form.get("key") ?? "").trim();
    if (!key) return;
    setBusy(true);
    startError.value = undefined;
    keepKey(key, form.get("remember") === "on");
    await start();
    setBusy(false);
    setWrong(true);
  };
  return (
    <main class="view narrow login">
      <h1>Sign in to Octopoid</h1>
      <Problem text={problem} />
      <form onSubmit={submit} class="form">
        <label>
          API key
          <input name="key" type="password" autocomplete="off" spellcheck={false} required />
        </label>
        <label class="check">
          <input name="remember" type="checkbox" /> Keep the key in this browser. Otherwise it is
          kept until this tab is closed.
        </label>
        <Button kind="primary" type="submit" isBusy={isBusy}>
          Sign in
        </Button>
      </form>
      <p class="dim">
        Or let the command line make a link that signs in once: <Command text="octopoid board" />
      </p>
    </main>
  );
}
