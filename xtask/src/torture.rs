//! `cargo xtask torture`

use std::process::Command;

use anyhow::Result;

use crate::{
    emulators::Emulators,
    shell::{build_programs, root, step, target_dir},
};

/// What `torture` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct TortureArgs {
    /// `--seed N`, `--minutes M`, `--sessions S`, `--on standalone|aws`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(TortureArgs { rest }: TortureArgs) -> Result<()> {
    build_programs()?;
    let mut torture = Command::new(target_dir().join("debug/waxwing-tests-torture"));
    torture.args(&rest).current_dir(root());
    if rest.iter().any(|argument| argument == "aws" || argument == "--on=aws") {
        Emulators::install()?.tell(&mut torture);
    }
    step("torture", &mut torture)
}
