//! The simulated agent: a program of its own, which the runner starts like any other.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    path::Path,
    process::ExitCode,
    thread,
    time::Duration,
};

use serde_json::Value;

use super::git;

/// How long a step of its work takes.
const STEP: Duration = Duration::from_millis(400);

/// The argument for work that a person can watch.
pub(crate) const SLOWLY: &str = "slowly";
/// How long a step of such work takes.
const SLOW_STEP: Duration = Duration::from_millis(1_500);

/// Works on the task that the environment names.
pub(crate) fn run(is_slow: bool) -> ExitCode {
    match work(if is_slow { SLOW_STEP } else { STEP }) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn work(step: Duration) -> io::Result<ExitCode> {
    let mut prompt = String::new();
    io::stdin().read_to_string(&mut prompt)?;
    let variable = |name: &str| std::env::var(name).map_err(io::Error::other);
    let task: Value = serde_json::from_slice(&fs::read(variable("OCTOPOID_TASK_FILE")?)?)?;
    let progress = variable("OCTOPOID_PROGRESS_FILE")?;
    for (percent, doing) in [(10, "reading the task"), (50, "writing"), (90, "looking it over")] {
        fs::write(&progress, format!("{percent}% {doing}\n"))?;
        say(doing)?;
        #[expect(clippy::disallowed_methods, reason = "work takes time, and people watch it")]
        thread::sleep(step);
    }
    let feedback = task["feedback"][0]["text"].as_str();
    let is_first = feedback.is_none() && task["previous"].is_null();
    let outcome = |text: &str| fs::write(variable("OCTOPOID_OUTCOME_FILE")?, text);
    match task["id"].as_str().unwrap_or_default() {
        "greeting" if is_first => commit("greeting.txt", "Hello.\n", "Write a greeting")?,
        "greeting" => commit("greeting.txt", "Hello, Ada. Welcome!\n", "Greet the reader by name")?,
        "licence" if is_first => {
            writeln!(io::stderr(), "the simulated agent fails here once, on purpose")?;
            return Ok(ExitCode::FAILURE);
        }
        "licence" => commit("LICENCE", "MIT\n", "Add the licence")?,
        "port" if is_first => {
            outcome("needs_input\nWhich port is the server to listen on, 8080 or 9090?\n")?;
            return Ok(ExitCode::SUCCESS);
        }
        "port" => {
            let port: String =
                feedback.unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
            commit("port.txt", &format!("{port}\n"), "Choose the port")?;
        }
        _ => {
            let files = ["greeting.txt", "LICENCE", "port.txt"];
            let there = files.into_iter().filter(|file| Path::new(file).exists());
            let notes =
                there.fold("# Notes\n".to_owned(), |notes, file| format!("{notes}\n* {file}"));
            commit("NOTES.md", &format!("{notes}\n"), "Write the release notes")?;
        }
    }
    outcome("done\nThe file is written and committed.\n")?;
    say("done")?;
    Ok(ExitCode::SUCCESS)
}

fn commit(file: &str, text: &str, message: &str) -> io::Result<()> {
    fs::write(file, text)?;
    git(Path::new("."), &["add", "--", file])?;
    git(Path::new("."), &["commit", "-q", "-m", message])
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}
