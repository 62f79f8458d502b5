//! Python environments under the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::shell::{root, step};

/// The folder of the programs of an environment in `folder`, with the committed requirements. It is made anew when they change.
pub(crate) fn environment(folder: &Path, requirements: &str) -> Result<PathBuf> {
    let (python, requirements) = (folder.join("python"), root().join(requirements));
    let (programs, installed) = (python.join("bin"), python.join("requirements.txt"));
    let wanted = fs::read(&requirements).with_context(|| format!("{} is missing", requirements.display()))?;
    // Written last: what stopped half way is begun anew.
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(programs);
    }
    step("make a Python environment", Command::new("python3").args(["-m", "venv", "--clear"]).arg(&python))?;
    let mut pip = Command::new(programs.join("pip"));
    step(
        "install what the tests need of Python",
        pip.args(["install", "--quiet", "--requirement"]).arg(&requirements),
    )?;
    fs::write(&installed, wanted)?;
    Ok(programs)
}
