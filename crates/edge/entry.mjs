// What the platform calls: the functions that the Rust library exports, on an instance of it that is
// sound. A panic leaves an instance's memory in the middle of something, so the request after it
// begins with a new one.

import module from "./build/index_bg.wasm";
import * as library from "./build/index.js";

library.initSync({ module });
const state = library.__worker_init_state();

// Traps that are no panics, such as an exhausted stack.
addEventListener("error", ({ error }) => {
  state.criticalError ||= error instanceof WebAssembly.RuntimeError;
});

function sound() {
  if (state.criticalError) {
    library.__wbg_reset_state();
    state.criticalError = false;
  }
  return library;
}

export default {
  fetch: (request, env, context) => sound().fetch(request, env, context),
  scheduled: (event, env, context) => sound().scheduled(event, env, context),
};
