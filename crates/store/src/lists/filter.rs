//! Which tasks a list has.

use std::fmt::{self, Debug};

use octopoid_domain::Millis;

/// Which tasks to list. Empty lists do not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The tenant.
    pub scope: String,
    /// In one of these queues.
    pub queues: Vec<String>,
    /// With one of these priorities.
    pub priorities: Vec<String>,
    /// For one of these roles.
    pub roles: Vec<String>,
    /// Held by this agent.
    pub claimed_by: Option<String>,
    /// In this project.
    pub project_id: Option<String>,
    /// Waiting for this task. `awaiting-input` stands for an answer.
    pub blocked_by: Option<String>,
    /// Flagged for the fixer, or not.
    pub needs_intervention: Option<bool>,
    /// With this text in the title or at the start of the id. ASCII letters match in either case.
    pub search: Option<String>,
    /// Whether a claim would get them.
    pub claimable: Option<Claimable>,
    /// The most urgent first, instead of the newest.
    pub by_priority: bool,
}

/// Only the tasks that a claim would get at an instant, or only the others.
#[derive(Clone, Copy)]
pub struct Claimable {
    /// Whether those that a claim would get are listed.
    pub is_wanted: bool,
    /// When.
    pub now: Millis,
}

/// The instant is no part of the list: its next page is asked for later.
impl Debug for Claimable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.is_wanted.fmt(formatter)
    }
}
