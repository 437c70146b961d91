// What the platform calls. A panic fails the request in which it happens, and those after it too,
// so that no test passes on an instance that is unsound.

import module from "./build/index_bg.wasm";
import { fetch, initSync } from "./build/index.js";

initSync({ module });

export default { fetch };
