//! The arguments of the process: options before the command, and what is wrong with them.

use std::{
    ffi::{OsStr, OsString},
    io::Write as _,
    process,
};

use clap::{Arg, ArgAction, Command, CommandFactory as _, Parser as _};
use octopoid_server::without_urls;

use crate::{
    cli::Cli,
    failure::{Failure, Outcome},
    output,
};

/// The options that all commands that call a server share stand under these headings.
const SHARED: [&str; 2] = ["Server", "Output"];

/// Parses the arguments of this process, or prints what is wrong with them and exits. Programs get
/// a failure.
pub(crate) fn parse() -> Outcome<Cli> {
    let given: Vec<_> = std::env::args_os().collect();
    let is_for_programs = output::is_json_wanted(&given);
    Cli::try_parse_from(command_first(&Cli::command(), given)).map_err(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        let text = without_urls(&error.to_string());
        if is_for_programs {
            return failure(&text);
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
        process::exit(error.exit_code())
    })
}

/// What the parser says, for programs: its first paragraph is the sentence.
fn failure(text: &str) -> Failure {
    let (sentence, more) = text.split_once("\n\n").unwrap_or((text, ""));
    let sentence = sentence.strip_prefix("error: ").unwrap_or(sentence);
    let failure = Failure::usage(output::one_line(sentence));
    let lines = more.lines().map(output::one_line).filter(|line| !line.is_empty());
    Failure { is_for_programs: true, ..lines.fold(failure, Failure::remedy) }
}

/// The arguments with the shared options that stand before the command moved behind it.
fn command_first(command: &Command, given: Vec<OsString>) -> Vec<OsString> {
    let shared = command.find_subcommand("add").into_iter().flat_map(Command::get_arguments);
    let shared: Vec<_> = shared.filter(|argument| is_shared(argument)).collect();
    let mut place = 1;
    while let Some(argument) = given.get(place) {
        if !argument.as_encoded_bytes().starts_with(b"-") {
            let mut moved = given.clone();
            moved[1..=place].rotate_right(1);
            return moved;
        }
        match length(&shared, argument) {
            Some(length) => place += length,
            None => break,
        }
    }
    given
}

/// Whether all commands that call a server have this option.
pub(crate) fn is_shared(argument: &Arg) -> bool {
    argument.get_help_heading().is_some_and(|heading| SHARED.contains(&heading))
}

/// How many arguments these options and their value are; none if one of them is unknown.
fn length(shared: &[&Arg], argument: &OsStr) -> Option<usize> {
    let text = argument.to_str()?;
    let has_value =
        |option: &Arg| matches!(option.get_action(), ArgAction::Set | ArgAction::Append);
    if let Some(long) = text.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(a, b)| (a, Some(b)));
        let option = shared.iter().find(|option| option.get_long() == Some(name))?;
        return Some(if has_value(option) && value.is_none() { 2 } else { 1 });
    }
    let mut letters = text[1..].chars();
    while let Some(letter) = letters.next() {
        let option = shared.iter().find(|option| option.get_short() == Some(letter))?;
        if has_value(option) {
            return Some(if letters.as_str().is_empty() { 2 } else { 1 });
        }
    }
    (text.len() > 1).then_some(1)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{command_first, failure};
    use crate::cli::Cli;

    #[test]
    fn shared_options_may_stand_before_the_command() {
        for (given, expected) in [
            ("o -o json task get x", "o task -o json get x"),
            ("o --server URL -q status", "o status --server URL -q"),
            ("o --server=URL -qojson status -q", "o status --server=URL -qojson -q"),
            ("o -qo json status", "o status -qo json"),
            ("o task -o json list", "o task -o json list"),
            ("o --unknown task", "o --unknown task"),
            ("o -x task", "o -x task"),
            ("o - task", "o - task"),
            ("o -q", "o -q"),
            ("o", "o"),
        ] {
            let given = given.split(' ').map(Into::into).collect();
            let expected: Vec<_> = expected.split(' ').collect();
            assert_eq!(command_first(&Cli::command(), given), expected);
        }
    }

    #[test]
    fn what_the_parser_says_is_a_sentence_and_remedies() {
        let failure = failure("error: unexpected\nargument\n\nUsage: a\n\nFor more, b\n");
        assert_eq!(failure.text, "unexpected argument");
        assert_eq!(failure.remedies, ["Usage: a", "For more, b"]);
    }
}
