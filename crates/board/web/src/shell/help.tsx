/** The list of keys. */

import { currentBindings } from "../keys/keys";
import { Panel } from "../ui/panel";

/** Shows the keys in effect, by group. */
export function Help({ onClose }: { onClose: () => void }) {
  const groups = new Map<string, Map<string, string>>();
  for (const { group = "This view", keys, label } of currentBindings()) {
    const known = groups.get(group) ?? new Map<string, string>();
    if (!known.has(keys)) known.set(keys, label);
    groups.set(group, known);
  }
  return (
    <Panel title="Keys" onClose={onClose}>
      {[...groups].map(([group, keys]) => (
        <section key={group}>
          <h3>{group}</h3>
          <dl class="keys">
            {[...keys].map(([name, label]) => (
              <div key={name}>
                <dt>
                  {name.split(" ").map((part, index) => (
                    <kbd key={index}>{part.replace("mod+k", "Ctrl-K")}</kbd>
                  ))}
                </dt>
                <dd>{label}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </Panel>
  );
}
