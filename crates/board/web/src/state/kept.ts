/** Lists that are kept in the browser. */

/**
 * The list that is kept under a name. A value that is no list, and entries of another kind, are
 * left out: another version of the board may have written them.
 */
export function keptList<T>(
  storage: Storage,
  name: string,
  isEntry: (value: unknown) => value is T,
): T[] {
  try {
    const kept: unknown = JSON.parse(storage.getItem(name) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isEntry) : [];
  } catch {
    return [];
  }
}
