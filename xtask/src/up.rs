//! `cargo xtask up`

use std::os::unix::process::CommandExt;

use anyhow::Result;

use crate::shell::{cargo, step, target_dir};

/// What `up` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Make and run the live build, which talks to WhatsApp itself. It has a target folder of its own.
    #[arg(long)]
    live: bool,
    /// Flags of `waxwing up`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<String>,
}

pub(crate) fn run(UpArgs { live, flags }: UpArgs) -> Result<()> {
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
