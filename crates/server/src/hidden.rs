//! Parses the command line without showing secrets in errors: clap's own errors show the invalid
//! value, and a database URL may contain a password.

use std::{ffi::OsStr, io::Write as _, marker::PhantomData, process, str::FromStr};

use clap::{
    Arg, Command, Parser,
    builder::TypedValueParser,
    error::{Error, ErrorKind},
};

/// A value parser that does not show an invalid value in its error.
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
            let text = format!("invalid value for {name}: {error}\n");
            Error::raw(ErrorKind::ValueValidation, text).with_cmd(cmd)
        })
    }
}

/// Parses the command line, or prints the error and exits.
pub fn parse<T: Parser>() -> T {
    T::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        let _ = std::io::stderr().write_all(without_urls(&error.to_string()).as_bytes());
        process::exit(error.exit_code())
    })
}

/// Removes URLs from an error text: a misplaced URL may be a database URL with a password.
pub fn without_urls(text: &str) -> String {
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
