//! `cargo xtask package`

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::shell::{cargo, output, root, step, target_dir};

/// The functions, by the names of their folders in template.yaml.
const FUNCTIONS: [&str; 6] = ["api", "projector", "delivery", "webhooks", "mailer", "scheduler"];
/// The profile of Cargo.toml that they are built with, and the folder that cargo puts them into.
const PROFILE: &str = "lambda";

/// What `package` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct PackageArgs {
    /// Compile for another machine, such as `aarch64-unknown-linux-gnu`; needs that target and a linker for it. This
    /// machine's own when absent: deploy with the parameter Architecture that fits.
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
}

pub(crate) fn run(PackageArgs { target }: PackageArgs) -> Result<()> {
    let built = build(target.as_deref())?;
    for name in FUNCTIONS {
        let folder = root().join("build/lambda").join(name);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let size = fs::copy(built.join(name), folder.join("bootstrap"))
            .with_context(|| format!("{name} cannot be copied"))?;
        eprintln!("    {}  {:.1} MB", folder.join("bootstrap").display(), size as f64 / 1e6);
    }
    Ok(())
}

/// Builds the functions as they are deployed, and says in which folder they are.
pub(crate) fn build(target: Option<&str>) -> Result<PathBuf> {
    let mut build = cargo(&["build", "--profile", PROFILE, "--package", "waxwing-functions", "--bins"]);
    let mut built = target_dir();
    if let Some(target) = target {
        ensure_installed(target)?;
        build.args(["--target", target]);
        built.push(target);
    }
    step("build the functions for Lambda", &mut build)?;
    Ok(built.join(PROFILE))
}

/// Without the target's standard library the build fails after minutes, and does not say what is missing besides.
fn ensure_installed(target: &str) -> Result<()> {
    let library = output(Command::new("rustc").args(["--print", "target-libdir", "--target", target]))?;
    let linker = format!("CARGO_TARGET_{}_LINKER", target.replace('-', "_").to_uppercase());
    ensure!(
        Path::new(library.trim()).exists(),
        "nothing can be compiled for {target} here: `rustup target add {target}` brings its standard library. A C compiler \
         and linker for it are needed, too (Debian: `apt install gcc-aarch64-linux-gnu` for aarch64-unknown-linux-gnu), \
         named in the variable {linker}"
    );
    Ok(())
}
