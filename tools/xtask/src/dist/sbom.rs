//! The list of what the program is made of, in the format `CycloneDX`: every crate that is compiled
//! into it, with version, licence and checksum, and the C library that is linked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use toml::Table;

use super::{Binary, Release};
use crate::process;

/// The crate that the list is about.
const PROGRAM: &str = "octopoid";

/// The list for a program.
pub(super) fn of(root: &Path, binary: &Binary, release: &Release) -> anyhow::Result<Value> {
    let mut cargo = process::cargo();
    cargo.args(["metadata", "--locked", "--format-version=1"]);
    cargo.args(["--filter-platform", binary.triple]);
    let metadata = serde_json::from_str(&process::read(&mut cargo)?)?;
    let sums = checksums(&fs::read_to_string(root.join("Cargo.lock"))?)?;
    let mut list = list(&metadata, &sums, release)?;
    if let Value::Array(components) = &mut list["components"] {
        components.push(c_library(binary));
    }
    Ok(list)
}

/// The checksum of each crate of a registry, by its name and version.
fn checksums(lock: &str) -> anyhow::Result<BTreeMap<(String, String), String>> {
    let lock: Table = lock.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let sum = |package: &toml::Value| {
        let text = |name| Some(package.get(name)?.as_str()?.to_owned());
        Some(((text("name")?, text("version")?), text("checksum")?))
    };
    Ok(packages.into_iter().flatten().filter_map(sum).collect())
}

fn list(
    metadata: &Value,
    sums: &BTreeMap<(String, String), String>,
    release: &Release,
) -> anyhow::Result<Value> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages: BTreeMap<_, _> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|package| (text(&package["id"]), package))
        .collect();
    let root = packages.iter().find(|(_, package)| package["name"] == PROGRAM);
    let (root, program) = root.context("cargo knows no package of the program")?;
    let edges = edges(metadata);
    let used = reached(root, &edges);
    let reference = |id: &String| reference(packages.get(id).copied().unwrap_or(&Value::Null));
    let components = used.iter().filter(|id| *id != root).filter_map(|id| packages.get(id));
    let dependencies = used.iter().map(|id| {
        let on: BTreeSet<_> = edges.get(id).into_iter().flatten().map(reference).collect();
        json!({ "ref": reference(id), "dependsOn": on })
    });
    let mut subject = component(program, sums);
    subject["type"] = json!("application");
    subject["version"] = json!(release.version);
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": timestamp(release.epoch)?,
            "component": subject,
        },
        "components": components.map(|package| component(package, sums)).collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    }))
}

/// Which crates each crate has compiled into it. What only tests and build scripts use is not.
fn edges(metadata: &Value) -> BTreeMap<String, Vec<String>> {
    let nodes = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    let is_compiled_in = |dependency: &&Value| {
        let kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
        kinds.clone().any(|kind| kind["kind"].is_null())
    };
    let ids = |node: &Value| {
        let all = node["deps"].as_array().into_iter().flatten().filter(is_compiled_in);
        all.filter_map(|dependency| Some(dependency["pkg"].as_str()?.to_owned())).collect()
    };
    nodes.filter_map(|node| Some((node["id"].as_str()?.to_owned(), ids(node)))).collect()
}

/// All that can be reached from a crate, itself included.
fn reached(root: &str, edges: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let (mut found, mut next) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(id) = next.pop() {
        if found.insert(id.clone()) {
            next.extend(edges.get(&id).into_iter().flatten().cloned());
        }
    }
    found
}

fn component(package: &Value, sums: &BTreeMap<(String, String), String>) -> Value {
    let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
    let (name, version) = (text("name"), text("version"));
    let reference = reference(package);
    let mut component = json!({
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": version,
        "purl": reference,
    });
    if let Some(licence) = package["license"].as_str() {
        // Old manifests separate alternatives with a slash.
        component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
    }
    if let Some(sum) = sums.get(&(name, version)) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

/// The address of a crate, by which the list refers to it.
fn reference(package: &Value) -> String {
    let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

/// The C library, which belongs to the compiler and not to the crates.
fn c_library(binary: &Binary) -> Value {
    let licence = if binary.library == "musl" { "MIT" } else { "LGPL-2.1-or-later" };
    let mut library = json!({
        "type": "library",
        "bom-ref": binary.library,
        "name": binary.library,
        "licenses": [{ "expression": licence }],
    });
    let asked = process::read(process::at_root("getconf").arg("GNU_LIBC_VERSION"));
    if let (true, Ok(version)) = (binary.library == "glibc" && binary.is_native(), asked) {
        library["version"] = json!(version.trim().trim_start_matches("glibc "));
    }
    library
}

/// An instant in the form of ISO 8601.
fn timestamp(epoch: u64) -> anyhow::Result<String> {
    let mut date = process::at_root("date");
    date.args(["--utc", &format!("--date=@{epoch}"), "+%Y-%m-%dT%H:%M:%SZ"]);
    Ok(process::read(&mut date)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Value {
        let mut cargo = process::cargo();
        cargo.args(["metadata", "--locked", "--offline", "--format-version=1"]);
        let metadata = serde_json::from_str(&process::read(&mut cargo).unwrap()).unwrap();
        let lock = fs::read_to_string(crate::paths::root().join("Cargo.lock")).unwrap();
        let release = Release { version: "9.9.9".into(), notes: String::new(), epoch: 1 };
        list(&metadata, &checksums(&lock).unwrap(), &release).unwrap()
    }

    #[test]
    fn the_list_has_what_the_format_requires() {
        let list = made();
        assert_eq!(
            (&list["bomFormat"], &list["specVersion"]),
            (&json!("CycloneDX"), &json!("1.5"))
        );
        assert_eq!(list["metadata"]["timestamp"], "1970-01-01T00:00:01Z");
        assert_eq!(list["metadata"]["component"]["version"], "9.9.9");
        let components = list["components"].as_array().unwrap();
        let mut references =
            BTreeSet::from([&list["metadata"]["component"]["bom-ref"]].map(Value::to_string));
        for component in components {
            assert_eq!(component["type"], "library");
            assert!(component["licenses"][0]["expression"].is_string(), "{component}");
            let name = component["name"].as_str().unwrap();
            let is_ours = name.starts_with("octopoid-");
            assert_eq!(component["hashes"][0]["content"].is_string(), !is_ours, "{component}");
            assert!(references.insert(component["bom-ref"].to_string()), "{name} is there twice");
        }
        for dependency in list["dependencies"].as_array().unwrap() {
            let on = dependency["dependsOn"].as_array().unwrap();
            for reference in on.iter().chain([&dependency["ref"]]) {
                assert!(references.contains(&reference.to_string()), "{reference}");
            }
        }
    }

    #[test]
    fn the_list_has_what_is_compiled_in_and_nothing_else() {
        let list = made();
        let has = |name: &str| {
            list["components"].as_array().unwrap().iter().any(|component| component["name"] == name)
        };
        for name in ["octopoid-store", "libsqlite3-sys", "rustls", "tokio"] {
            assert!(has(name), "{name}");
        }
        for name in ["proptest", "xtask", "octopoid-testbed", "octopoid-edge", "cc"] {
            assert!(!has(name), "{name}");
        }
    }
}
