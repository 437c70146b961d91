//! The output of commands: tables for people, JSON for programs.
//!
//! A command first asks for a [`Printer`] of the noun that it shows, which refuses fields that the
//! noun does not have, and only then calls the server.

mod fields;
mod noun;
mod table;

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _, Write as _},
    marker::PhantomData,
};

use clap::ValueEnum;
use octopoid_client::Listed;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{clock, failure::Outcome};

pub(crate) use self::noun::{Cell, Noun, Times, Tone, many_lines, one_line};

/// The version of the JSON output. It grows when something is renamed or taken away.
pub(crate) const SCHEMA_VERSION: u64 = 1;

/// A form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON object.
    Json,
    /// A JSON object a line.
    Ndjson,
}

/// What flags say about the output.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct OutputFlags {
    /// Form of the output.
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORM",
        hide_possible_values = true,
        help_heading = "Output",
        help = "Form of the output: table, json or ndjson"
    )]
    output: Format,
    /// Print these fields as JSON; separated by commas. An unknown field lists the known ones.
    #[arg(
        long,
        global = true,
        value_delimiter = ',',
        value_name = "FIELDS",
        help_heading = "Output"
    )]
    json: Vec<String>,
    /// Print ids only.
    #[arg(short, long, global = true, help_heading = "Output")]
    quiet: bool,
    /// Print without colours, as on what is not a terminal and with `NO_COLOR`.
    #[arg(long, global = true, help_heading = "Output")]
    no_color: bool,
}

impl OutputFlags {
    /// Whether a program reads what is printed to standard error.
    pub(crate) fn is_for_programs(&self) -> bool {
        let is_json = self.output != Format::Table || !self.json.is_empty();
        is_json && !io::stderr().is_terminal()
    }
}

/// Whether these arguments, which need not make sense, ask for JSON on a standard error that a
/// program reads.
pub(crate) fn is_json_wanted(given: &[OsString]) -> bool {
    let given = given.iter().filter_map(|argument| argument.to_str());
    let given: Vec<_> = given.take_while(|argument| *argument != "--").collect();
    let is_form = |form: &str| matches!(form, "json" | "ndjson");
    let is_one = given.iter().any(|argument| {
        let form = argument.strip_prefix("--output=").or(argument.strip_prefix("-o"));
        form.is_some_and(is_form) || *argument == "--json" || argument.starts_with("--json=")
    });
    let is_pair = |pair: &[&str]| matches!(pair[0], "-o" | "--output") && is_form(pair[1]);
    (is_one || given.windows(2).any(is_pair)) && !io::stderr().is_terminal()
}

/// Where and how a command prints.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
    wanted: Vec<String>,
    is_quiet: bool,
    pub(crate) has_colour: bool,
    pub(crate) is_terminal: bool,
    pub(crate) times: Times,
}

/// Prints items of one noun.
pub(crate) struct Printer<'a, T> {
    output: &'a Output,
    noun: PhantomData<fn(&T)>,
}

/// Prints what names an item.
fn print_id(item: &impl Noun) -> Outcome {
    say(&one_line(&item.id()))
}

/// Prints text to standard output, as it is: what the server says has to be made harmless before.
pub(crate) fn print(text: &str) -> Outcome {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Prints sentences for people. Parts of them are from the server, and must not control a terminal.
pub(crate) fn say(text: &str) -> Outcome {
    print(&format!("{}\n", many_lines(text)))
}

/// Prints a sentence beside the output, to standard error.
pub(crate) fn say_aside(text: &str) {
    // There is no other place to say that this failed.
    let _ = io::stderr().write_all(format!("{}\n", many_lines(text)).as_bytes());
}

impl Output {
    /// The output that flags and terminal ask for.
    pub(crate) fn new(flags: &OutputFlags) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            format: match flags.output {
                Format::Table if !flags.json.is_empty() => Format::Json,
                format => format,
            },
            wanted: flags.json.clone(),
            is_quiet: flags.quiet,
            has_colour: is_terminal && !is_plain && !flags.no_color,
            is_terminal,
            times: Times { now: is_terminal.then(clock::now) },
        }
    }

    /// A printer of a noun, if it has the fields that are wanted.
    pub(crate) fn of<T: Noun>(&self) -> Outcome<Printer<'_, T>> {
        fields::check::<T>(&self.wanted)?;
        Ok(Printer { output: self, noun: PhantomData })
    }

    /// Whether people read it.
    pub(crate) fn is_for_people(&self) -> bool {
        self.format == Format::Table && !self.is_quiet
    }

    /// Prints a sentence for people. Programs get the object.
    pub(crate) fn sentence(&self, text: &str, object: Value) -> Outcome {
        match self.format {
            Format::Table if self.is_quiet => Ok(()),
            Format::Table => say(text),
            Format::Json | Format::Ndjson => self.json(object),
        }
    }

    /// Prints a text of an agent or a person: as it is into a file or a pipe, made harmless on a terminal.
    pub(crate) fn verbatim(&self, text: &str) -> Outcome {
        if self.is_terminal { print(&many_lines(text)) } else { print(text) }
    }

    /// Prints an object with the version of its schema.
    pub(crate) fn json(&self, object: Value) -> Outcome {
        let mut versioned = json!({ "schema_version": SCHEMA_VERSION });
        if let (Value::Object(all), Value::Object(fields)) = (&mut versioned, object) {
            all.extend(fields);
        }
        self.value(&versioned)
    }

    /// Prints JSON, for people with indentation.
    fn value(&self, value: &Value) -> Outcome {
        let is_pretty = self.format == Format::Json && self.is_terminal;
        let text = if is_pretty { format!("{value:#}\n") } else { format!("{value}\n") };
        print(&text)
    }

    /// Prints a table.
    pub(crate) fn table(&self, headings: &[&str], rows: Vec<Vec<Cell>>) -> Outcome {
        print(&table::table(headings, rows, self.has_colour))
    }

    /// A single thing as the lines of its fields.
    pub(crate) fn details(&self, item: &impl Serialize) -> String {
        table::details(&fields::object(item), &self.times)
    }
}

impl<T: Noun> Printer<'_, T> {
    /// Prints one item with all its fields.
    pub(crate) fn one(&self, item: &T) -> Outcome {
        self.show(item, || print(&self.output.details(item)))
    }

    /// Prints an item that a command has changed: for people a sentence.
    pub(crate) fn changed(&self, item: &T, sentence: &str) -> Outcome {
        self.show(item, || say(sentence))
    }

    /// Prints an item that has a secret: for people the secret alone, so that it can be sent to a file,
    /// and what there is to know about it beside the output.
    pub(crate) fn secret(&self, item: &T, secret: &str, about: &str) -> Outcome {
        self.show(item, || {
            say(secret)?;
            say_aside(&format!("{about}; it is not shown again"));
            Ok(())
        })
    }

    /// Prints an item of a stream as soon as it is there: a row for people.
    pub(crate) fn line(&self, item: &T) -> Outcome {
        self.show(item, || self.output.table(&[], vec![item.cells(&self.output.times)]))
    }

    /// Prints a list. People are told what to do if it is empty.
    pub(crate) fn many(&self, listed: &Listed<T>, if_empty: &str) -> Outcome {
        let output = self.output;
        match output.format {
            Format::Table if output.is_quiet => {
                listed.items.iter().try_for_each(|item| print_id(item))
            }
            Format::Table if listed.items.is_empty() => say(if_empty),
            Format::Table => {
                let rows = listed.items.iter().map(|item| item.cells(&output.times)).collect();
                output.table(T::COLUMNS, rows)?;
                if listed.next_cursor.is_some() && output.is_terminal {
                    print("… more with --limit\n")?;
                }
                Ok(())
            }
            Format::Ndjson => listed.items.iter().try_for_each(|item| self.line(item)),
            Format::Json => {
                let items = listed.items.iter().map(|item| Value::Object(self.fields(item)));
                let items = Value::Array(items.collect());
                if self.has_all_fields() {
                    let next = &listed.next_cursor;
                    output.json(json!({ T::MANY: items, "next_cursor": next }))
                } else {
                    output.value(&items)
                }
            }
        }
    }

    /// Whether JSON has all fields, because no flag names some.
    pub(crate) fn has_all_fields(&self) -> bool {
        self.output.wanted.is_empty()
    }

    /// Prints an item: its id, what people are shown, or an object.
    fn show(&self, item: &T, for_people: impl FnOnce() -> Outcome) -> Outcome {
        match self.output.format {
            Format::Table if self.output.is_quiet => print_id(item),
            Format::Table => for_people(),
            Format::Json | Format::Ndjson if self.has_all_fields() => {
                self.output.json(self.fields(item).into())
            }
            Format::Json | Format::Ndjson => self.output.value(&self.fields(item).into()),
        }
    }

    fn fields(&self, item: &T) -> Map<String, Value> {
        let fields = fields::object(item);
        if self.has_all_fields() { fields } else { fields::select(fields, &self.output.wanted) }
    }
}
