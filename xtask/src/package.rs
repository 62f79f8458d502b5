//! `cargo xtask package`

use std::fs;

use anyhow::{Context, Result};

use crate::shell::{cargo, root, step, target_dir};

/// The functions, by the names of their folders in template.yaml.
const FUNCTIONS: [&str; 5] = ["api", "projector", "delivery", "webhooks", "scheduler"];

/// What `package` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct PackageArgs {
    /// Compile for another machine, such as `aarch64-unknown-linux-gnu`; needs that target and a linker for it. This
    /// machine's own when absent: deploy with the parameter Architecture that fits.
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
}

pub(crate) fn run(PackageArgs { target }: PackageArgs) -> Result<()> {
    let mut build = cargo(&["build", "--release", "--package", "waxwing-functions", "--bins"]);
    let mut built = target_dir();
    if let Some(target) = &target {
        build.args(["--target", target]);
        built.push(target);
    }
    built.push("release");
    step("build the functions for release", &mut build)?;
    for name in FUNCTIONS {
        let folder = root().join("build/lambda").join(name);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let size = fs::copy(built.join(name), folder.join("bootstrap"))
            .with_context(|| format!("{name} cannot be copied"))?;
        eprintln!("    {}  {:.1} MB", folder.join("bootstrap").display(), size as f64 / 1e6);
    }
    Ok(())
}
