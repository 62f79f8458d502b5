//! `cargo xtask up`

use std::os::unix::process::CommandExt;

use anyhow::Result;

use crate::{
    emulators::Emulators,
    shell::{cargo, step, target_dir},
};

/// What `up` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Make and run the live build, which talks to WhatsApp itself. It has a target folder of its own.
    #[arg(long)]
    live: bool,
    /// Deploy template.yaml on an emulator of AWS on this machine, and run all of it there. Flags go to
    /// infra/local/stack.py; needs Python.
    #[arg(long, conflicts_with = "live")]
    aws: bool,
    /// Flags of `waxwing up`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<String>,
}

pub(crate) fn run(UpArgs { live, aws, flags }: UpArgs) -> Result<()> {
    if aws {
        return run_on_emulator(&flags);
    }
    let target = match live {
        true => target_dir().join("live"),
        false => target_dir(),
    };
    let mut build = cargo(&["build", "--package", "waxwing-server"]);
    build.env("CARGO_TARGET_DIR", &target);
    if live {
        build.arg("--no-default-features");
    }
    step("build waxwing (the first build takes some minutes, later ones seconds)", &mut build)?;
    let mut waxwing = std::process::Command::new(target.join("debug/waxwing"));
    waxwing.arg("up").args(flags);
    // Replaces this process, so that signals reach waxwing itself.
    Err(waxwing.exec().into())
}

fn run_on_emulator(flags: &[String]) -> Result<()> {
    let emulators = Emulators::install()?;
    step("build the programs", &mut cargo(&["build", "--workspace", "--bins"]))?;
    let mut stack = emulators.python();
    stack.args(["infra/local/stack.py", "--bin-dir"]).arg(target_dir().join("debug")).args(flags);
    // Replaces this process, so that signals reach it.
    Err(stack.exec().into())
}
