//! `octopoid health`: whether a server takes requests, as an exit code for what watches it.

use octopoid_client::{Health, Retries};
use serde_json::json;

use crate::{
    failure::{Failure, Outcome},
    session::{Run, Session},
};

/// The arguments of `health`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Run for Args {
    async fn run(&self, session: &Session) -> Outcome {
        // What watches a server asks again by itself.
        let client = session.client.clone().with_retries(Retries::NONE);
        let Health { status, database, server_version, .. } = client.health().await?;
        let server = &session.settings.server.value;
        if status != "healthy" {
            let text = format!("{server} is {status}, its database is {database}");
            return Err(Failure::other(text).remedy("the log of the server has the cause"));
        }
        let object = json!({
            "server": server,
            "status": status,
            "database": database,
            "server_version": server_version,
        });
        session.output.sentence(&format!("{server} is {status}"), object)
    }
}
