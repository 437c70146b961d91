//! Scopes for rows of the first server without a scope.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    str::FromStr,
};

use octopoid_domain::limits::KEY_BYTES_MAX;

use crate::import::{Notes, notes::Change};

/// The scopes assigned to rows without a scope.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    /// By table and key.
    of: HashMap<(String, String), String>,
    /// The scope of all other rows, if set.
    others: Option<String>,
    /// The entries that were used.
    used: RefCell<HashSet<(String, String)>>,
}

/// The scope of one row, written as `projects:PROJ-1=shop`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowScope {
    table: String,
    key: String,
    scope: String,
}

impl Scopes {
    /// Scopes of single rows, and of all others.
    pub(crate) fn new(rows: &[RowScope], others: Option<String>) -> Self {
        let of = rows.iter().map(|row| ((row.table.clone(), row.key.clone()), row.scope.clone()));
        Self { of: of.collect(), others, used: RefCell::default() }
    }

    pub(crate) fn scope(&self, table: &str, key: &str) -> Option<&str> {
        let row = (table.to_owned(), key.to_owned());
        let named = self.of.get(&row);
        if named.is_some() {
            self.used.borrow_mut().insert(row);
        }
        named.or(self.others.as_ref()).map(String::as_str)
    }

    /// Reports unused `--scope-of` entries.
    pub(crate) fn note_unused(&self, notes: &mut Notes) {
        let used = self.used.borrow();
        let mut unused: Vec<_> = self.of.keys().filter(|row| !used.contains(row)).collect();
        unused.sort();
        for (table, key) in unused {
            let what = "--scope-of names this row, but there is no such row without a scope";
            notes.add(table, key, Change::plain(what));
        }
    }
}

/// Parses the name of a scope.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    match text {
        "" => Err("the scope is empty".to_owned()),
        text if text.len() > KEY_BYTES_MAX => {
            Err(format!("the scope is too long: at most {KEY_BYTES_MAX} bytes"))
        }
        text if text.chars().any(char::is_control) => {
            Err("the scope contains a control character".to_owned())
        }
        text => Ok(text.to_owned()),
    }
}

impl Scopes {
    /// Parses the name of a scope, for command lines.
    pub(crate) fn parse_name(text: &str) -> Result<String, String> {
        parse(text)
    }
}

impl FromStr for RowScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "the format is TABLE:ID=SCOPE, such as projects:PROJ-1=shop";
        let (row, scope) = text.rsplit_once('=').ok_or(FORM)?;
        let (table, key) = row.split_once(':').ok_or(FORM)?;
        let tables = ["projects", "drafts", "tasks", "messages", "orchestrators", "roles"];
        if !tables.contains(&table) || key.is_empty() {
            return Err(format!("{FORM}; the tables are {}", tables.join(", ")));
        }
        Ok(Self { table: table.to_owned(), key: key.to_owned(), scope: parse(scope)? })
    }
}

#[cfg(test)]
mod tests {
    use super::{RowScope, Scopes};
    use crate::import::Notes;

    #[test]
    fn a_row_gets_its_own_scope_before_that_of_all_others() {
        let rows = ["projects:P:1=shop", "drafts:5=other"].map(|text| text.parse().unwrap());
        let scopes = Scopes::new(&rows, Some("rest".to_owned()));
        assert_eq!(scopes.scope("projects", "P:1"), Some("shop"));
        assert_eq!(scopes.scope("projects", "P:2"), Some("rest"));
        assert_eq!(Scopes::new(&rows, None).scope("drafts", "6"), None);
        let mut notes = Notes::default();
        scopes.note_unused(&mut notes);
        let report = notes.groups()[0].to_string();
        assert!(report.starts_with("drafts 5: --scope-of names this row, but"), "{report}");
        for text in ["P=shop", "projects:=shop", "songs:1=shop", "projects:P", "projects:P="] {
            assert!(text.parse::<RowScope>().is_err(), "{text}");
        }
    }
}
