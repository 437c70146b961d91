//! Looks for options in the arguments of a program.

use std::ffi::{OsStr, OsString};

/// The arguments before `--`. What follows are not options.
fn options(arguments: &[OsString]) -> &[OsString] {
    let end = arguments.iter().position(|argument| argument == "--");
    &arguments[..end.unwrap_or(arguments.len())]
}

/// Whether one of these options is given, also as `--name=value`, and a short one also with others
/// or its value behind it.
pub(super) fn has(arguments: &[OsString], names: &[&str]) -> bool {
    options(arguments).iter().any(|argument| names.iter().any(|name| is(argument, name)))
}

/// The value of an option, as the next argument or after `=`.
pub(super) fn value<'a>(arguments: &'a [OsString], name: &str) -> Option<&'a str> {
    let options = options(arguments);
    let at = options.iter().position(|argument| is(argument, name))?;
    match options[at].to_str()?.split_once('=') {
        Some((_, value)) => Some(value),
        None => options.get(at + 1)?.to_str(),
    }
}

/// The place of the first argument that is this word.
pub(super) fn place(arguments: &[OsString], word: &str) -> Option<usize> {
    options(arguments).iter().position(|argument| argument == word)
}

/// Inserts arguments at a place.
pub(super) fn insert(arguments: &mut Vec<OsString>, at: usize, added: &[&str]) {
    arguments.splice(at..at, added.iter().map(OsString::from));
}

/// Adds options behind the others.
pub(super) fn add(arguments: &mut Vec<OsString>, added: &[&str]) {
    insert(arguments, options(arguments).len(), added);
}

fn is(argument: &OsStr, name: &str) -> bool {
    let rest = argument.to_str().and_then(|argument| argument.strip_prefix(name));
    let is_short = !name.starts_with("--");
    rest.is_some_and(|rest| is_short || rest.is_empty() || rest.starts_with('='))
}
