//! What a repository has on the server: a scope, two keys and a flow.

use octopoid_client::Client;
use octopoid_domain::{
    input::{Prose, Text},
    key::{NewKey, Permission},
};

use super::{flow, folder::Folder, record::Member, service::Address};
use crate::{
    failure::{Failure, Outcome},
    repository::Repository,
};

/// A repository that has joined.
pub(crate) struct Joined {
    /// What it has.
    pub(crate) member: Member,
    /// A client for the runner of agents: with the key that may work, and the scope.
    pub(crate) worker: Client,
    /// Whether its scope is not its name, because that could not be or another repository has it,
    /// and it has just been chosen.
    pub(crate) is_renamed: bool,
}

/// Gives a repository a scope, keys and the flow, or checks those that it has. A key that the server
/// does not know any more is replaced.
pub(crate) async fn join(
    folder: &Folder,
    address: &Address,
    repository: &Repository,
) -> Outcome<Joined> {
    let root = repository.root.to_str().ok_or_else(|| {
        let text = format!("the path {} is not UTF-8", repository.root.display());
        Failure::usage(text).remedy("move the repository to another path")
    })?;
    let (mut member, is_new) = folder.change(|record| {
        let is_new = !record.repositories.contains_key(root);
        let scope = record.scope_of(root, &repository.name);
        let member = record.repositories.entry(root.to_owned()).or_default();
        member.scope = scope;
        flow::NAME.clone_into(&mut member.flow);
        (member.clone(), is_new)
    })?;
    let key = async |kept: Option<&String>, permission, label| {
        key(address, &member.scope, kept, permission, label).await
    };
    let manage = key(member.manage_key.as_ref(), Permission::Manage, "command line").await?;
    let work = key(member.work_key.as_ref(), Permission::Work, "runner").await?;
    let client = Client::new(&address.url)?.with_scope(&member.scope);
    flow::register(&client.clone().with_key(&manage)).await?;
    let worker = client.with_key(&work);
    (member.manage_key, member.work_key) = (Some(manage), Some(work));
    folder.change(|record| record.repositories.insert(root.to_owned(), member.clone()))?;
    let is_renamed = is_new && member.scope != repository.name;
    Ok(Joined { member, worker, is_renamed })
}

/// The key that is kept, if the server knows it; otherwise a new one.
async fn key(
    address: &Address,
    scope: &str,
    kept: Option<&String>,
    permission: Permission,
    label: &str,
) -> Outcome<String> {
    let client = Client::new(&address.url)?.with_scope(scope);
    if let Some(kept) = kept {
        match client.clone().with_key(kept).get_summary().await {
            Ok(_) => return Ok(kept.clone()),
            Err(error) if error.status() == Some(401) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let new = NewKey {
        label: Prose(Some(format!("octopoid up: {label}"))),
        permission: Text(Some(permission.as_str().to_owned())),
        ..NewKey::default()
    };
    let issued = client.with_key(&address.administrator).issue_key(&new).await?;
    Ok(issued.api_key)
}
