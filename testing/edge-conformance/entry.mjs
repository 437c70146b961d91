// What the platform calls: the function that the Rust library exports.

import module from "./build/index_bg.wasm";
import { fetch, initSync } from "./build/index.js";

initSync({ module });

export default { fetch };
