//! `cargo xtask bench`

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::{
    emulators::Emulators,
    package,
    shell::{cargo, output, root, step, target_dir},
};

/// Hand-overs of a session from one host to the other.
const HAND_OVERS: &str = "100";

const BUILD_WAXWING: [&str; 4] = ["build", "--release", "--package", "waxwing-server"];

/// What `bench` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// One part; all when absent.
    #[arg(value_enum)]
    part: Option<Part>,
    /// Sessions whose memory is measured: 200 unless given, and 1,000 with `sessions`.
    #[arg(long)]
    sessions: Option<u32>,
    /// Idle connections of the network.
    #[arg(long, default_value_t = 10_000)]
    connections: u32,
    /// Measure the development build, which is compiled sooner; only `sessions` can. The figures say so.
    #[arg(long)]
    development: bool,
    /// With `authentication`: also measure how fast this commit accepts messages, by turns with ours.
    #[arg(long, value_name = "COMMIT")]
    against: Option<String>,
    /// Only print; do not append to docs/reference/benchmarks.md.
    #[arg(long)]
    print: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The journal of the embedded engine, next to SQLite without us.
    Journal,
    /// A million messages: finding them by their words, and pages of a chat.
    Search,
    /// waxwing as a process: accepting, the way to the webhook, memory of sessions.
    Process,
    /// Who calls and how often: authentication, the limiter, passwords, and what it takes of accepting.
    Authentication,
    /// Scale, in some minutes: a thousand sessions in one process, hand-overs between hosts, the network's connections and messages.
    Sessions,
    /// The functions of the serverless shape, as they are packaged: size and cold start.
    Functions,
}

pub(crate) fn run(arguments: BenchArgs) -> Result<()> {
    let BenchArgs { part, sessions, connections, development, against, print } = arguments;
    ensure!(!development || part == Some(Part::Sessions), "--development is for `sessions` only");
    let wanted = |one| part.is_none_or(|part| part == one);
    ensure!(against.is_none() || wanted(Part::Authentication), "--against is for `authentication` only");
    let mut report = String::new();
    if wanted(Part::Journal) {
        let journal =
            ["run", "--quiet", "--release", "--package", "waxwing-embedded", "--example", "journal_bench"];
        eprintln!("\n==> journal");
        report += &journal_rows(&output(&mut cargo(&journal))?)?;
    }
    if wanted(Part::Search) {
        let bench =
            ["run", "--quiet", "--release", "--package", "waxwing-embedded", "--example", "search_bench"];
        report += &shown("search", &mut cargo(&bench))?;
    }
    if wanted(Part::Process) {
        step("build waxwing for release", &mut cargo(&BUILD_WAXWING))?;
        report += &measure(&["process", &sessions.unwrap_or(200).to_string()])?;
    }
    if wanted(Part::Authentication) {
        let bench = ["build", "--release", "--package", "waxwing-api", "--example", "authentication_bench"];
        step("build the bench of authentication", &mut cargo(&bench))?;
        let folder = target_dir().join("release");
        report += &shown("authentication", &mut Command::new(folder.join("examples/authentication_bench")))?;
        if let Some(commit) = &against {
            let other = build_of(commit)?;
            step("build waxwing for release", &mut cargo(&BUILD_WAXWING))?;
            report += &measure(&["accept-against", &other.to_string_lossy()])?;
        }
    }
    if wanted(Part::Sessions) {
        report += &scale(sessions.unwrap_or(1_000), connections, development)?;
    }
    if wanted(Part::Functions) {
        let folder = package::build(None)?;
        report += &measure(&["functions", &folder.to_string_lossy()])?;
    }
    println!("{report}");
    match print {
        true => Ok(()),
        false => append(&root().join("docs/reference/benchmarks.md"), development, &report),
    }
}

/// `waxwing` as another commit has it. What both have in common is compiled once.
fn build_of(commit: &str) -> Result<PathBuf> {
    // The name of a branch may be that of a path.
    let kept = output(git(&["rev-parse", "--verify", "--short"]).arg(format!("{commit}^{{commit}}")))?;
    let kept = target_dir().join("release").join(kept.trim());
    let source = target_dir().join("tmp/bench-against");
    if source.exists() {
        step("remove what was left", git(&["worktree", "remove", "--force"]).arg(&source))?;
    }
    // Where the folder was removed by other means, git still knows of it and would not make it again.
    step("forget what is gone", &mut git(&["worktree", "prune"]))?;
    step(&format!("take {commit}"), git(&["worktree", "add", "--detach"]).arg(&source).arg(commit))?;
    let mut build = cargo(&BUILD_WAXWING);
    build.current_dir(&source).env("CARGO_TARGET_DIR", target_dir());
    let built = step(&format!("build {commit} for release"), &mut build);
    step("remove it", git(&["worktree", "remove", "--force"]).arg(&source))?;
    built?;
    let program = target_dir().join("release/waxwing");
    fs::copy(&program, &kept).with_context(|| format!("{} cannot be kept", program.display()))?;
    Ok(kept)
}

fn git(arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(root());
    git
}

/// Many of everything. The programs are built all together, in either profile.
fn scale(sessions: u32, connections: u32, development: bool) -> Result<String> {
    let profile = if development { "debug" } else { "release" };
    let mut build = cargo(&["build", "--workspace", "--bins", "--tests", "--examples"]);
    if !development {
        build.arg("--release");
    }
    step("build the programs and the benches", &mut build)?;
    let (folder, emulators) = (target_dir().join(profile), Emulators::install()?);
    let mut report = String::new();
    for what in [["sessions", &sessions.to_string()], ["hand-over", HAND_OVERS]] {
        let mut bench = Command::new(folder.join("waxwing-tests-bench"));
        emulators.tell(bench.args(what));
        report += &shown(&what.join(" "), &mut bench)?;
    }
    // The bench has as many sockets open as the network, and is no program that raises its limit.
    let mut network = Command::new("sh");
    network.args(["-c", "ulimit -n $(ulimit -Hn); exec \"$0\" \"$@\""]);
    network.arg(folder.join("examples/network_bench"));
    report += &shown("network", network.arg(connections.to_string()))?;
    Ok(report)
}

/// The rows that a program prints; how far it is, it says by itself.
fn shown(what: &str, command: &mut Command) -> Result<String> {
    eprintln!("\n==> {what}");
    let rows = output(command.stderr(Stdio::inherit()))?;
    // At once: what comes later may fail.
    eprint!("{rows}");
    Ok(rows)
}

/// Rows of the table, from the program that measures from outside.
fn measure(what: &[&str]) -> Result<String> {
    step("build the benches", &mut cargo(&["build", "--release", "--package", "waxwing-tests-bench"]))?;
    shown(&what.join(" "), Command::new(target_dir().join("release/waxwing-tests-bench")).args(what))
}

/// The journal's figures, one JSON object a line, as rows of the table.
fn journal_rows(lines: &str) -> Result<String> {
    let mut rows = String::new();
    for line in lines.lines().filter(|line| line.starts_with('{')) {
        let figure: serde_json::Value = serde_json::from_str(line)?;
        let (name, per_s) = (figure["figure"].as_str().unwrap_or_default(), &figure["per_s"]);
        let prototype = figure.get("times_prototype").map(|ratio| format!("{ratio} times the prototype, "));
        rows += &format!(
            "| journal: {name} | {per_s} | {}{} times raw SQLite; runs {} |\n",
            prototype.unwrap_or_default(),
            figure["times_raw"],
            figure["runs"]
        );
    }
    Ok(rows)
}

fn append(page: &Path, development: bool, report: &str) -> Result<()> {
    let date = output(Command::new("date").arg("+%F"))?;
    let commit = output(Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root()))?;
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("")
        .trim_start_matches([' ', '\t', ':']);
    let build = if development { "development" } else { "release" };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut file = File::options().append(true).open(page).with_context(|| format!("{}", page.display()))?;
    writeln!(
        file,
        "\n## {}, {cores} cores ({model}), {build} build of {}, one run\n\n| what | figure | remark |\n| --- | --- | --- |\n{}",
        date.trim(),
        commit.trim(),
        report.trim_end()
    )?;
    Ok(())
}
