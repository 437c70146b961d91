//! The configuration.

use super::{Finding, Subject};

const NAME: &str = "configuration";

/// Checks what `check-config` checks.
pub(super) fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let report = subject.configuration.report();
    let remedy = "octopoid check-config prints all settings with their origins";
    let mut findings: Vec<_> =
        report.warnings.into_iter().map(|text| Finding::warning(NAME, text, remedy)).collect();
    match report.error {
        Some(error) => findings.push(Finding::problem(NAME, crate::error_text(&error), remedy)),
        None if findings.is_empty() => findings.push(Finding::ok(NAME, "is valid")),
        None => {}
    }
    findings
}
