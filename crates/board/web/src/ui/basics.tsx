/** The small parts of every view. */

import type {
  AnchorHTMLAttributes,
  ButtonHTMLAttributes,
  ComponentChildren,
  TargetedMouseEvent,
} from "preact";

import { absolute, duration, instant, now } from "../state/clock";
import { href, navigate } from "../state/location";
import { stateKind, stateWords, type StateKind } from "./words";

/** A link to a view of the board, in the scope that is shown. */
export function Link(
  props: { to: string } & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, "href" | "role">,
) {
  const { to, onClick, ...rest } = props;
  const follow = (event: TargetedMouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    const isOther = event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0;
    if (isOther || event.defaultPrevented) return;
    event.preventDefault();
    navigate(to);
  };
  return <a {...rest} href={href(to)} onClick={follow} />;
}

/** A link to another site. Only http and https are links; anything else is plain text. */
export function OuterLink({ url, children }: { url: string; children?: ComponentChildren }) {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !["http:", "https:"].includes(parsed.protocol)) return <>{children ?? url}</>;
  return (
    <a href={parsed.href} target="_blank" rel="noopener noreferrer nofollow">
      {children ?? url}
    </a>
  );
}

/** How long ago something was, with the instant on hover. */
export function Ago({ at, suffix = " ago" }: { at: string; suffix?: string }) {
  return (
    <time dateTime={at} title={absolute(at)}>
      {duration(now.value - instant(at))}
      {suffix}
    </time>
  );
}

/** How long it is until something, with the instant on hover. */
export function Until({ at }: { at: string }) {
  return (
    <time dateTime={at} title={absolute(at)}>
      in {duration(instant(at) - now.value)}
    </time>
  );
}

const SHAPES: Record<StateKind, string> = {
  waiting: "○",
  running: "◐",
  review: "◇",
  "needs-you": "▲",
  done: "✓",
  failed: "✕",
};

/** The shape and the colour of a state. The word beside it says the same. */
export function Shape({ kind }: { kind: StateKind }) {
  return (
    <span class={`shape is-${kind}`} aria-hidden="true">
      {SHAPES[kind]}
    </span>
  );
}

/** The state of a task: shape and word. */
export function State({ queue }: { queue: string }) {
  return (
    <span class={`state is-${stateKind(queue)}`}>
      <Shape kind={stateKind(queue)} /> {stateWords(queue)}
    </span>
  );
}

/** A button. `isBusy` while what it asked for is not answered. */
export function Button(
  props: Omit<ButtonHTMLAttributes<HTMLButtonElement>, "disabled" | "type"> & {
    kind?: "plain" | "primary" | "danger" | "quiet";
    isBusy?: boolean;
    disabled?: boolean;
    type?: "button" | "submit";
  },
) {
  const { kind = "plain", isBusy = false, disabled = false, type = "button", ...rest } = props;
  return (
    <button
      {...rest}
      type={type}
      class={`button is-${kind} ${rest.class ?? ""}`}
      disabled={disabled || isBusy}
      aria-busy={isBusy}
    />
  );
}

/** How many lines were added and removed. */
export function PlusMinus({ plus, minus }: { plus: number; minus: number }) {
  return (
    <>
      <span class="plus">+{plus}</span> <span class="minus">−{minus}</span>
    </>
  );
}

/** How many lines of a file were added and removed, each only if there are any. */
export function LineCounts({ insertions, deletions }: { insertions: number; deletions: number }) {
  return (
    <>
      {insertions > 0 && <span class="plus">+{insertions}</span>}
      {deletions > 0 && <span class="minus">−{deletions}</span>}
    </>
  );
}

/** How many rows follow those that are shown, as a link to all of them; nothing if there are none. */
export function More(props: { count: number; to: string; what?: string }) {
  const { count, to, what = "" } = props;
  if (count <= 0) return null;
  return (
    <p class="more">
      <Link to={to}>
        and {count.toLocaleString("en")} more {what}
      </Link>
    </p>
  );
}

/** The text of an empty list, which says what to do. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}

/** A line that a user can copy. */
export function Command({ text }: { text: string }) {
  return (
    <span class="command">
      <code>{text}</code>
      <Button kind="quiet" aria-label={`Copy ${text}`} onClick={() => void copy(text)}>
        copy
      </Button>
    </span>
  );
}

/**
 * Puts a text on the clipboard, and returns whether there is one: browsers have one on https and on
 * this machine only.
 */
export async function copy(text: string): Promise<boolean> {
  if (!navigator.clipboard) return false;
  await navigator.clipboard.writeText(text);
  return true;
}
