//! The reference of all commands as a page of Markdown.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use crate::arguments::is_shared;

/// What stands before the reference.
const INTRODUCTION: &str = include_str!("introduction.md");

/// The longest line of the page.
const WIDTH: usize = 120;

/// The page. The command must have been built.
pub(super) fn page(command: &Command) -> String {
    let mut page = INTRODUCTION.to_owned();
    let caller = command.find_subcommand("add");
    page.push_str("\n## Options of all commands that call a server\n\n");
    page.push_str(
        "They may stand before the command as well, as in `octopoid -o json status`.\n\n",
    );
    for argument in
        caller.into_iter().flat_map(Command::get_arguments).filter(|argument| is_shared(argument))
    {
        line(&mut page, argument);
    }
    for (path, command) in commands(command, "octopoid") {
        section(&mut page, &path, command);
    }
    page
}

/// The commands that can be run, each with its full name.
fn commands<'a>(command: &'a Command, path: &str) -> Vec<(String, &'a Command)> {
    let visible = command.get_subcommands().filter(|verb| verb.get_name() != "help");
    let below = visible.flat_map(|verb| {
        let path = format!("{path} {}", verb.get_name());
        if verb.has_subcommands() { commands(verb, &path) } else { vec![(path, verb)] }
    });
    below.collect()
}

fn section(page: &mut String, path: &str, command: &Command) {
    let _ = write!(page, "\n## {path}");
    let (positional, flags): (Vec<_>, Vec<_>) =
        command.get_arguments().filter(is_own).partition(is_positional);
    for argument in &positional {
        let name = value_name(argument);
        let _ = if argument.is_required_set() {
            write!(page, " {name}")
        } else {
            write!(page, " \\[{name}\\]")
        };
    }
    page.push_str("\n\n");
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    wrapped(page, "", &format!("{about}."));
    if !positional.is_empty() || !flags.is_empty() {
        page.push('\n');
    }
    for argument in positional.into_iter().chain(flags) {
        line(page, argument);
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that partition calls")]
fn is_positional(argument: &&Arg) -> bool {
    argument.is_positional()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that filter calls")]
fn is_own(argument: &&Arg) -> bool {
    let is_help = matches!(argument.get_id().as_str(), "help" | "version");
    !is_shared(argument) && !is_help && !argument.is_hide_set()
}

fn value_name(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    names.first().map_or_else(|| argument.get_id().to_string(), ToString::to_string)
}

/// An argument as an item of a list.
fn line(page: &mut String, argument: &Arg) {
    let mut name = String::new();
    if argument.is_positional() {
        name.push_str(&value_name(argument));
    } else {
        if let Some(short) = argument.get_short() {
            let _ = write!(name, "-{short}, ");
        }
        let _ = write!(name, "--{}", argument.get_long().unwrap_or_default());
        if matches!(argument.get_action(), ArgAction::Set | ArgAction::Append) {
            let _ = write!(name, " {}", value_name(argument));
        }
    }
    let help = argument.get_long_help().or(argument.get_help());
    let mut text = format!("`{name}`: {}", help.map(ToString::to_string).unwrap_or_default());
    let mut notes = Vec::new();
    if let Some(variable) = argument.get_env() {
        notes.push(format!("env: {}", variable.display()));
    }
    let defaults = argument.get_default_values().iter().map(|value| value.display().to_string());
    let defaults = defaults.collect::<Vec<_>>().join(",");
    // A flag without a value is off unless it is given.
    if !defaults.is_empty() && matches!(argument.get_action(), ArgAction::Set) {
        notes.push(format!("default: {defaults}"));
    }
    let values = argument.get_possible_values();
    if !values.is_empty() && !argument.is_hide_possible_values_set() {
        let values = values.iter().map(clap::builder::PossibleValue::get_name);
        notes.push(format!("values: {}", values.collect::<Vec<_>>().join(", ")));
    }
    for note in notes {
        let _ = write!(text, " [{note}]");
    }
    wrapped(page, "* ", &escaped(&text));
}

/// What Markdown would take for links or for HTML, written as text.
fn escaped(text: &str) -> String {
    text.replace(" [", " \\[").replace('<', "&lt;")
}

/// Appends a paragraph that is broken into lines.
fn wrapped(page: &mut String, bullet: &str, text: &str) {
    let indent = " ".repeat(bullet.len());
    let mut columns = bullet.chars().count();
    page.push_str(bullet);
    for (number, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if number > 0 && columns + 1 + length > WIDTH {
            page.push('\n');
            page.push_str(&indent);
            columns = indent.len();
        } else if number > 0 {
            page.push(' ');
            columns += 1;
        }
        page.push_str(word);
        columns += length;
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{WIDTH, page};

    #[test]
    fn the_page_has_each_command_with_its_own_options() {
        let mut command = crate::cli::Cli::command();
        command.build();
        let page = page(&command);
        assert!(page.contains("\n## octopoid task reject ID\n"), "{page}");
        assert!(page.contains("\n* `-r, --reason TEXT`: What is wrong"), "{page}");
        assert_eq!(page.matches("`--server URL`").count(), 1);
        assert!(page.lines().all(|line| line.chars().count() <= WIDTH));
    }
}
