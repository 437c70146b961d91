/** What the palette finds: views, commands, scopes and tasks. */

import type { Binding } from "../keys/keys";

/** Something that the palette offers. */
export interface Item {
  /** Unique among the items that are shown. */
  id: string;
  group: "Views" | "Commands" | "Scopes" | "Tasks";
  label: string;
  /** A key, or a state, which is shown beside the label. */
  hint?: string | undefined;
  run: () => void;
}

/** The groups of keys that are no commands. */
const NO_COMMANDS = ["Lists", "Panels", "Go to"];

/** The commands of the keys in effect. Of two with the same label, the first is used. */
export function commandsOf(bindings: readonly Binding[]): Item[] {
  const found = new Map<string, Item>();
  for (const { keys, label, run, group = "" } of bindings) {
    const isCommand = !NO_COMMANDS.includes(group) && keys !== "mod+k";
    if (!isCommand || found.has(label)) continue;
    found.set(label, { id: `key ${keys}`, group: "Commands", label, hint: keys, run });
  }
  return [...found.values()];
}

/** The items whose labels have all words of a text. Those that begin with it come first. */
export function matching(items: readonly Item[], text: string): Item[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rank = ({ label }: Item) => (label.toLowerCase().startsWith(words[0] ?? "") ? 0 : 1);
  const found = items.filter(({ label, group }) => {
    const searched = `${label} ${group}`.toLowerCase();
    return words.every((word) => searched.includes(word));
  });
  return words.length === 0 ? found : found.sort((one, other) => rank(one) - rank(other));
}
