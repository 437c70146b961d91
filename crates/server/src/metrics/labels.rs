//! Label sets. Each is a struct, so that a family has the same labels everywhere.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
};

/// No labels. A family of them has no value until it is set.
pub(super) type NoLabels = Vec<(&'static str, &'static str)>;

/// A gauge without labels that may have no value.
pub(super) type Optional = Family<NoLabels, Gauge<f64, AtomicU64>>;

/// The value of a label for everything that has no value of its own, so that values are bounded.
pub(super) const OTHER: &str = "other";

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Queue {
    pub(super) queue: String,
}

/// The queue that a task leaves and the one that it enters. A task that is created leaves none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Transition {
    pub(super) from: String,
    pub(super) to: String,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub(super) outcome: &'static str,
}

/// Why a run failed, and what the reason is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) blame: &'static str,
}

/// A kind of something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Kind {
    pub(super) kind: &'static str,
}

/// A status, or a state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Status {
    pub(super) status: &'static str,
}

/// What a batch does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Operation {
    pub(super) op: &'static str,
}

/// A route, as it stands in the OpenAPI document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) route: String,
}

/// An answered request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Answered {
    pub(super) method: &'static str,
    pub(super) route: String,
    pub(super) status: u32,
}
