//! The commands of the server: those of `octopoid-server`, each with its own options only.

use clap::Subcommand;
use octopoid_server::{
    Configuration, CopyArgs, DatabaseOptions, ExportArgs, ImportArgs, Options, PoolOptions,
    backup::FolderOption,
};

/// The commands of the server.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API.
    Serve(Box<Options>),
    /// Migrate the database to the latest schema version and exit.
    Migrate {
        #[command(flatten)]
        database: DatabaseOptions,
        #[command(flatten)]
        backups: FolderOption,
    },
    /// Print the settings of `serve` with their origins, and check them. Nothing is opened.
    CheckConfig(Box<Configuration>),
    /// Copy all data from one database into another, empty one, and compare the two.
    Copy {
        #[command(flatten)]
        args: CopyArgs,
        #[command(flatten)]
        pool: PoolOptions,
    },
    /// Write all data of a database as newline-delimited JSON, the same on every engine.
    Export {
        #[command(flatten)]
        args: ExportArgs,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Import an export, or the database of the first (TypeScript) server, into an empty database.
    Import {
        #[command(flatten)]
        args: ImportArgs,
        #[command(flatten)]
        pool: PoolOptions,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Print the version.
    Version,
}

impl Command {
    /// Runs the command to its end, with a runtime of its own.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Serve(options) => octopoid_server::serve(options),
            Self::Migrate { database, backups } => octopoid_server::migrate(database, backups),
            Self::CheckConfig(configuration) => octopoid_server::check_config(configuration),
            Self::Copy { args, pool } => octopoid_server::copy(args, pool),
            Self::Export { args, database } => octopoid_server::export(args, database),
            Self::Import { args, pool } => octopoid_server::import(args, pool),
            Self::Openapi => octopoid_server::print_openapi(),
            Self::Version => octopoid_server::print_version("octopoid"),
        }
    }
}
