//! Random programs: what clients, operators and the reaper might do, in any order.

mod random;

use crate::world::SCOPE;

pub use random::program;

/// The scopes tasks live in; most of them in the first.
pub(crate) const SCOPES: [&str; 2] = [SCOPE, "other"];
/// Few ids, so that steps meet; the last is never a task, only a marker.
pub(crate) const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "awaiting-approval"];
/// Stands for the task that was claimed last.
const LAST: &str = "last";

/// The lease token in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// None.
    Nothing,
    /// That of the task's last run.
    Newest,
    /// That of the run before.
    Earlier,
    /// That of the last run of another task.
    Of(&'static str),
    /// Text that is no token.
    Malformed,
}

/// What a request says of its sender. `age` is how many versions behind the sender's view of the
/// task is.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Caller {
    pub token: Token,
    pub agent: Option<&'static str>,
    pub age: Option<i64>,
}

/// The judgement a reviewer may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Verdict {
    Accept,
    Reject,
    Requeue,
}

/// A step of a program.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Step {
    Create(Create),
    Claim(Claim),
    Submit { id: &'static str, caller: Caller, commits: i64, turns: i64 },
    Fail(Fail),
    Renew { id: &'static str, token: Token, lease_ms: i64 },
    Judge { id: &'static str, caller: Caller, verdict: Verdict, queue: Option<&'static str> },
    Patch(Patch),
    Force { id: &'static str, queue: &'static str },
    Cancel { id: &'static str, age: Option<i64> },
    Retry { id: &'static str, age: Option<i64> },
    Answer { id: &'static str },
    Delete { id: &'static str },
    Tick { ms: i64 },
    Reap { grace_ms: i64 },
    EndDelays,
}

impl Step {
    /// The same step about this task, if it is about the one that was claimed last.
    pub(crate) fn about(&self, last: &'static str) -> Self {
        let mut step = self.clone();
        let id = match &mut step {
            Self::Submit { id, .. }
            | Self::Renew { id, .. }
            | Self::Judge { id, .. }
            | Self::Force { id, .. }
            | Self::Cancel { id, .. }
            | Self::Retry { id, .. }
            | Self::Answer { id }
            | Self::Delete { id } => id,
            Self::Fail(fail) => &mut fail.id,
            Self::Patch(patch) => &mut patch.id,
            Self::Create(_)
            | Self::Claim(_)
            | Self::Tick { .. }
            | Self::Reap { .. }
            | Self::EndDelays => return step,
        };
        if *id == LAST {
            *id = last;
        }
        step
    }
}

/// A creation.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Create {
    pub id: &'static str,
    pub scope: &'static str,
    pub queue: &'static str,
    pub blocked_by: Vec<&'static str>,
    pub role: Option<&'static str>,
    pub kind: Option<&'static str>,
    pub priority: &'static str,
    pub is_strict: bool,
    pub max_attempts: Option<i64>,
    pub delay_ms: Option<i64>,
}

/// A claim.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Claim {
    pub scope: &'static str,
    pub agent: &'static str,
    pub queue: Option<&'static str>,
    pub roles: Vec<&'static str>,
    pub kinds: Vec<&'static str>,
    pub lease_ms: i64,
    pub in_place: bool,
}

/// The report of a failure.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Fail {
    pub id: &'static str,
    pub caller: Caller,
    pub reason: &'static str,
    pub is_final: bool,
    pub delay_ms: Option<i64>,
}

/// A partial update; the inner option is a `null`.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Patch {
    pub id: &'static str,
    pub queue: Option<&'static str>,
    pub claimed_by: Option<Option<&'static str>>,
    pub lease_ms: Option<Option<i64>>,
    pub blocked_by: Option<Vec<&'static str>>,
    pub priority: Option<Option<&'static str>>,
    pub role: Option<Option<&'static str>>,
    pub needs_intervention: Option<bool>,
    pub delay_ms: Option<Option<i64>>,
    pub age: Option<i64>,
}

impl Patch {
    /// Whether it mentions no field that can be changed.
    pub fn is_empty(&self) -> bool {
        self.queue.is_none()
            && self.claimed_by.is_none()
            && self.lease_ms.is_none()
            && self.blocked_by.is_none()
            && self.priority.is_none()
            && self.role.is_none()
            && self.needs_intervention.is_none()
            && self.delay_ms.is_none()
    }
}
