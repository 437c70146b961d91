//! `cargo xtask migration`.

use std::fs;

use anyhow::{Context as _, ensure};

use crate::paths::{self, MIGRATION_LIST, MIGRATIONS};
use crate::tidy::is_migration_name;
use crate::{edge, output};

/// Makes the files of the next migration and enters it wherever migrations are listed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What it does, in lowercase letters, digits and underscores: `add_labels`.
    name: String,
}

/// How the list begins, up to the number of its entries.
const LIST_BEGIN: &str = "const MIGRATIONS: [Migration; ";

/// What the files of a migration end in, SQLite's first. They are made empty, so that the migration
/// changes nothing yet: a comment without a statement would be no statement.
const ENDINGS: [&str; 2] = ["sql", "postgres.sql"];

/// Makes the files, the entry in the store's list, and the Worker's copy.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let Args { name } = args;
    ensure!(
        is_migration_name(name),
        "`{name}` cannot be part of a file's name: lowercase letters, digits and underscores can"
    );
    let root = paths::root();
    let list = fs::read_to_string(root.join(MIGRATION_LIST))
        .with_context(|| format!("reading {MIGRATION_LIST}"))?;
    let (number, entered) =
        enter(&list, name).with_context(|| format!("reading {MIGRATION_LIST}"))?;
    for ending in ENDINGS {
        let path = format!("{MIGRATIONS}/{number:04}_{name}.{ending}");
        let absolute = root.join(&path);
        ensure!(!absolute.exists(), "{path} is there already");
        fs::write(absolute, "").with_context(|| format!("writing {path}"))?;
        output::line(&path);
    }
    fs::write(root.join(MIGRATION_LIST), entered)
        .with_context(|| format!("writing {MIGRATION_LIST}"))?;
    output::line(MIGRATION_LIST);
    edge::write_migrations()?;
    output::line("write the statements into the store's files, then: cargo xtask edge migrations");
    output::line("what else a column needs: docs/adding-things.md");
    Ok(())
}

/// The list with another migration at its end, and that one's number.
fn enter(list: &str, name: &str) -> anyhow::Result<(usize, String)> {
    let (before, rest) = list.split_once(LIST_BEGIN).context("there is no list of migrations")?;
    let (count, rest) = rest.split_once(']').context("the list does not say how long it is")?;
    let (entries, after) = rest.split_once("\n];").context("the list does not end")?;
    let number = count.parse::<usize>().context("the list does not say how long it is")? + 1;
    // A migration only adds, so the servers that could work with the schema before it still can.
    let (_, newest) = entries.rsplit_once("readable_from: ").context("the list is empty")?;
    let (readable_from, _) = newest.split_once(',').context("the last entry does not end")?;
    let entry = format!(
        "\n    Migration {{\n        \
         sqlite: include_str!(\"migrations/{number:04}_{name}.sql\"),\n        \
         postgres: include_str!(\"migrations/{number:04}_{name}.postgres.sql\"),\n        \
         readable_from: {readable_from},\n    }},"
    );
    let entered = format!("{before}{LIST_BEGIN}{number}]{entries}{entry}\n];{after}");
    Ok((number, entered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_entered_after_the_last_one() {
        let list = "A\nconst MIGRATIONS: [Migration; 1] = [\n    Migration {\n        \
                    sqlite: include_str!(\"migrations/0001_a.sql\"),\n        \
                    postgres: include_str!(\"migrations/0001_a.postgres.sql\"),\n        \
                    readable_from: 1,\n    },\n];\nB\n";
        let expected = "A\nconst MIGRATIONS: [Migration; 2] = [\n    Migration {\n        \
                        sqlite: include_str!(\"migrations/0001_a.sql\"),\n        \
                        postgres: include_str!(\"migrations/0001_a.postgres.sql\"),\n        \
                        readable_from: 1,\n    },\n    Migration {\n        \
                        sqlite: include_str!(\"migrations/0002_add_x.sql\"),\n        \
                        postgres: include_str!(\"migrations/0002_add_x.postgres.sql\"),\n        \
                        readable_from: 1,\n    },\n];\nB\n";
        assert_eq!(enter(list, "add_x").unwrap(), (2, expected.to_owned()));
    }

    #[test]
    fn the_list_of_the_store_takes_another_migration() {
        let list = fs::read_to_string(paths::root().join(MIGRATION_LIST)).unwrap();
        let files = fs::read_dir(paths::root().join(MIGRATIONS)).unwrap().count();
        let (number, entered) = enter(&list, "add_x").unwrap();
        assert_eq!(number, files / ENDINGS.len() + 1);
        assert_eq!(enter(&entered, "add_y").unwrap().0, number + 1);
    }

    #[test]
    fn a_name_that_tidy_would_refuse_is_refused_before_anything_is_written() {
        let refused = run(&Args { name: "Add x".to_owned() }).unwrap_err().to_string();
        assert!(refused.starts_with("`Add x` cannot be part of a file's name"), "{refused}");
    }
}
