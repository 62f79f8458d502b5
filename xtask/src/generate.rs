//! `cargo xtask gen`

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};

use crate::shell::{build_programs, output, root, target_dir};

/// What `gen` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct GenArgs {
    /// Write nothing, and fail where a committed file differs.
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(GenArgs { check }: GenArgs) -> Result<()> {
    let path = root().join("openapi/openapi.json");
    build_programs()?;
    let document = output(Command::new(target_dir().join("debug/waxwing")).arg("openapi"))?;
    if check {
        let committed =
            fs::read_to_string(&path).with_context(|| format!("{} is missing", path.display()))?;
        ensure!(committed == document, "{} is out of date: run `cargo xtask gen`", path.display());
        return Ok(());
    }
    fs::create_dir_all(root().join("openapi"))?;
    fs::write(&path, document)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
