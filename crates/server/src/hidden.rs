//! The command line, in words that do not repeat secrets: clap's own show the value that cannot be
//! used, and a database's URL may have a password in it.

use std::{ffi::OsStr, io::Write as _, marker::PhantomData, process, str::FromStr};

use clap::{
    Arg, Command, Parser,
    builder::TypedValueParser,
    error::{Error, ErrorKind},
};

/// Reads a value that is not repeated if it cannot be used.
pub(crate) struct Hidden<T>(PhantomData<fn() -> T>);

impl<T> Hidden<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for Hidden<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T: FromStr<Err = String> + Clone + Send + Sync + 'static> TypedValueParser for Hidden<T> {
    type Value = T;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let text = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned());
        text.and_then(str::parse).map_err(|error| {
            let name = arg.map(ToString::to_string).unwrap_or_default();
            let text = format!("the value of {name} cannot be used: {error}\n");
            Error::raw(ErrorKind::ValueValidation, text).with_cmd(cmd)
        })
    }
}

/// Reads the command line, or says what is wrong with it and ends the process.
pub(crate) fn parse<T: Parser>() -> T {
    T::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        let _ = std::io::stderr().write_all(without_urls(&error.to_string()).as_bytes());
        process::exit(error.exit_code())
    })
}

/// A URL that stands where none belongs may be a database's as well.
fn without_urls(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("://") {
        Some((before, _)) => format!("{before}://…\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::without_urls;

    #[test]
    fn a_line_ends_where_a_url_begins() {
        let text =
            "error: unexpected argument 'postgres://a:b c'd@e' found\n\nUsage: x [OPTIONS]\n";
        let expected = "error: unexpected argument 'postgres://…\n\nUsage: x [OPTIONS]\n";
        assert_eq!(without_urls(text), expected);
    }
}
