//! Runs of real processes: however a run ends, none of its processes is left.
//!
//! This program is also the guard of its runs, and a runner that is killed.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod deaths;
mod ends;
mod leftovers;
mod output;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// A test: its name and what it does.
type Case = (&'static str, fn());

/// Lists functions of a module as tests.
macro_rules! cases {
    ($($name:ident),+ $(,)?) => {
        pub(crate) const CASES: &[crate::Case] = &[$((stringify!($name), $name)),+];
    };
}
pub(crate) use cases;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    match words.next().as_deref().and_then(|word| word.to_str()) {
        Some("guard") => octopoid_runner::process::guard(words),
        Some("runner") => deaths::runner(words),
        Some("leaking-runner") => deaths::leaking_runner(words),
        _ => run_tests(),
    }
}

fn run_tests() -> ExitCode {
    let modules = [
        ("deaths", deaths::CASES),
        ("ends", ends::CASES),
        ("leftovers", leftovers::CASES),
        ("output", output::CASES),
    ];
    let trials = modules.into_iter().flat_map(|(module, cases)| {
        cases.iter().map(move |&(name, case)| {
            Trial::test(format!("{module}::{name}"), move || {
                case();
                Ok(())
            })
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
