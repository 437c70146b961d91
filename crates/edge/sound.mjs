// An instance of a library that is sound. A panic leaves an instance's memory in the middle of
// something, so the request after it begins with a new one.

export function sound(library) {
  const state = library.__worker_init_state();

  // Traps that are no panics, such as an exhausted stack.
  addEventListener("error", ({ error }) => {
    state.criticalError ||= error instanceof WebAssembly.RuntimeError;
  });

  return () => {
    if (state.criticalError) {
      library.__wbg_reset_state();
      state.criticalError = false;
    }
    return library;
  };
}
