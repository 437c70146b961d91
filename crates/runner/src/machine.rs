//! The machine as the server knows it: registration and heartbeats.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use octopoid_client::Error;
use octopoid_domain::{
    heartbeat::{HeartbeatRequest, MachineDirective},
    input::{Count, Id, Text, Texts},
    orchestrator::Registration,
};

use crate::{
    answers::is_passing,
    clock,
    config::{Config, file_name},
    lock::LockedFile,
    notice::Notices,
    records,
    runner::Shared,
};

/// The cluster of all machines that run this runner.
const CLUSTER: &str = "runner";
/// The time between two heartbeats. The server marks a machine offline after two minutes.
const PAUSE: Duration = Duration::from_secs(20);

/// A name for this runner, with a lock that keeps other runners of this user from taking it.
pub(crate) fn name(config: &Config) -> io::Result<(String, LockedFile)> {
    let folder = config.state.join("machines");
    for number in 1.. {
        let name = match number {
            1 => config.machine.clone(),
            number => format!("{}-{number}", config.machine),
        };
        let file = file_name(&[&config.server, &config.scope, &name]);
        if let Some(lock) = records::lock_folder(&folder.join(file))? {
            return Ok((name, lock));
        }
    }
    unreachable!("there are fewer processes than numbers")
}

/// Registers the machine, and returns its id. The first machine of a scope is handed the scope's first
/// API key, which is shown only once: it is kept in a file.
pub(crate) async fn register(
    config: &Config,
    notices: &Notices,
    name: &str,
) -> Result<String, Error> {
    let mut body = Registration {
        cluster: Id(Some(CLUSTER.to_owned())),
        machine_id: Id(Some(name.to_owned())),
        scope: Text(Some(config.scope.clone())),
        hostname: Text(Some(config.machine.clone())),
        version: Text(Some(config.version.clone())),
        ..Registration::default()
    };
    let registered = match config.client.register_orchestrator(&body).await {
        // The names of machines are those of all scopes: this machine works in another one too.
        Err(Error::Refused { code, .. }) if code == "already_exists" => {
            body.machine_id = Id(Some(format!("{name}-{}", config.scope)));
            config.client.register_orchestrator(&body).await?
        }
        answer => answer?,
    };
    if let Some(key) = registered.api_key {
        let text = match keep_key(config, &key) {
            Ok(path) => {
                format!("the server made the first API key of the scope: {}", path.display())
            }
            Err(error) => format!("the first API key of the scope cannot be kept: {error}"),
        };
        notices.tell("key", text);
    }
    Ok(registered.orchestrator_id)
}

fn keep_key(config: &Config, key: &str) -> io::Result<PathBuf> {
    let folder = config.state.join("keys");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let path = folder.join(config.scope_file());
    let mut options = OpenOptions::new();
    let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(&path)?;
    file.write_all(format!("{key}\n").as_bytes())?;
    Ok(path)
}

/// Sends heartbeats, and heeds their answers.
pub(crate) async fn beat(shared: Arc<Shared>, name: String) {
    let config = &shared.config;
    let all = |names: fn(&crate::config::Crew) -> Vec<String>| {
        let mut all: Vec<_> = config.crews.iter().flat_map(names).collect();
        all.sort();
        all.dedup();
        Texts(all)
    };
    let roles = if config.crews.iter().any(|crew| crew.roles.is_empty()) {
        Texts::default()
    } else {
        all(|crew| crew.roles.clone())
    };
    let queues = all(|crew| crew.queue_name().map(str::to_owned).into_iter().collect());
    loop {
        let slots: usize = config.crews.iter().map(|crew| crew.slots).sum();
        let count = |number: usize| Some(Count(i64::try_from(number).unwrap_or(i64::MAX)));
        let body = HeartbeatRequest {
            slots: count(slots),
            busy: count(shared.busy.load(Ordering::Relaxed)),
            roles: Some(roles.clone()),
            queues: Some(queues.clone()),
            pools: Some(Texts(config.pool.clone().into_iter().collect())),
            version: Text(Some(config.version.clone())),
            leases: None,
        };
        match config.client.note_heartbeat(&shared.machine_id, &body).await {
            Ok(answer) => {
                let is_drained = answer.directive == MachineDirective::Drain;
                let is_changed = shared.is_drained.send_if_modified(|was| {
                    let is_changed = *was != is_drained;
                    *was = is_drained;
                    is_changed
                });
                match (is_changed, is_drained) {
                    (true, true) => shared.notices.tell("drained", "by the server: no more tasks"),
                    (true, false) => shared.notices.tell("resumed", "the server hands out tasks"),
                    (false, _) => {}
                }
            }
            Err(Error::Refused { status: 404, .. }) => {
                // The server has lost it: another database, or an operator has deleted it.
                let _ = register(config, &shared.notices, &name).await;
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => shared.notices.tell("error", format!("heartbeat: {error}")),
        }
        clock::pause(PAUSE).await;
    }
}
