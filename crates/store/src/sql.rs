//! The texts of statements: one for all dialects, or two where they must differ.
//!
//! SQLite's dialect is what everything is written in. PostgreSQL's text is made from it by
//! rewriting four things that every statement writes in the same way: `?1` becomes `$1`, a list
//! that comes as one parameter becomes an array, `instr` is called `strpos`, and `OR FAIL` is left
//! out. Whatever differs beyond that has a text of its own.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt::Write,
    sync::{LazyLock, PoisonError, RwLock},
};

use crate::merge::{Merge, Merged, Turn};

/// The text of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sql {
    /// Every dialect takes it.
    Same(Cow<'static, str>),
    /// The dialects differ.
    Differs {
        /// For SQLite and D1.
        sqlite: &'static str,
        /// For PostgreSQL.
        postgres: &'static str,
    },
    /// The same where the texts are put together for one request.
    Made {
        /// For SQLite and D1.
        sqlite: String,
        /// For PostgreSQL.
        postgres: String,
    },
    /// PostgreSQL needs no such statement; it skips it and answers no rows.
    OnlySqlite(&'static str),
    /// SQLite and D1 need no such statement, for instance because they have a single writer.
    OnlyPostgres(&'static str),
    /// PostgreSQL may run it once for many batches.
    Merged {
        /// For SQLite and D1, if they need it.
        sqlite: Option<&'static str>,
        /// For PostgreSQL and one batch.
        postgres: &'static str,
        /// For PostgreSQL and many batches.
        merge: Merge,
    },
}

/// How a condition says that a column is in a list, as far as it is the same everywhere.
const LISTED: &str = "IN (SELECT value FROM json_each(";

/// How an insert into a table with a unique index says that SQLite need not keep copies of pages to
/// undo the one statement. A constraint of the table says it itself.
const OR_FAIL: &str = "INSERT OR FAIL INTO";

impl Sql {
    /// A text for every dialect.
    pub(crate) const fn same(text: &'static str) -> Self {
        Self::Same(Cow::Borrowed(text))
    }

    /// A text for every dialect, which PostgreSQL may run once for many batches.
    pub const fn merged(text: &'static str, merge: Merge) -> Self {
        Self::Merged { sqlite: Some(text), postgres: text, merge }
    }

    /// Texts that were put together for one request.
    pub(crate) fn made(sqlite: String, postgres: String) -> Self {
        if sqlite == postgres { sqlite.into() } else { Self::Made { sqlite, postgres } }
    }

    /// What SQLite and D1 run, if they run it at all.
    pub fn sqlite(&self) -> Option<&str> {
        match self {
            Self::Same(text) => Some(text),
            Self::Made { sqlite, .. } => Some(sqlite),
            Self::Differs { sqlite: text, .. } | Self::OnlySqlite(text) => Some(text),
            Self::Merged { sqlite, .. } => *sqlite,
            Self::OnlyPostgres(_) => None,
        }
    }

    /// What PostgreSQL runs, if it runs it at all.
    pub fn postgres(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Same(Cow::Owned(text)) | Self::Made { postgres: text, .. } => {
                Some(translated(text, &|number| format!("${number}")).into())
            }
            Self::Same(Cow::Borrowed(text))
            | Self::Differs { postgres: text, .. }
            | Self::Merged { postgres: text, .. }
            | Self::OnlyPostgres(text) => {
                let make = || translated(text, &|number| format!("${number}"));
                Some(known_or(Purpose::One, text, make).into())
            }
            Self::OnlySqlite(_) => None,
        }
    }

    /// What PostgreSQL runs for the statements of this text and number of parameters of several
    /// batches that write. `None` if it has to run them one by one.
    pub fn for_writes(&self, parameters: usize) -> Option<Merged> {
        let Self::Merged { postgres, merge, .. } = self else { return None };
        Some(for_many(Purpose::ManyWrites, postgres, *merge, parameters))
    }

    /// The same for batches that read, in which every query of a constant text can be merged.
    pub fn for_reads(&self, parameters: usize) -> Option<Merged> {
        match self {
            Self::Same(Cow::Borrowed(text))
            | Self::Differs { postgres: text, .. }
            | Self::Merged { postgres: text, .. }
            | Self::OnlyPostgres(text)
                if parameters > 0 =>
            {
                Some(for_many(Purpose::ManyReads, text, Merge::query(Turn::Read), parameters))
            }
            _ => None,
        }
    }

    /// Whether the text is one of a fixed number, so that preparing it once pays.
    pub fn is_constant(&self) -> bool {
        !matches!(self, Self::Same(Cow::Owned(_)) | Self::Made { .. })
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self::same(text)
    }
}

impl From<String> for Sql {
    fn from(text: String) -> Self {
        Self::Same(Cow::Owned(text))
    }
}

/// A constant text by where it is, which is looked up faster than what it says.
type Place = (Purpose, usize, usize);

/// What a translation is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Purpose {
    One,
    ManyReads,
    ManyWrites,
}

/// The translation of a constant text, which is made when it is needed first. There are as many as
/// there are constants, and they live as long.
fn known_or(purpose: Purpose, text: &'static str, make: impl FnOnce() -> String) -> &'static str {
    static KNOWN: LazyLock<RwLock<HashMap<Place, &'static str>>> = LazyLock::new(RwLock::default);
    let place = (purpose, text.as_ptr().addr(), text.len());
    if let Some(known) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(&place) {
        return known;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.entry(place).or_insert_with(|| make().leak())
}

/// The text that runs once for many batches.
fn for_many(purpose: Purpose, one: &'static str, merge: Merge, parameters: usize) -> Merged {
    let text = known_or(purpose, one, || {
        let name = |number: usize| {
            if number <= merge.shared() { format!("${number}") } else { format!("p{number}") }
        };
        merge.with_input(&translated(&merge.body(one), &name), parameters)
    });
    Merged { text, turn: merge.turn, shared: merge.shared() }
}

/// Rewrites parameters, lists, searches and inserts for PostgreSQL. `name` is what a parameter is
/// called. No text has a question mark for anything else.
fn translated(text: &str, name: &dyn Fn(usize) -> String) -> String {
    let text = text.replace(OR_FAIL, "INSERT INTO").replace("instr(", "strpos(");
    let mut result = String::with_capacity(text.len() + 64);
    let mut rest = &*text;
    while let Some(at) = rest.find('?') {
        let number = at + 1;
        let digits = rest[number..].bytes().take_while(u8::is_ascii_digit).count();
        let end = number + digits;
        let before = &rest[..at];
        let parameter = name(rest[number..end].parse().unwrap_or_default());
        rest = &rest[end..];
        match before.strip_suffix(LISTED) {
            Some(before) => {
                // An array is looked up in an index; the planner would rather join a subquery.
                let _ = write!(
                    result,
                    "{before}= ANY (ARRAY(SELECT json_array_elements_text({parameter}::json))"
                );
                rest = rest.strip_prefix(')').unwrap_or(rest);
            }
            None => {
                let _ = write!(result, "{before}{parameter}");
            }
        }
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::{Cow, Sql};

    #[test]
    fn parameters_are_written_with_a_dollar() {
        let sql = Sql::from("SELECT a FROM t WHERE b = ?1 AND (?12 IS NULL OR c = ?2)");
        let dollars = "SELECT a FROM t WHERE b = $1 AND ($12 IS NULL OR c = $2)";
        assert_eq!(sql.postgres().as_deref(), Some(dollars));
        assert_eq!(Sql::from("SELECT 1").postgres().as_deref(), Some("SELECT 1"));
    }

    #[test]
    fn a_list_becomes_an_array() {
        let sql = Sql::from("a IN (SELECT value FROM json_each(?3)) AND b = ?1");
        let array = "a = ANY (ARRAY(SELECT json_array_elements_text($3::json))) AND b = $1";
        assert_eq!(sql.postgres().as_deref(), Some(array));
    }

    #[test]
    fn a_search_has_another_name() {
        let sql = Sql::from("instr(lower(a), ?1) > 0");
        assert_eq!(sql.postgres().as_deref(), Some("strpos(lower(a), $1) > 0"));
    }

    #[test]
    fn an_insert_does_not_say_that_it_fails() {
        let sql = Sql::from("WITH a AS (INSERT OR FAIL INTO t SELECT ?1) SELECT 1 FROM a");
        let insert = "WITH a AS (INSERT INTO t SELECT $1) SELECT 1 FROM a";
        assert_eq!(sql.postgres().as_deref(), Some(insert));
    }

    #[test]
    fn a_dialect_skips_what_only_the_other_needs() {
        let texts =
            |sql: Sql| (sql.sqlite().map(str::to_owned), sql.postgres().map(Cow::into_owned));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(texts(Sql::OnlyPostgres("SELECT ?1")), (None, some("SELECT $1")));
        assert_eq!(texts(Sql::OnlySqlite("SELECT ?1")), (some("SELECT ?1"), None));
        let two = Sql::Differs { sqlite: "a ?1", postgres: "b ?1" };
        assert_eq!(texts(two), (some("a ?1"), some("b $1")));
    }
}
