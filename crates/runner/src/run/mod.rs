//! One run: from the claim of a task to the end that the server has.

mod agent;
mod execute;
mod merge;
mod pull_request;
mod result;
mod review;
mod shell;
mod supervise;
mod variables;
mod work;

pub use work::shown;

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use octopoid_client::Error as ClientError;
use octopoid_domain::{
    ClaimedTask,
    failure::Class,
    failure::REASONS,
    input::{Id, Instant, Prose, Text},
    lease::{LeaseToken, Token},
    report::RunResult,
    steps::Fail,
    usage::Usage,
};
use tokio::{task::JoinHandle, time::Instant as Clock};

use crate::{
    answers::is_of_key,
    clock,
    config::{Crew, Hand},
    crew::Slot,
    environment::Redactor,
    hand_in::HandIn,
    judge::{self, Cause, End, Failure},
    keeper::{Keeper, Lease, Order},
    log::Log,
    mailbox::Mailbox,
    records::{Record, RunFolder},
    runner::{Shared, Stage},
    workspace::{Closed, Keep, Place, Tree},
};

/// How long the last part of a log may take to be sent.
const LOG_MAX: Duration = Duration::from_secs(10);

/// So often a review or a merge of a task may fail in a row before a person is asked.
const IN_PLACE_FAILURES_MAX: u32 = 3;

/// For so long a pool is paused where the provider does not say how long, in milliseconds: a person
/// has to log in, or to pay.
const PAUSE_MS: i64 = 15 * 60_000;

/// What the crew does after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It takes the next task.
    Next,
    /// It waits for a while: what failed would fail with the next task too.
    Pause,
}

/// A run that goes on.
pub(crate) struct Run {
    shared: Arc<Shared>,
    crew: Arc<Crew>,
    slot: usize,
    task: ClaimedTask,
    folder: RunFolder,
    record: Record,
    keeper: Keeper,
    lease: Lease,
    mailbox: tokio::sync::watch::Sender<Option<Mailbox>>,
    log: Log,
    sender: JoinHandle<()>,
    redactor: Redactor,
    started: Clock,
}

/// The end of a run.
pub(super) struct Concluded {
    /// What is handed in. None: the lease is lost.
    hand_in: Option<HandIn>,
    /// The work tree, if there is one.
    tree: Option<Tree>,
    /// What the notice says.
    kind: &'static str,
    text: String,
    /// Whether the work tree may go.
    is_success: bool,
    after: After,
}

/// Does what a crew does with a task.
pub(crate) async fn perform(
    shared: &Arc<Shared>,
    crew: &Arc<Crew>,
    slot: &Slot,
    task: ClaimedTask,
) -> After {
    let title = task.title.clone().unwrap_or_default();
    let kind = match crew.hand {
        Hand::Work => "claimed",
        Hand::Review => "reviewing",
        Hand::Merge => "merging",
    };
    shared.notices.about(&task, slot.number, kind, title);
    let mut run = match Run::begin(shared, crew, slot, task.clone()) {
        Ok(run) => run,
        Err(error) => {
            let message =
                format!("cannot keep the run in {}: {error}", shared.config.state.display());
            shared.notices.about(&task, slot.number, "failed", &*message);
            let token = token(&task.lease_token);
            let hand_in = HandIn::failed(&token, crate::reasons::SETUP_FAILED, &message);
            let _ = hand_in.deliver(&shared.config.client, &task.id, |_| {}).await;
            return After::Pause;
        }
    };
    let concluded = match crew.hand {
        Hand::Work => run.work().await,
        Hand::Review => run.review().await,
        Hand::Merge => run.merge().await,
    };
    run.conclude(concluded).await
}

/// The token of a claim. The server's is well-formed.
fn token(text: &str) -> Token {
    Token(LeaseToken::parse(text))
}

impl Run {
    fn begin(
        shared: &Arc<Shared>,
        crew: &Arc<Crew>,
        slot: &Slot,
        task: ClaimedTask,
    ) -> std::io::Result<Self> {
        let config = &shared.config;
        let token = token(&task.lease_token);
        let run = token.0.as_ref().map_or(0, |token| token.run);
        let mark = format!("{:032x}", u128::from_be_bytes(crate::random()));
        let folder =
            shared.records.create(&format!("{}-{run}-{}", Place::slug(&task.id), &mark[..8]))?;
        let record = Record {
            server: config.server.clone(),
            scope: config.scope.clone(),
            task_id: task.id.clone(),
            title: task.title.clone().unwrap_or_default(),
            run,
            hand: crew.hand,
            tool: crew.tool,
            agent: slot.agent.clone(),
            slot: slot.number,
            mark,
            repository: config.repository.clone(),
            tree: None,
            branch: None,
            session: None,
            started_at: clock::now(),
            token: token.clone(),
            end: None,
        };
        folder.write(&record)?;
        let lease = Lease {
            client: config.client.clone(),
            task_id: task.id.clone(),
            token: token.clone(),
            duration: config.limits.lease,
        };
        let (keeper, mailbox) = Keeper::start(lease.clone());
        let log = Log::default();
        let sender = {
            let (log, client, id) = (log.clone(), config.client.clone(), task.id.clone());
            tokio::spawn(async move { log.send(&client, &id, &token).await })
        };
        let of_run = [Some(task.lease_token.as_str()), task.run_key.as_deref()];
        let secrets = config.secrets.iter().map(String::as_str);
        let secrets = secrets.chain(of_run.into_iter().flatten());
        let redactor = Redactor::new(&std::env::vars_os().collect(), secrets);
        Ok(Self {
            shared: Arc::clone(shared),
            crew: Arc::clone(crew),
            slot: slot.number,
            task,
            folder,
            record,
            keeper,
            lease,
            mailbox,
            log,
            sender,
            redactor,
            started: Clock::now(),
        })
    }

    /// The branch that the task names to start from.
    fn base(&self) -> Option<&str> {
        Some(&*self.task.branch).filter(|branch| !branch.is_empty())
    }

    fn tell(&self, kind: &'static str, text: impl Into<String>) {
        self.shared.notices.about(&self.task, self.slot, kind, text);
    }

    /// Notes on disk what has become known. A full disk must not end the run: the note is for a
    /// restart only.
    fn note(&mut self, change: impl FnOnce(&mut Record)) {
        change(&mut self.record);
        if let Err(error) = self.folder.write(&self.record) {
            self.log
                .line(&format!("octopoid: cannot write {}: {error}", self.folder.path.display()));
        }
    }

    /// What the run has used.
    fn usage(&self, used: Usage) -> Usage {
        let seconds = i64::try_from(self.started.elapsed().as_secs()).ok();
        Usage { wall_seconds: seconds, ..used }
    }

    /// How often reviews or merges of the task have failed in a row, with this one.
    fn count_failure(&self) -> u32 {
        let failures = &self.shared.failures_in_place;
        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(self.task.id.clone()).or_default();
        *count += 1;
        *count
    }

    /// The end of a run that has failed. A review or a merge that fails leaves the task where it is,
    /// so after several failures a person is asked: otherwise it would be tried for ever.
    fn failed(
        &self,
        failure: &Failure,
        tree: Option<Tree>,
        usage: Option<Usage>,
        result: Option<RunResult>,
    ) -> Concluded {
        let is_counted = self.crew.hand != Hand::Work
            && !matches!(&*failure.reason, "drained" | "cancelled" | "blocked");
        if is_counted && self.count_failure() >= IN_PLACE_FAILURES_MAX {
            let what = if self.crew.hand == Hand::Review { "review" } else { "merge" };
            let text = format!(
                "The {what} has failed {IN_PLACE_FAILURES_MAX} times. Answer this question to have it \
                 tried again. {}: {}",
                failure.reason, failure.message
            );
            let asked = Failure::new(crate::reasons::NEEDS_INPUT, &text);
            return self.failed_as(&asked, tree, usage, result);
        }
        self.failed_as(failure, tree, usage, result)
    }

    fn failed_as(
        &self,
        failure: &Failure,
        tree: Option<Tree>,
        usage: Option<Usage>,
        result: Option<RunResult>,
    ) -> Concluded {
        let known = REASONS.iter().find(|known| known.name == failure.reason);
        let is_of_provider = known.is_some_and(|reason| reason.is_of_provider);
        let pool = self.shared.config.pool.clone().filter(|_| is_of_provider);
        let not_before = failure.not_before.or_else(|| {
            let is_paused = pool.is_some() && failure.reason != crate::reasons::PROVIDER_LIMIT;
            is_paused.then(|| clock::now().plus(PAUSE_MS))
        });
        let after = match known.map(|reason| reason.class) {
            Some(Class::Environment) => After::Pause,
            // A review that fails leaves the task where it is, for the next claim.
            _ if self.crew.hand != Hand::Work => After::Pause,
            _ => After::Next,
        };
        let body = Fail {
            lease_token: self.record.token.clone(),
            agent_name: Text(Some(self.record.agent.clone())),
            reason: Text(Some(failure.reason.clone())),
            message: Prose(Some(failure.message.clone())),
            retry: Text(failure.is_final.then(|| "never".to_owned())),
            not_before: Instant(not_before),
            pool: Text(pool),
            usage,
            result,
            orchestrator_id: Id(Some(self.shared.machine_id.clone())),
            ..Fail::default()
        };
        let first_line = failure.message.lines().next().unwrap_or_default();
        let is_question = known.is_some_and(|reason| reason.class == Class::Ask);
        Concluded {
            hand_in: Some(HandIn::Fail(Box::new(body))),
            tree,
            kind: if is_question { "asks" } else { "failed" },
            text: format!("{}: {first_line}", failure.reason),
            is_success: false,
            after,
        }
    }

    /// The end of a run that was stopped before its program ran.
    pub(super) fn stopped(&self, cause: &Cause, tree: Tree) -> Concluded {
        match judge::stopped(cause) {
            End::Fail(failure) => self.failed(&failure, Some(tree), None, None),
            End::Nothing | End::Submit => self.lost(Some(tree)),
        }
    }

    /// The end of a run whose lease is lost: nothing is handed in, and the work tree is kept.
    fn lost(&self, tree: Option<Tree>) -> Concluded {
        let why = match self.keeper.order() {
            Order::Lost(why) => why,
            _ => "another run has the task, or it was moved".to_owned(),
        };
        Concluded {
            hand_in: None,
            tree,
            kind: "lost",
            text: format!("{why}; the work tree is kept"),
            is_success: false,
            after: After::Next,
        }
    }

    /// Hands in the end of the run, and cleans up.
    async fn conclude(mut self, concluded: Concluded) -> After {
        let Concluded { hand_in, tree, kind, text, is_success, after } = concluded;
        let (kind, text, is_success) = match hand_in {
            None => (kind, text, is_success),
            Some(hand_in) => {
                self.note(|record| record.end = Some(hand_in.clone()));
                self.keeper.finish(&self.lease).await;
                match self.deliver(hand_in).await {
                    Some(Ok(())) => (kind, text, is_success),
                    Some(Err(error)) => {
                        ("lost", format!("not taken by the server: {error}"), false)
                    }
                    None => {
                        self.tell(
                            "kept",
                            "the server has not answered; the next start hands it in",
                        );
                        return after;
                    }
                }
            }
        };
        self.tell(kind, text);
        self.log.line(&format!("octopoid: {kind}"));
        self.log.finish();
        if is_success {
            let failures = &self.shared.failures_in_place;
            failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.task.id);
        }
        if let Some(tree) = tree {
            let path = tree.path.clone();
            let closed = tree.close(self.shared.config.keep, is_success).await;
            if matches!(closed, Closed::Kept { .. }) && kind == "failed" {
                self.tell("kept", format!("work tree {}", path.display()));
            }
        }
        if tokio::time::timeout(LOG_MAX, &mut self.sender).await.is_err() {
            self.sender.abort();
        }
        if self.crew.hand == Hand::Merge && is_success && self.shared.config.keep != Keep::All {
            // What cannot be deleted now is looked at again later.
            let _ = self.shared.place.release(clock::system_now(), &self.task.id).await;
        }
        if let Err(error) = self.folder.close() {
            self.tell("error", format!("cannot close {}: {error}", self.folder.path.display()));
        }
        after
    }

    /// None: the runner is stopped before the server has answered.
    async fn deliver(&self, hand_in: HandIn) -> Option<Result<(), ClientError>> {
        let mut is_told = false;
        let on_delay = |error: &ClientError| {
            if !std::mem::replace(&mut is_told, true) {
                let text = format!("{error}; the result is kept and sent again");
                self.tell(if is_of_key(error) { "refused" } else { "offline" }, text);
            }
        };
        let stopping = async {
            self.shared.at_least(Stage::Stopping).await;
            // A server that is there has answered by then.
            clock::pause(Duration::from_secs(5)).await;
        };
        tokio::select! {
            answer = hand_in.deliver(&self.shared.config.client, &self.task.id, on_delay) => {
                Some(answer.map(drop))
            }
            () = stopping => None,
        }
    }
}
