//! Each version and lint setting is written once, in the root manifest.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use toml::{Table, Value};

use super::{Finding, below};
use crate::workspace::Member;

/// The tables of a manifest that list dependencies.
const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Reads a member's manifest and checks it.
pub(super) fn check(root: &Path, member: &Member) -> anyhow::Result<Vec<Finding>> {
    let path = below(root, &member.manifest);
    let text = fs::read_to_string(&member.manifest)
        .with_context(|| format!("reading {}", path.display()))?;
    judge(path, &text).with_context(|| format!("reading {}", path.display()))
}

fn judge(path: &Path, text: &str) -> Result<Vec<Finding>, toml::de::Error> {
    let manifest: Table = text.parse()?;
    let mut findings = dependencies(path, &manifest);
    let targets = manifest.get("target").and_then(Value::as_table);
    for target in targets.into_iter().flat_map(Table::values).filter_map(Value::as_table) {
        findings.extend(dependencies(path, target));
    }
    if !inherits(manifest.get("lints")) {
        findings.push(Finding::file(path, "the lints must be inherited: `workspace = true`"));
    }
    Ok(findings)
}

fn dependencies(path: &Path, table: &Table) -> Vec<Finding> {
    let lists = KINDS.iter().filter_map(|kind| table.get(*kind)?.as_table());
    let own_version = lists.flatten().filter(|(_, needed)| !inherits(Some(needed)));
    let what = |name: &str| {
        format!("`{name}` must say `workspace = true`; its version belongs in the root manifest")
    };
    own_version.map(|(name, _)| Finding::file(path, what(name))).collect()
}

fn inherits(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn found(text: &str) -> Vec<String> {
        let findings = judge(Path::new("Cargo.toml"), text).unwrap();
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_manifest_that_inherits_everything_is_in_order() {
        let list = "[dependencies]\nserde.workspace = true\n[dev-dependencies]\n\
                    tokio = { workspace = true, features = [\n  \"rt\",\n] }\n";
        assert!(found(&format!("{list}{LINTS}")).is_empty());
    }

    #[test]
    fn a_version_in_a_member_is_found() {
        assert_eq!(
            found(&format!("[dependencies]\nserde = \"1\"\n{LINTS}")),
            ["Cargo.toml: `serde` must say `workspace = true`; \
              its version belongs in the root manifest"],
        );
        assert_eq!(found(&format!("[dev-dependencies.serde]\nversion = \"1\"\n{LINTS}")).len(), 1);
        assert_eq!(
            found(&format!("[target.'cfg(unix)'.dependencies]\na = \"1\"\n{LINTS}")).len(),
            1
        );
    }

    #[test]
    fn lints_of_its_own_are_found() {
        assert_eq!(found("[lints.rust]\nunsafe_code = \"allow\"\n").len(), 1);
        assert_eq!(found("").len(), 1);
    }
}
