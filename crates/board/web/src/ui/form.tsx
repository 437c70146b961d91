/** The end of a form, and the key that sends it. */

import { Button } from "./basics";
import { Problem } from "./problem";

/** Whether a key in a field of several lines sends the form: Enter with Ctrl or Cmd. */
export function isSend(event: KeyboardEvent): boolean {
  return event.key === "Enter" && (event.ctrlKey || event.metaKey);
}

/** Shows why the form was refused, the button that sends it, and the button that leaves it. */
export function End(props: {
  /** What the button says that sends the form, such as `Create`. */
  submit: string;
  kind?: "primary" | "danger";
  isBusy?: boolean;
  /** Whether the form may be sent. By default it may. */
  isReady?: boolean;
  problem?: string | undefined;
  /** What the button says that leaves the form. */
  cancel?: string;
  onCancel: () => void;
}) {
  const { kind = "primary", isBusy = false, isReady = true, cancel = "Not now" } = props;
  return (
    <>
      <Problem text={props.problem} />
      <div class="buttons">
        <Button kind={kind} type="submit" isBusy={isBusy} disabled={!isReady}>
          {props.submit}
        </Button>
        <Button onClick={props.onCancel}>{cancel}</Button>
      </div>
    </>
  );
}
