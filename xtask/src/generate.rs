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

/// What is generated: the file, and what `waxwing` is asked to print for it.
const GENERATED: [(&str, &str); 2] =
    [("openapi/openapi.json", "openapi"), ("docs/reference/authorisation.md", "authorisation")];

pub(crate) fn run(GenArgs { check }: GenArgs) -> Result<()> {
    build_programs()?;
    for (file, command) in GENERATED {
        let path = root().join(file);
        let text = output(Command::new(target_dir().join("debug/waxwing")).arg(command))?;
        if check {
            let committed =
                fs::read_to_string(&path).with_context(|| format!("{} is missing", path.display()))?;
            ensure!(committed == text, "{} is out of date: run `cargo xtask gen`", path.display());
            continue;
        }
        fs::create_dir_all(path.parent().context("a folder")?)?;
        fs::write(&path, text)?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}
