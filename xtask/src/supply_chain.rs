//! `cargo xtask test supply-chain`: licences, sources, bans and advisories of what Waxwing is built from.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::shell::{cargo, root, step, target_dir};

/// The tools with their versions. Compiling them takes minutes once, so this part is none of the everyday run.
const TOOLS: [(&str, &str); 2] = [("cargo-deny", "0.20.2"), ("cargo-audit", "0.22.2")];

/// `advisories` is a copy of RustSec's database; it is fetched when there is none.
pub(crate) fn run(advisories: Option<&Path>) -> Result<()> {
    let folder = target_dir().join("tools");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let folder = folder.canonicalize()?;
    let [deny, audit] = [installed(&folder, TOOLS[0])?, installed(&folder, TOOLS[1])?];
    let mut check = Command::new(deny);
    check.args(["--all-features", "check", "bans", "licenses", "sources"]).current_dir(root());
    step("licences, sources and bans", &mut check)?;
    let mut check = Command::new(audit);
    check.args(["audit", "--deny", "warnings"]).current_dir(root());
    if let Some(advisories) = advisories {
        let folder = advisories.canonicalize().with_context(|| advisories.display().to_string())?;
        check.arg("--db").arg(folder).arg("--no-fetch");
    }
    step("advisories", &mut check)
}

/// Where the tool is; it is compiled where this version is not there yet.
fn installed(folder: &Path, (name, version): (&str, &str)) -> Result<PathBuf> {
    let mut install = cargo(&["install", "--locked", "--no-default-features", "--version", version, name]);
    install.arg("--root").arg(folder).arg("--target-dir").arg(folder.join("build"));
    step(&format!("{name} {version}"), &mut install)?;
    Ok(folder.join("bin").join(name))
}
