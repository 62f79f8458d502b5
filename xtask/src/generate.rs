//! `cargo xtask gen`

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{
    sbom,
    shell::{build_programs, output, root, target_dir},
};

/// What `waxwing` prints, and where it is committed.
const PRINTED: [(&str, &str); 3] = [
    ("openapi", "openapi/openapi.json"),
    ("authorisation", "docs/reference/authorisation.md"),
    ("limits", "docs/reference/limits.md"),
];

/// What `gen` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct GenArgs {
    /// Write nothing, and fail where a committed file differs.
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(GenArgs { check }: GenArgs) -> Result<()> {
    build_programs()?;
    for (command, file) in PRINTED {
        let text = output(Command::new(target_dir().join("debug/waxwing")).arg(command))?;
        settle(file, &text, check)?;
    }
    settle("sbom.cdx.json", &format!("{:#}\n", sbom::document()?), check)
}

fn settle(file: &str, text: &str, check: bool) -> Result<()> {
    let path = root().join(file);
    if check {
        let committed =
            fs::read_to_string(&path).with_context(|| format!("{} is missing", path.display()))?;
        ensure!(committed == text, "{} is out of date: run `cargo xtask gen`", path.display());
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, text)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
