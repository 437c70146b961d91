//! The steps of the state machine.

/// What can be done to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An agent takes it.
    Claim,
    /// Its agent hands in the work.
    Submit,
    /// Its agent could not do it.
    Fail,
    /// Its agent renews the lease.
    Renew,
    /// A reviewer accepts the work.
    Accept,
    /// A reviewer rejects the work.
    Reject,
    /// Someone puts it back without a verdict.
    Requeue,
    /// The reaper takes it from an agent that has gone silent.
    Release,
    /// A person does not want it any more.
    Cancel,
    /// A person wants it after all.
    Retry,
    /// An operator moves it.
    ForceQueue,
    /// A client changes fields, the queue perhaps among them.
    Update,
}

impl Step {
    /// The word in the wire's 409 texts, and in the rows of the runs that it ends.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Submit => "submit",
            Self::Fail => "fail",
            Self::Renew => "renew",
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Requeue => "requeue",
            Self::Release => "release",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::ForceQueue => "force-queue",
            Self::Update => "update",
        }
    }
}
