/** Which tasks are selected: single ones, or all that match the filter, perhaps without some. */

import { computed, signal } from "@preact/signals";

/** What is selected. */
type Picked =
  | { kind: "some"; ids: ReadonlySet<string> }
  | { kind: "all"; except: ReadonlySet<string> };

const NOTHING: Picked = { kind: "some", ids: new Set() };

/** A selection of tasks of one list. */
export class Selection {
  readonly picked = signal<Picked>(NOTHING);
  /** Whether nothing is selected. */
  readonly isEmpty = computed(() => {
    const picked = this.picked.value;
    return picked.kind === "some" && picked.ids.size === 0;
  });

  has(id: string): boolean {
    const picked = this.picked.value;
    return picked.kind === "all" ? !picked.except.has(id) : picked.ids.has(id);
  }

  /** Selects or deselects tasks. */
  set(ids: readonly string[], is: boolean): void {
    const picked = this.picked.value;
    const isListed = picked.kind === "all" ? !is : is;
    const changed = new Set(picked.kind === "all" ? picked.except : picked.ids);
    for (const id of ids) {
      if (isListed) changed.add(id);
      else changed.delete(id);
    }
    this.picked.value =
      picked.kind === "all" ? { kind: "all", except: changed } : { kind: "some", ids: changed };
  }

  /** Selects all that match, also those that are not loaded. */
  all(): void {
    this.picked.value = { kind: "all", except: new Set() };
  }

  clear(): void {
    this.picked.value = NOTHING;
  }

  /** How many tasks are selected. `total` is how many match the filter. */
  count(total: number): number {
    const picked = this.picked.value;
    return picked.kind === "all" ? Math.max(0, total - picked.except.size) : picked.ids.size;
  }
}
