/** Maps that keep their most recent entries. */

/** Sets an entry as the most recent one, and removes the oldest entries beyond `max`. */
export function remember<T>(map: Map<string, T>, key: string, value: T, max: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= max) break;
    map.delete(oldest);
  }
}
