"""Loaded by Schemathesis: writes down every answer of the server, one line each.

Schemathesis counts test cases, of which some send several requests and some none. The file counts
requests, and it holds a server error even where Schemathesis would report several as one.
"""

import os
import threading

import schemathesis

ADMIN_SECRET = os.environ["OCTOPOID_FUZZ_ADMIN_SECRET"]
# The buffer is a line, so that nothing is lost if the run is stopped.
ANSWERS = open(os.environ["OCTOPOID_FUZZ_ANSWERS"], "a", buffering=1, encoding="utf-8")
LOCK = threading.Lock()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Opens the administrator's routes, which without the key are only seen to be closed."""
    if "/admin/" in case.path:
        case.headers["Authorization"] = f"Bearer {ADMIN_SECRET}"


@schemathesis.hook
def after_call(context, case, response):
    """Records an answer."""
    with LOCK:
        ANSWERS.write(f"{response.status_code} {case.method.upper()} {case.formatted_path}\n")
