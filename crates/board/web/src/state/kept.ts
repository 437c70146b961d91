/** Lists that are kept in the browser. */

/**
 * What is kept under a name. What is no such list, or no such entry, is left out: another version
 * of the board may have written it.
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
