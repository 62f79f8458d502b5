//! The bill of materials: which packages are in the programs, as CycloneDX 1.5 (ECMA-424) lists them.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::shell::{cargo, output};

/// What the programs are made of, tests and build tools left out.
pub(crate) fn document() -> Result<Value> {
    let metadata = output(&mut cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--offline",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
    ]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let nodes = list(&metadata["resolve"], "nodes");
    // From our own packages along what they are run with.
    let mut waiting: Vec<Value> = list(&metadata, "workspace_members");
    let mut inside = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        let id = id.as_str().context("an id")?.to_owned();
        let Some(node) = nodes.iter().find(|node| node["id"] == id.as_str()) else { continue };
        if inside.insert(id) {
            let is_run = |dependency: &&Value| {
                list(dependency, "dep_kinds").iter().any(|kind| kind["kind"] == Value::Null)
            };
            let dependencies = list(node, "deps");
            waiting.extend(dependencies.iter().filter(is_run).map(|dependency| dependency["pkg"].clone()));
        }
    }
    let packages = list(&metadata, "packages");
    let of_others = packages.iter().filter(|package| {
        package["source"] != Value::Null && package["id"].as_str().is_some_and(|id| inside.contains(id))
    });
    let mut components: Vec<Value> = of_others.map(component).collect();
    components.sort_by_key(|component| component["purl"].to_string());
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": { "type": "application", "name": "waxwing" } },
        "components": components,
    }))
}

fn component(package: &Value) -> Value {
    let (name, version) = (&package["name"], &package["version"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut component = json!({
        "type": "library",
        "name": name,
        "version": version,
        "purl": format!("pkg:cargo/{}@{}", text(name), text(version)),
    });
    if let Some(license) = package["license"].as_str() {
        // Some still separate licences by a slash, which means OR.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    component
}
