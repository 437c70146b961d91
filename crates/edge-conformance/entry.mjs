// What the platform calls. It survives panics as the Worker that is deployed does.

import module from "./build/index_bg.wasm";
import * as library from "./build/index.js";
import { sound } from "../edge/sound.mjs";

library.initSync({ module });
const instance = sound(library);

export default {
  fetch: (request, env, context) => instance().fetch(request, env, context),
};
