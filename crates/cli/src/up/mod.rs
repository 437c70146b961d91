//! `octopoid up`, as far as it is not printed: the server that all runs of it share, and what each
//! repository has there.
//!
//! Everything is in one folder, which only its owner can read: the database, a record of addresses
//! and keys, and locks. Whether something is alive is told by a lock of the operating system, which
//! ends with its process, however that ends.

pub(crate) mod demo;
mod flow;
mod folder;
mod member;
mod record;
mod service;

use crate::{failure::Outcome, repository::Repository};

pub(crate) use self::{
    folder::Folder,
    member::{Joined, join},
    service::{Service, token},
};

/// What commands in a repository go by while `octopoid up` runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// The address of the server.
    pub(crate) server: String,
    /// The key for the command line.
    pub(crate) key: String,
    /// The scope of the repository.
    pub(crate) scope: String,
    /// The flow of tasks that are added in the repository.
    pub(crate) flow: String,
}

/// What commands in this repository go by. `None` unless the server of `octopoid up` runs and the
/// repository has joined it. Nothing is sent.
pub(crate) fn running(repository: &Repository) -> Outcome<Option<Running>> {
    let folder = Folder::at_home()?;
    if !folder.is_serving() {
        return Ok(None);
    }
    let record = folder.read()?;
    let member = repository.root.to_str().and_then(|root| record.repositories.get(root));
    let parts = member.and_then(|member| {
        let server = record.address.as_ref()?.clone();
        let key = member.manage_key.as_ref()?.clone();
        Some(Running { server, key, scope: member.scope.clone(), flow: member.flow.clone() })
    });
    Ok(parts)
}
