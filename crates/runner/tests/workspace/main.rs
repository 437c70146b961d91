//! Work trees of real repositories, in temporary folders with spaces and umlauts in their names.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod close;
mod evidence;
mod isolation;
mod merge;
mod prepare;
mod publish;
mod review;
mod support;
mod take_up;
mod work;

use std::{
    env,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Trial};

/// Says that the settings of git are the ones of these tests.
const IS_ISOLATED: &str = "WORKSPACE_TESTS_ARE_ISOLATED";

/// A list of tests: asynchronous functions without arguments.
#[macro_export]
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) fn all() -> Vec<libtest_mimic::Trial> {
            vec![$($crate::trial(
                concat!(module_path!(), "::", stringify!($name)),
                || Box::pin($name()),
            )),*]
        }
    };
}

pub(crate) fn trial(
    name: &str,
    body: fn() -> std::pin::Pin<Box<dyn Future<Output = ()>>>,
) -> Trial {
    let name = name.strip_prefix("workspace::").unwrap_or(name);
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(body());
        Ok(())
    })
}

fn main() -> ExitCode {
    if env::var_os(IS_ISOLATED).is_none() {
        // git reads the settings of the process, which cannot be changed once threads run.
        let home = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/workspace");
        let mut itself = Command::new(env::current_exe().unwrap());
        itself.args(env::args_os().skip(1)).env(IS_ISOLATED, "1");
        itself
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", format!("{home}/gitconfig"));
        for name in ["AUTHOR", "COMMITTER"] {
            itself.env_remove(format!("GIT_{name}_NAME")).env_remove(format!("GIT_{name}_EMAIL"));
        }
        panic!("{}", itself.env_remove("EMAIL").exec());
    }
    if let Some(arguments) = support::arguments_of_holder() {
        return support::hold(arguments);
    }
    let trials = [
        close::all(),
        evidence::all(),
        isolation::all(),
        merge::all(),
        prepare::all(),
        publish::all(),
        review::all(),
        take_up::all(),
        work::all(),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials.into_iter().flatten().collect()).exit_code()
}
