//! `cargo xtask gen`

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};

use crate::shell::{build_programs, output, root, target_dir};

/// What `waxwing` prints, and where it is committed.
const FILES: &[(&str, &str)] = &[("openapi", "openapi/openapi.json"), ("limits", "docs/reference/limits.md")];

/// What `gen` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct GenArgs {
    /// Write nothing, and fail where a committed file differs.
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(GenArgs { check }: GenArgs) -> Result<()> {
    build_programs()?;
    FILES.iter().try_for_each(|(command, file)| generate(command, file, check))
}

fn generate(command: &str, file: &str, check: bool) -> Result<()> {
    let path = root().join(file);
    let document = output(Command::new(target_dir().join("debug/waxwing")).arg(command))?;
    if check {
        let committed =
            fs::read_to_string(&path).with_context(|| format!("{} is missing", path.display()))?;
        ensure!(committed == document, "{} is out of date: run `cargo xtask gen`", path.display());
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, document)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
