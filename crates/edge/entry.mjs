// What the platform calls: the functions that the Rust library exports.

import module from "./build/index_bg.wasm";
import * as library from "./build/index.js";
import { sound } from "./sound.mjs";

library.initSync({ module });
const instance = sound(library);

export default {
  fetch: (request, env, context) => instance().fetch(request, env, context),
  scheduled: (event, env, context) => instance().scheduled(event, env, context),
};
