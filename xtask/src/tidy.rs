//! `cargo xtask tidy`: rules that live in a test rather than in a text.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::shell::{cargo, output, root};

/// Which of our rooms each room may depend on. Everything else is wrong.
const EDGES: &[(&str, &[&str])] = &[
    ("waxwing-domain", &[]),
    ("waxwing-app", &["waxwing-domain", "waxwing-media"]),
    ("waxwing-api", &["waxwing-app", "waxwing-domain", "waxwing-media"]),
    ("waxwing-embedded", &["waxwing-app", "waxwing-domain"]),
    ("waxwing-aws", &["waxwing-app", "waxwing-domain", "waxwing-signed-http"]),
    ("waxwing-conformance", &["waxwing-app", "waxwing-domain"]),
    ("waxwing-whatsapp", &["waxwing-app", "waxwing-domain"]),
    (
        "waxwing-host",
        &["waxwing-app", "waxwing-domain", "waxwing-media", "waxwing-signed-http", "waxwing-whatsapp"],
    ),
    ("waxwing-runtime", &["waxwing-app", "waxwing-domain", "waxwing-signed-http"]),
    ("waxwing-media", &["waxwing-domain"]),
    ("waxwing-signed-http", &[]),
    ("waxwing-sandbox", &["waxwing-domain", "waxwing-signed-http"]),
    ("waxwing-admin", &["waxwing-app", "waxwing-aws", "waxwing-domain", "waxwing-runtime"]),
    (
        "waxwing-functions",
        &["waxwing-api", "waxwing-app", "waxwing-aws", "waxwing-domain", "waxwing-runtime"],
    ),
    (
        "waxwing-session-host",
        &[
            "waxwing-app",
            "waxwing-aws",
            "waxwing-domain",
            "waxwing-host",
            "waxwing-runtime",
            "waxwing-signed-http",
            "waxwing-whatsapp",
        ],
    ),
    (
        "waxwing-server",
        &[
            "waxwing-api",
            "waxwing-app",
            "waxwing-domain",
            "waxwing-embedded",
            "waxwing-host",
            "waxwing-runtime",
            "waxwing-sandbox",
            "waxwing-signed-http",
            "waxwing-whatsapp",
        ],
    ),
    ("waxwing-tests-api", &[]),
    ("waxwing-tests-bench", &["waxwing-tests-api", "waxwing-tests-deployed"]),
    ("waxwing-tests-deployed", &["waxwing-tests-api"]),
    ("waxwing-tests-torture", &["waxwing-tests-api", "waxwing-tests-deployed"]),
    ("xtask", &[]),
];

/// Who may name a foreign crate, by the beginning of its name.
const NAMED_BY: &[(&str, &[&str])] = &[
    ("aws", &["waxwing-aws"]),
    ("lambda", &["waxwing-functions"]),
    ("whatsapp-rust", &["waxwing-whatsapp"]),
    ("wacore", &["waxwing-whatsapp", "waxwing-sandbox"]),
    ("waproto", &["waxwing-whatsapp", "waxwing-sandbox"]),
    (
        "axum",
        &[
            "waxwing-api",
            "waxwing-sandbox",
            "waxwing-server",
            "waxwing-session-host",
            "waxwing-signed-http",
            "waxwing-tests-api",
            "waxwing-tests-deployed",
        ],
    ),
    ("rusqlite", &["waxwing-embedded", "waxwing-sandbox"]),
];

const FILE_LINES_MAX: usize = 500;
const MAIN_LINES_MAX: usize = 60;

pub(crate) fn run() -> Result<()> {
    let mut faults = Vec::new();
    edges(&mut faults)?;
    for folder in ["admin", "crates", "functions", "server", "session-host", "tests", "xtask"] {
        files(&root().join(folder), &mut faults)?;
    }
    match faults.is_empty() {
        true => Ok(()),
        false => bail!("tidy found {} faults:\n  {}", faults.len(), faults.join("\n  ")),
    }
}

fn edges(faults: &mut Vec<String>) -> Result<()> {
    let metadata = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = text(package, "name");
        let Some((_, allowed)) = EDGES.iter().find(|(room, _)| *room == name) else {
            faults.push(format!("{name} has no line in the table of edges (xtask/src/tidy.rs)"));
            continue;
        };
        let all = package["dependencies"].as_array().into_iter().flatten();
        // What tests use does not shape the product.
        let normal: BTreeSet<String> = all
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| text(dependency, "name"))
            .collect();
        for dependency in normal {
            if dependency.starts_with("waxwing-") && !allowed.contains(&dependency.as_str()) {
                faults.push(format!("{name} must not depend on {dependency}"));
            }
            for (prefix, may) in NAMED_BY {
                if dependency.starts_with(prefix) && !may.contains(&name.as_str()) {
                    faults.push(format!("{name} must not name {dependency}"));
                }
            }
        }
    }
    Ok(())
}

fn files(folder: &Path, faults: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "node_modules" {
                files(&path, faults)?;
            }
            continue;
        }
        if !name.ends_with(".rs") {
            continue;
        }
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let content = fs::read_to_string(&path)?;
        let lines = content.lines().count();
        if lines > FILE_LINES_MAX && !content.contains("// Long because ") {
            faults.push(format!(
                "{shown} has {lines} lines; split it, or say why with a line `// Long because …`"
            ));
        }
        if name == "main.rs" && lines > MAIN_LINES_MAX && !shown.contains("tests/") {
            faults.push(format!("{shown} has {lines} lines; a main has {MAIN_LINES_MAX} at most"));
        }
        for marker in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")] {
            if content.lines().any(|line| line.contains("//") && line.contains(marker)) {
                faults.push(format!("{shown} has a {marker}"));
            }
        }
    }
    Ok(())
}
