//! Makes a Worker of a compiled library: `edge-bindgen <library.wasm> <directory>`.
//!
//! It is what the command `wasm-bindgen` does, with that command's library. The format between the
//! two halves of wasm-bindgen changes with every version, and a dependency keeps both halves at the
//! version in Cargo.lock, where a command that was installed some day would not.
//!
//! `cargo xtask edge build` builds and runs it.

use std::env;

use anyhow::{Context, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [library, directory] = &arguments[..] else {
        bail!("usage: edge-bindgen <library.wasm> <directory>");
    };
    let mut bindgen = Bindgen::new();
    // The entry passes the module, so nothing is fetched, whichever tool bundles the files.
    bindgen.web(true).context("choosing the target")?.omit_default_module_path(true);
    // A panic leaves the instance's memory as it was in the middle of something. With both of these,
    // the next request begins again with fresh memory.
    bindgen.reset_state_function(true).force_enable_abort_handler(true);
    // Names of functions are half of the library and nobody asks for them but in a trap's trace.
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen.input_path(library).out_name("index").typescript(false);
    bindgen.generate(directory).with_context(|| format!("could not read {library}"))
}
