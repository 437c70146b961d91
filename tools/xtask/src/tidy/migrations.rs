//! The names of the files that change a database.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::Finding;
use crate::paths::MIGRATIONS;

/// Backends whose SQL may differ. Such a file stands beside the common one: `0001_tasks.postgres.sql`.
const DIALECTS: [&str; 2] = ["postgres", "d1"];

/// Reads the directory and checks the names in it.
pub(super) fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let directory = root.join(MIGRATIONS);
    let entries = fs::read_dir(&directory).with_context(|| format!("reading {MIGRATIONS}"))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(judge(&names))
}

/// The parts of a name.
struct Name<'a> {
    number: usize,
    /// The name without its dialect and ending.
    stem: &'a str,
    dialect: Option<&'a str>,
}

impl<'a> Name<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let rest = name.strip_suffix(".sql")?;
        let (stem, dialect) = match rest.split_once('.') {
            Some((stem, dialect)) => (stem, Some(dialect)),
            None => (rest, None),
        };
        let (number, what) = stem.split_once('_')?;
        let is_number = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_known = dialect.is_none_or(|dialect| DIALECTS.contains(&dialect));
        let is_well_formed = is_number && is_migration_name(what) && is_known;
        is_well_formed.then_some(Self { number: number.parse().ok()?, stem, dialect })
    }
}

/// Whether this may stand behind a migration's number.
pub(crate) fn is_migration_name(what: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !what.is_empty() && what.chars().all(is_plain)
}

fn judge(names: &[String]) -> Vec<Finding> {
    let directory = Path::new(MIGRATIONS);
    let mut findings = Vec::new();
    let mut common: BTreeMap<usize, &str> = BTreeMap::new();
    let mut dialects = Vec::new();
    for name in names {
        let path = directory.join(name);
        let Some(parts) = Name::parse(name) else {
            findings.push(Finding::file(&path, "a migration is called NNNN_<what>.sql"));
            continue;
        };
        if parts.dialect.is_some() {
            dialects.push((path, parts));
        } else if let Some(other) = common.insert(parts.number, parts.stem) {
            findings.push(Finding::file(&path, format!("`{other}` has the same number")));
        }
    }
    for (expected, (number, stem)) in (1..).zip(&common) {
        if expected != *number {
            let path = directory.join(format!("{stem}.sql"));
            let what = format!("numbers are consecutive: {expected:04} comes next");
            findings.push(Finding::file(&path, what));
            break;
        }
    }
    for (path, parts) in dialects {
        if common.get(&parts.number) != Some(&parts.stem) {
            findings.push(Finding::file(&path, format!("there is no {}.sql", parts.stem)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let prefix = format!("{MIGRATIONS}/");
        judge(&names).iter().map(|finding| finding.to_string().replace(&prefix, "")).collect()
    }

    #[test]
    fn consecutive_numbers_are_in_order() {
        let names = ["0001_tasks.postgres.sql", "0001_tasks.sql", "0002_leases_of_2.sql"];
        assert!(found(&names).is_empty());
    }

    #[test]
    fn a_badly_named_file_is_found() {
        let what = "a migration is called NNNN_<what>.sql";
        for name in ["1_tasks.sql", "0001-tasks.sql", "0001_.sql", "0001_Tasks.sql", "a.txt"] {
            assert_eq!(found(&[name]), [format!("{name}: {what}")]);
        }
        assert_eq!(found(&["0001_a.oracle.sql", "0001_a.sql"]).len(), 1);
    }

    #[test]
    fn a_gap_is_found() {
        let gap = "0003_b.sql: numbers are consecutive: 0002 comes next";
        assert_eq!(found(&["0001_a.sql", "0003_b.sql"]), [gap]);
        assert_eq!(found(&["0000_a.sql"]).len(), 1);
    }

    #[test]
    fn a_number_that_is_used_twice_is_found() {
        assert_eq!(
            found(&["0001_a.sql", "0001_b.sql"]),
            ["0001_b.sql: `0001_a` has the same number"]
        );
    }

    #[test]
    fn a_dialect_without_its_common_file_is_found() {
        let found = found(&["0001_a.sql", "0001_b.postgres.sql"]);
        assert_eq!(found, ["0001_b.postgres.sql: there is no 0001_b.sql"]);
    }
}
