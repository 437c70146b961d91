//! Who may import whom.

use std::path::Path;

use super::{Finding, below};
use crate::workspace::{Dependency, Member, Workspace};

/// Each crate and the crates of this workspace that it may name. The words come first, then the
/// operations, then the hosts: an arrow the other way would let a handler know its backend, or the
/// rules their storage.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("octopoid-domain", &[]),
    ("octopoid-store", &["octopoid-domain"]),
    ("octopoid-store-sqlite", &["octopoid-store"]),
    ("octopoid-store-postgres", &["octopoid-store"]),
    ("octopoid-store-d1", &["octopoid-store"]),
    ("octopoid-testbed", &["octopoid-store", "octopoid-store-postgres", "octopoid-store-sqlite"]),
    ("octopoid-store-testkit", &["octopoid-domain", "octopoid-store"]),
    ("octopoid-board", &[]),
    ("octopoid-mcp", &["octopoid-domain"]),
    ("octopoid-api", &["octopoid-board", "octopoid-domain", "octopoid-mcp", "octopoid-store"]),
    ("octopoid-client", &["octopoid-domain"]),
    ("octopoid-runner", &["octopoid-client", "octopoid-domain"]),
    (
        "octopoid",
        &[
            "octopoid-client",
            "octopoid-domain",
            "octopoid-mcp",
            "octopoid-runner",
            "octopoid-server",
        ],
    ),
    (
        "octopoid-load",
        &[
            "octopoid-client",
            "octopoid-domain",
            "octopoid-store",
            "octopoid-store-postgres",
            "octopoid-store-sqlite",
            "octopoid-testbed",
        ],
    ),
    ("octopoid-edge", &["octopoid-api", "octopoid-domain", "octopoid-store", "octopoid-store-d1"]),
    (
        "octopoid-edge-conformance",
        &[
            "octopoid-api",
            "octopoid-domain",
            "octopoid-store",
            "octopoid-store-d1",
            "octopoid-store-testkit",
        ],
    ),
    (
        "octopoid-server",
        &[
            "octopoid-api",
            "octopoid-client",
            "octopoid-domain",
            "octopoid-store",
            "octopoid-store-postgres",
            "octopoid-store-sqlite",
        ],
    ),
];

/// Ships nowhere; it builds, checks and measures the others.
const FREE: &str = "xtask";

/// Compares each crate's dependencies with the table.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let own: Vec<&str> = workspace.members.iter().map(|member| member.name.as_str()).collect();
    let members = workspace.members.iter().filter(|member| member.name != FREE);
    members
        .flat_map(|member| judge(&own, below(&workspace.root, &member.manifest), member))
        .collect()
}

fn judge(own: &[&str], manifest: &Path, member: &Member) -> Vec<Finding> {
    let name = member.name.as_str();
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(known, _)| *known == name) else {
        let what =
            format!("`{name}` is new: say in tools/xtask/src/tidy/imports.rs what it may import");
        return vec![Finding::file(manifest, what)];
    };
    // Tests may bring what they like: an API is tested with an engine under it.
    let is_forbidden = |needed: &&Dependency| {
        let needed_name = needed.name.as_str();
        !needed.is_dev && own.contains(&needed_name) && !allowed.contains(&needed_name)
    };
    let forbidden = member.dependencies.iter().filter(is_forbidden);
    let what = |needed: &Dependency| format!("`{name}` must not depend on `{}`", needed.name);
    forbidden.map(|needed| Finding::file(manifest, what(needed))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[&str] =
        &["octopoid-api", "octopoid-domain", "octopoid-store-sqlite", "octopoid-store-testkit"];

    fn found(name: &str, needed: &str, is_dev: bool) -> Vec<String> {
        let member = Member {
            name: name.to_owned(),
            manifest: "/w/Cargo.toml".into(),
            dependencies: vec![Dependency { name: needed.to_owned(), is_dev }],
        };
        let findings = judge(OWN, Path::new("Cargo.toml"), &member);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_api_must_not_name_a_backend() {
        assert_eq!(
            found("octopoid-api", "octopoid-store-sqlite", false),
            ["Cargo.toml: `octopoid-api` must not depend on `octopoid-store-sqlite`"],
        );
        assert!(found("octopoid-api", "octopoid-domain", false).is_empty());
    }

    #[test]
    fn the_domain_imports_nothing_of_ours_and_anything_of_others() {
        assert_eq!(found("octopoid-domain", "octopoid-api", false).len(), 1);
        assert!(found("octopoid-domain", "serde", false).is_empty());
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        assert_eq!(found("octopoid-server", "octopoid-store-testkit", false).len(), 1);
        assert!(found("octopoid-server", "octopoid-store-testkit", true).is_empty());
    }

    #[test]
    fn a_new_crate_must_be_entered_in_the_table() {
        assert_eq!(found("octopoid-other", "serde", false).len(), 1);
    }
}
