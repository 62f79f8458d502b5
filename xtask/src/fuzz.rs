//! `cargo xtask test fuzz`: schemathesis over the whole API, as its document describes it.

use std::{fs, process::Command};

use anyhow::{Context, Result};

use crate::{
    python,
    shell::{root, step, target_dir},
};

/// Which requests are made, and for how long.
pub(crate) struct Fuzz {
    seconds: u32,
    seed: Option<u32>,
}

/// With all other tests: the same requests each time.
pub(crate) const SHORT: Fuzz = Fuzz { seconds: 60, seed: Some(1) };
/// By itself: others each time; the seed is printed.
pub(crate) const LONG: Fuzz = Fuzz { seconds: 600, seed: None };

/// Runs it with the `waxwing` that was built before.
pub(crate) fn run(Fuzz { seconds, seed }: Fuzz) -> Result<()> {
    let folder = target_dir().join("schemathesis");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let folder = folder.canonicalize()?;
    let programs = python::environment(&folder, "tests/schemathesis/requirements.txt")?;
    let mut fuzz = Command::new(programs.join("python"));
    fuzz.arg("tests/schemathesis/run.py").current_dir(root()).env("PYTHONDONTWRITEBYTECODE", "1");
    fuzz.arg("--waxwing").arg(target_dir().join("debug/waxwing").canonicalize()?);
    fuzz.args(["--seconds", &seconds.to_string()]);
    if let Some(seed) = seed {
        fuzz.args(["--seed", &seed.to_string()]);
    }
    step("schemathesis", &mut fuzz)
}
