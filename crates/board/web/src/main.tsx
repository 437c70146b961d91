/** Starts the board, and shows the view that the address names. */

import { render } from "preact";

import { startKeys } from "./keys/keys";
import { App } from "./shell/app";
import { start, useLink } from "./shell/start";
import { applyTheme } from "./shell/theme";
import { startClock } from "./state/clock";
import { followHistory } from "./state/location";
import { startPassing } from "./state/passing";
import { startQueries } from "./state/queries";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/parts.css";

applyTheme();
startClock();
startKeys();
followHistory();
startQueries();
startPassing();
await useLink();
await start();
const root = document.getElementById("app");
if (root) render(<App />, root);
