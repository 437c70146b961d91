//! The server that the settings name: whether it answers, its version, and its clock.

use octopoid_client::{Error, Health};
use octopoid_domain::Millis;
use octopoid_server::doctor::{Finding, judge_clock};

use crate::{
    clock::now,
    failure::{Exit, Failure},
    session::Session,
};

/// What the server answered, and when.
struct Subject {
    server: String,
    health: Health,
    before: Millis,
    after: Millis,
}

/// All checks of an answer, in the order of their findings.
const CHECKS: [fn(&Subject) -> Option<Finding>; 3] =
    [|subject| Some(check_health(subject)), |subject| Some(check_version(subject)), check_clock];

/// Asks the server how it is, and runs all checks of its answer.
pub(super) async fn examine(session: &Session) -> Vec<Finding> {
    let server = session.settings.server.value.clone();
    let before = now();
    match session.client.health().await {
        Ok(health) => {
            let subject = Subject { server, health, before, after: now() };
            CHECKS.iter().filter_map(|check| check(&subject)).collect()
        }
        Err(error) => vec![judge_silence(&server, error)],
    }
}

/// Judges that no health was answered. A server that is not running yet is no problem.
fn judge_silence(server: &str, error: Error) -> Finding {
    const NAME: &str = "server";
    let is_transport = matches!(error, Error::Transport(_));
    let Failure { exit, text, .. } = error.into();
    if is_transport && exit == Exit::Unreachable {
        let remedy = "start it with octopoid serve, or name another one: --server URL";
        return Finding::warning(NAME, text, remedy);
    }
    let text = format!("{server}: {text}");
    Finding::problem(NAME, text, "octopoid config show --origin says where its address comes from")
}

fn check_health(subject: &Subject) -> Finding {
    const NAME: &str = "server";
    let Subject { server, health, .. } = subject;
    let Health { status, database, .. } = health;
    if status == "healthy" {
        return Finding::ok(NAME, format!("{server} is healthy"));
    }
    let text = format!("{server} is {status}, its database is {database}");
    Finding::problem(NAME, text, "the log of the server has the cause")
}

fn check_version(subject: &Subject) -> Finding {
    const NAME: &str = "version";
    let (own, there) = (env!("CARGO_PKG_VERSION"), &*subject.health.server_version);
    if own == there {
        return Finding::ok(NAME, format!("program and server have version {own}"));
    }
    let there = if there.is_empty() { "an unknown version" } else { there };
    let text = format!("the server has {there}, this program {own}");
    Finding::warning(NAME, text, "install the same version of both")
}

fn check_clock(subject: &Subject) -> Option<Finding> {
    let there = Millis::parse(&subject.health.timestamp)?;
    Some(judge_clock("server clock", there, subject.before, subject.after))
}

#[cfg(test)]
mod tests {
    use octopoid_client::Health;
    use octopoid_domain::Millis;
    use octopoid_server::doctor::State;

    use super::{CHECKS, Subject};

    fn states(change: impl FnOnce(&mut Health)) -> Vec<State> {
        let mut health = Health {
            status: "healthy".to_owned(),
            version: "2.0.0".to_owned(),
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            timestamp: Millis(60_000).to_iso(),
            database: "connected".to_owned(),
        };
        change(&mut health);
        let (before, after) = (Millis(59_990), Millis(60_010));
        let subject = Subject { server: "http://a".to_owned(), health, before, after };
        CHECKS.iter().filter_map(|check| check(&subject)).map(|finding| finding.state).collect()
    }

    #[test]
    fn a_server_is_judged_by_its_health_version_and_clock() {
        use State::{Ok, Problem, Warning};
        assert_eq!(states(|_| {}), [Ok, Ok, Ok]);
        assert_eq!(states(|health| health.status = "unhealthy".to_owned()), [Problem, Ok, Ok]);
        assert_eq!(states(|health| health.server_version = String::new()), [Ok, Warning, Ok]);
        let late = Millis(90_000).to_iso();
        assert_eq!(states(|health| health.timestamp = late), [Ok, Ok, Warning]);
        assert_eq!(states(|health| health.timestamp = String::new()), [Ok, Ok]);
    }
}
