//! `octopoid backup`: backups of SQLite databases. It works with files, and needs no server.

use std::{collections::BTreeMap, path::PathBuf};

use octopoid_client::Listed;
use octopoid_domain::Millis;
use octopoid_server::{
    UrlOption,
    backup::{self, Backup, Manifest},
};

use crate::{
    failure::{Failure, Outcome},
    output::{Cell, Noun, Output, OutputFlags, Times, Tone},
};

/// A verb, and the form of its output.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    output: OutputFlags,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Write a backup of a database, which a server may use meanwhile.
    Create(Create),
    /// List backups: age, size and contents, and whether each matches its checksum.
    Status(Look),
    /// Unpack backups and check the databases in them. The exit code is 1 if one is damaged.
    Verify(Look),
    /// Make a database of a backup, at a path where there is none.
    Restore(Restore),
}

/// Write a backup of a database, which a server may use meanwhile.
#[derive(Debug, clap::Args)]
struct Create {
    #[command(flatten)]
    database: UrlOption,
    /// Directory of the backup, which gets a name with the time; or the file, if the path ends in
    /// `.zst`.
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
}

/// Which backups are looked at.
#[derive(Debug, clap::Args)]
struct Look {
    /// A backup, or a directory with backups.
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

/// Make a database of a backup, at a path where there is none.
#[derive(Debug, clap::Args)]
struct Restore {
    /// The backup.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: UrlOption,
}

impl Args {
    /// Runs the verb.
    pub(crate) fn run(&self) -> Outcome {
        let is_for_programs = self.output.is_for_programs();
        let ended = self.verb.run(&Output::new(&self.output));
        ended.map_err(|failure| Failure { is_for_programs, ..failure })
    }
}

impl Verb {
    fn run(&self, output: &Output) -> Outcome {
        let printer = output.of::<Backup>()?;
        let listed = |items: Vec<Backup>| Listed { total: items.len(), items, next_cursor: None };
        match self {
            Self::Create(Create { database, to }) => {
                let made = backup::create(database, to)?;
                printer.changed(&made, &format!("wrote {}", summary(&made)))
            }
            Self::Status(Look { path }) => {
                let found = listed(backup::list(path)?);
                printer.many(&found, &format!("there is no backup in {}", path.display()))
            }
            Self::Verify(Look { path }) => {
                let found = listed(backup::verify(path)?);
                printer.many(&found, "")?;
                let damaged = found.items.iter().filter(|backup| backup.problem.is_some()).count();
                if damaged > 0 {
                    let text = format!("{damaged} of {} backups cannot be used", found.total);
                    return Err(Failure::other(text));
                }
                Ok(())
            }
            Self::Restore(Restore { file, database }) => {
                let restored = backup::restore(file, database)?;
                printer.changed(&restored, &format!("restored {}", summary(&restored)))
            }
        }
    }
}

/// A backup in one line.
fn summary(backup: &Backup) -> String {
    let (file, size) = (backup.file.display(), size(backup.bytes));
    let tasks = backup.manifest.as_ref().map(tasks).unwrap_or_default();
    let noun = if tasks == 1 { "task" } else { "tasks" };
    format!("{file}: {size}, {tasks} {noun}")
}

/// The number of tasks in all queues.
fn tasks(manifest: &Manifest) -> i64 {
    manifest.tasks.values().sum()
}

/// A size in its largest unit.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // In tenths of the unit.
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / 1000, unit + 1);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

impl Noun for Backup {
    const MANY: &'static str = "backups";
    const COLUMNS: &'static [&'static str] =
        &["FILE", "TAKEN", "SIZE", "DATABASE", "SCHEMA", "TASKS", "LAST EVENT", "RESULT"];

    fn example() -> Self {
        let manifest = Manifest {
            format: 0,
            created_at: Millis(0),
            server_version: String::new(),
            schema_version: 0,
            tasks: BTreeMap::new(),
            last_event: 0,
            database_bytes: 0,
            compressed_bytes: 0,
            sha256: String::new(),
        };
        let (file, problem) = (PathBuf::new(), Some(String::new()));
        Self { file, bytes: 0, manifest: Some(manifest), problem }
    }

    fn id(&self) -> String {
        self.file.display().to_string()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        let about = self.manifest.as_ref();
        let text = |text: Option<String>| Cell::maybe(text);
        let name = self.file.file_name().unwrap_or(self.file.as_os_str()).to_string_lossy();
        let result = match &self.problem {
            None => Cell::new("ok").tone(Tone::Done),
            Some(problem) => Cell::new(problem).tone(Tone::Failed),
        };
        vec![
            Cell::new(name),
            times.maybe(about.map(|about| about.created_at)),
            Cell::new(size(self.bytes)),
            text(about.map(|about| size(about.database_bytes))),
            text(about.map(|about| about.schema_version.to_string())),
            text(about.map(|about| tasks(about).to_string())),
            text(about.map(|about| about.last_event.to_string())),
            result,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn a_size_is_in_its_largest_unit() {
        let sizes = [999, 1_000, 999_999, 1_000_000, 12_345_678_901, 5_000_000_000_000_000];
        let expected = ["999 B", "1.0 kB", "999.9 kB", "1.0 MB", "12.3 GB", "5000.0 TB"];
        assert_eq!(sizes.map(size), expected);
    }
}
