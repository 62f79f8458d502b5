//! Running other programs.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result, ensure};

/// The workspace's folder. As cargo says it now: with a target folder that several checkouts share, the program may have
/// been built in another.
#[expect(clippy::disallowed_methods, reason = "cargo says here which checkout it runs us for")]
pub(crate) fn root() -> PathBuf {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR");
    let folder = folder.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    folder.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// `cargo` with these arguments, in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_path());
    command.args(arguments).current_dir(root());
    // What cargo tells the programs that it runs: build scripts read some of it (that of `ring` each part of the version), and
    // would run again, with all that is built on them, whenever cargo is called with and without us.
    for name in told_by_cargo() {
        command.env_remove(name);
    }
    command
}

fn told_by_cargo() -> impl Iterator<Item = String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
}

#[expect(clippy::disallowed_methods, reason = "cargo says here which cargo runs us")]
fn cargo_path() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// The folder that cargo builds into.
#[expect(clippy::disallowed_methods, reason = "cargo reads this setting, too")]
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Runs a step, shows its name and how long it took, and fails when it fails.
pub(crate) fn step(name: &str, command: &mut Command) -> Result<()> {
    eprintln!("\n==> {name}");
    let began = Instant::now();
    let status = command.status().with_context(|| format!("{name}: {command:?} cannot be started"))?;
    settle_protocol_definitions(&target_dir());
    ensure!(status.success(), "{name} failed ({status})");
    eprintln!("    {name}: {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Builds all programs as `cargo test --workspace` selects them: with other features of the same crates most of what they
/// are built on, the client library too, would be compiled a second time.
pub(crate) fn build_programs() -> Result<()> {
    step("build the programs", &mut cargo(&["build", "--workspace", "--bins", "--tests"]))
}

/// What a program prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("the output is not UTF-8")
}

/// The build script of `waproto` 0.7.0 names a file that it writes itself among those that make it run again, so cargo
/// would compile the client library, minutes of work, a second time. A file that is not younger than the run is settled.
fn settle_protocol_definitions(target: &Path) {
    let folders = ["debug", "release", "live/debug"].map(|profile| target.join(profile).join("build"));
    for build in folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten() {
        if build.file_name().to_string_lossy().starts_with("waproto-") {
            let run = std::fs::metadata(build.path().join("output")).and_then(|output| output.modified());
            let written =
                std::fs::File::options().write(true).open(build.path().join("out/whatsapp.local.desc"));
            if let (Ok(run), Ok(written)) = (run, written) {
                // Where it fails, a build takes longer; nothing else.
                let _ = written.set_modified(run);
            }
        }
    }
}
