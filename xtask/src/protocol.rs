//! `cargo xtask test protocol`: independent clients, from npm, against the sandbox.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use crate::shell::{output, root, step, target_dir};

/// The first that ends a test run although a library still holds a timer (`--test-force-exit`).
const NODE_LEAST: (u32, u32) = (20, 14);
const INSTALL: &str = "install it with `apt-get install nodejs npm openssl`";

/// Runs the suite with the `waxwing` that was built before.
pub(crate) fn run() -> Result<()> {
    let suite = root().join("tests/protocol/baileys");
    node_is_new_enough()?;
    // Makes the certificate of the media host, which the clients reach by https only.
    output(Command::new("openssl").arg("version"))
        .with_context(|| format!("the protocol tests need openssl; {INSTALL}"))?;
    install(&suite)?;
    let mut node = Command::new("node");
    node.args(["--test", "--test-force-exit", "--test-concurrency=2", "--test-reporter=spec"]);
    step("independent clients", node.current_dir(&suite).env("WAXWING_BIN", program()?))
}

fn program() -> Result<std::path::PathBuf> {
    let program = target_dir().join("debug/waxwing");
    program.canonicalize().with_context(|| format!("{} is not built", program.display()))
}

fn node_is_new_enough() -> Result<()> {
    let version = output(Command::new("node").arg("--version"))
        .with_context(|| format!("the protocol tests need Node {}; {INSTALL}", NODE_LEAST.0))?;
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(|number| number.parse::<u32>());
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        anyhow::bail!("node says {version:?} for its version");
    };
    let (least_major, least_minor) = NODE_LEAST;
    ensure!(
        (major, minor) >= NODE_LEAST,
        "the protocol tests need Node {least_major}.{least_minor} or later, this is {}; {INSTALL}",
        version.trim()
    );
    Ok(())
}

/// `npm ci`, when the lockfile is not that of the last time.
fn install(suite: &Path) -> Result<()> {
    let (lockfile, installed) = (suite.join("package-lock.json"), suite.join("node_modules/installed.json"));
    let wanted = fs::read(&lockfile).with_context(|| format!("{} is missing", lockfile.display()))?;
    // Written last: what stopped half way is begun anew.
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    output(Command::new("npm").arg("--version"))
        .with_context(|| format!("the protocol tests need npm; {INSTALL}"))?;
    let mut npm = Command::new("npm");
    // The clients need none of their install scripts.
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(suite);
    step("install the independent clients", &mut npm)?;
    fs::write(&installed, wanted)?;
    Ok(())
}
