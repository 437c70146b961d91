//! The steps of the state machine.

/// What can be done to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An agent takes it.
    Claim,
    /// Its agent hands in the work.
    Submit,
    /// A reviewer accepts the work.
    Accept,
    /// A reviewer rejects the work.
    Reject,
    /// Someone puts it back without a verdict.
    Requeue,
    /// The reaper takes it from an agent that has gone silent.
    Release,
    /// An operator moves it.
    ForceQueue,
    /// A client changes fields, the queue perhaps among them.
    Update,
}

impl Step {
    /// The word in the wire's 409 texts.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Submit => "submit",
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Requeue => "requeue",
            Self::Release => "release",
            Self::ForceQueue => "force-queue",
            Self::Update => "update",
        }
    }
}
