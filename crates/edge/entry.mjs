// What the platform calls: the functions that the Rust library exports.

import module from "./build/index_bg.wasm";
import { fetch, initSync, scheduled } from "./build/index.js";

initSync({ module });

export default { fetch, scheduled };
