//! The URL of a database.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use octopoid_store::engine::SharedEngine;
use octopoid_store_postgres::{Location as Server, Postgres};
use octopoid_store_sqlite::{Location as File, Sqlite};

/// A parsed database URL.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// An SQLite file, or memory.
    Sqlite { url: String, location: File },
    /// A PostgreSQL server.
    Postgres(Box<Server>),
}

/// The open engine of a database.
pub(crate) enum Backend {
    /// On a file, or in memory.
    Sqlite(Arc<Sqlite>),
    /// On a PostgreSQL server.
    Postgres(Arc<Postgres>),
}

impl Backend {
    /// The engine as the store takes it.
    pub(crate) fn engine(&self) -> SharedEngine {
        match self {
            Self::Sqlite(engine) => engine.clone(),
            Self::Postgres(engine) => engine.clone(),
        }
    }
}

impl FromStr for Database {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let server: Server = url.parse().map_err(|error| format!("{error}"))?;
            return Ok(Self::Postgres(Box::new(server)));
        }
        let rest = url
            .strip_prefix("sqlite:")
            .ok_or_else(|| "the URL must start with sqlite: or postgres://".to_owned())?;
        let location = match rest {
            ":memory:" => File::Memory,
            "" => return Err("the URL has no file name".to_owned()),
            // sqlite:///absolute/path and sqlite://relative/path are also accepted.
            file => File::File(PathBuf::from(file.strip_prefix("//").unwrap_or(file))),
        };
        Ok(Self::Sqlite { url: url.to_owned(), location })
    }
}

impl fmt::Display for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { url, .. } => formatter.write_str(url),
            Self::Postgres(server) => server.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Database, File};

    #[test]
    fn a_database_is_a_file_or_memory_or_a_server() {
        let location = |url: &str| match url.parse() {
            Ok(Database::Sqlite { location, .. }) => location,
            other => panic!("{url} is {other:?}"),
        };
        assert_eq!(location("sqlite::memory:"), File::Memory);
        assert_eq!(location("sqlite:a.db"), File::File("a.db".into()));
        assert_eq!(location("sqlite:///var/a.db"), File::File("/var/a.db".into()));
        for url in ["postgres://a:b@c:1/d", "postgresql://c/d?sslmode=verify-full"] {
            assert!(matches!(url.parse(), Ok(Database::Postgres(_))), "{url}");
        }
        for url in ["sqlite:", "mysql://x", "postgres://", "postgres://a/b?sslmode=some"] {
            assert!(url.parse::<Database>().is_err(), "{url}");
        }
    }
}
