//! Statements that PostgreSQL runs once for many batches.
//!
//! Where many requests wait for the database, most of its work is not in their rows, but in
//! starting and ending each statement. So the engine may run statements of several batches that have
//! the same text as one. Each parameter becomes an array with one value for each batch, and the
//! arrays become the rows of a table `input (p1, p2, …, n)`. The first column of the result is the
//! number `n` of the statement that a row answers.
//!
//! The statements of such a group run in the order of their [`Turn`]s. No two batches of a group hold
//! the same name or mark the same row ([`Turn::Hold`], [`Turn::Create`], [`Turn::Change`]): one
//! statement does not see what another part of it does, and what follows a mark has to find that of
//! its own batch.

use std::fmt::Write;

/// When a statement runs in a group of batches. Statements of one batch may change places by it: what
/// follows a mark reads only what the marking statement has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Holds a name, the first parameter, which others may hold as well.
    Share,
    /// Holds a name, the first parameter.
    Hold,
    /// Creates a row, whose key is the first parameter, and marks it.
    Create,
    /// Changes a row, whose key is the first parameter, and marks it.
    Change,
    /// Follows a mark.
    Follow,
    /// Follows a mark, and adds to rows that many batches add to. They are locked late.
    Count,
    /// Chooses rows and marks them, with all that follows this mark. It comes after everything that
    /// follows another mark.
    Claim,
    /// Follows the mark of a claim.
    FollowClaim,
    /// Reads what the batch has done.
    Read,
}

/// How a statement is run for many batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    pub(crate) turn: Turn,
    form: Form,
}

/// How the text for many follows from the text for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A query.
    Query,
    /// An insert of what a `SELECT … WHERE` finds. It answers nothing.
    Insert,
    /// An update with a `WHERE`.
    Update,
    /// A text of its own.
    Own(Own),
}

/// A text for many, which reads from `input`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Own {
    text: &'static str,
    /// How many of the parameters, the first ones, must be the same in all batches. They are no
    /// arrays.
    shared: usize,
}

/// A text that runs for many batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The text in PostgreSQL's dialect.
    pub text: &'static str,
    /// When it runs.
    pub turn: Turn,
    /// How many of the parameters, the first ones, must be the same in all batches and are bound
    /// once. The others are bound as arrays.
    pub shared: usize,
}

impl Merge {
    /// A query: each batch gets the rows that it would get alone.
    pub const fn query(turn: Turn) -> Self {
        Self { turn, form: Form::Query }
    }

    /// `INSERT … SELECT … FROM … WHERE …`. It answers no rows.
    pub const fn insert(turn: Turn) -> Self {
        Self { turn, form: Form::Insert }
    }

    /// `UPDATE … SET … WHERE …`.
    pub const fn update(turn: Turn) -> Self {
        Self { turn, form: Form::Update }
    }

    /// A text of its own, which reads from `input`. The first `shared` parameters are the same in all
    /// batches.
    pub const fn own(turn: Turn, text: &'static str, shared: usize) -> Self {
        Self { turn, form: Form::Own(Own { text, shared }) }
    }

    /// How many of the parameters are the same in all batches.
    pub(crate) fn shared(self) -> usize {
        match self.form {
            Form::Own(own) => own.shared,
            Form::Query | Form::Insert | Form::Update => 0,
        }
    }

    /// The text for many, in which the parameters are columns of `input`, from that for one.
    pub(crate) fn body(self, one: &str) -> String {
        match self.form {
            Form::Own(own) => own.text.to_owned(),
            // The subquery is run for each row of `input`, so its rows keep their order.
            Form::Query => {
                format!("SELECT input.n, answer.* FROM input CROSS JOIN LATERAL ({one}) AS answer")
            }
            Form::Insert => {
                let one = one.split(" RETURNING ").next().unwrap_or(one);
                before_where(one, ", input")
            }
            Form::Update => {
                before_where(one, " FROM input").replacen(" RETURNING ", " RETURNING input.n, ", 1)
            }
        }
    }

    /// Puts the table `input` with these parameters before a text.
    pub(crate) fn with_input(self, body: &str, parameters: usize) -> String {
        let first = self.shared() + 1;
        let list = |prefix: &str| {
            (first..=parameters).fold(String::new(), |mut list, number| {
                let comma = if number > first { ", " } else { "" };
                let _ = write!(list, "{comma}{prefix}{number}");
                list
            })
        };
        let (is_recursive, rest) = match body.strip_prefix("WITH RECURSIVE ") {
            Some(rest) => (true, Some(rest)),
            None => (false, body.strip_prefix("WITH ")),
        };
        format!(
            "WITH {}input ({}, n) AS (SELECT * FROM unnest({}) WITH ORDINALITY){}{}",
            if is_recursive { "RECURSIVE " } else { "" },
            list("p"),
            list("$"),
            if rest.is_some() { ", " } else { " " },
            rest.unwrap_or(body),
        )
    }
}

/// Puts a text before the condition of a statement, which is the first outside of parentheses.
fn before_where(text: &str, added: &str) -> String {
    let mut depth = 0;
    let mut places = text.char_indices().filter(|&(place, character)| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0 && text[place..].starts_with(" WHERE ")
    });
    let place = places.next().map_or(text.len(), |(place, _)| place);
    let (before, condition) = text.split_at(place);
    format!("{before}{added}{condition}")
}

#[cfg(test)]
mod tests {
    use super::{Merge, Turn};

    fn merged(merge: Merge, one: &str, parameters: usize) -> String {
        merge.with_input(&merge.body(one), parameters)
    }

    #[test]
    fn a_query_is_run_for_each_input() {
        assert_eq!(
            merged(Merge::query(Turn::Read), "SELECT a FROM t WHERE b = ?1", 2),
            "WITH input (p1, p2, n) AS (SELECT * FROM unnest($1, $2) WITH ORDINALITY) \
             SELECT input.n, answer.* FROM input \
             CROSS JOIN LATERAL (SELECT a FROM t WHERE b = ?1) AS answer"
        );
    }

    #[test]
    fn the_condition_of_an_update_is_not_that_of_a_subquery() {
        let one = "UPDATE t SET a = (SELECT b FROM u WHERE c = ?1) WHERE d = ?1 RETURNING d";
        assert_eq!(
            merged(Merge::update(Turn::Change), one, 1),
            "WITH input (p1, n) AS (SELECT * FROM unnest($1) WITH ORDINALITY) \
             UPDATE t SET a = (SELECT b FROM u WHERE c = ?1) FROM input WHERE d = ?1 \
             RETURNING input.n, d"
        );
    }

    #[test]
    fn an_insert_answers_nothing() {
        let one =
            "INSERT INTO t (a) SELECT ?1 FROM u WHERE b = ?2 ON CONFLICT DO NOTHING RETURNING a";
        assert_eq!(
            merged(Merge::insert(Turn::Follow), one, 2),
            "WITH input (p1, p2, n) AS (SELECT * FROM unnest($1, $2) WITH ORDINALITY) \
             INSERT INTO t (a) SELECT ?1 FROM u, input WHERE b = ?2 ON CONFLICT DO NOTHING"
        );
    }

    #[test]
    fn what_is_shared_is_no_array() {
        let own = Merge::own(Turn::Claim, "WITH RECURSIVE a AS (SELECT 1) SELECT n FROM input", 2);
        assert_eq!(own.shared(), 2);
        assert_eq!(
            merged(own, "", 3),
            "WITH RECURSIVE input (p3, n) AS (SELECT * FROM unnest($3) WITH ORDINALITY), \
             a AS (SELECT 1) SELECT n FROM input"
        );
    }
}
