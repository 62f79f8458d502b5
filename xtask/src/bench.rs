//! `cargo xtask bench`

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    package,
    shell::{cargo, output, root, step, target_dir},
};

/// What `bench` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// One part; all when absent.
    #[arg(value_enum)]
    part: Option<Part>,
    /// Sessions whose memory is measured.
    #[arg(long, default_value_t = 200)]
    sessions: u32,
    /// Only print; do not append to docs/reference/benchmarks.md.
    #[arg(long)]
    print: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The journal of the embedded engine, next to SQLite without us.
    Journal,
    /// waxwing as a process: accepting, the way to the webhook, memory of sessions.
    Process,
    /// The functions of the serverless shape, as they are packaged: size and cold start.
    Functions,
}

pub(crate) fn run(BenchArgs { part, sessions, print }: BenchArgs) -> Result<()> {
    let wanted = |one| part.is_none_or(|part| part == one);
    let mut report = String::new();
    if wanted(Part::Journal) {
        let journal =
            ["run", "--quiet", "--release", "--package", "waxwing-embedded", "--example", "journal_bench"];
        eprintln!("\n==> journal");
        report += &journal_rows(&output(&mut cargo(&journal))?)?;
    }
    if wanted(Part::Process) {
        step(
            "build waxwing for release",
            &mut cargo(&["build", "--release", "--package", "waxwing-server"]),
        )?;
        report += &measure(&["process", &sessions.to_string()])?;
    }
    if wanted(Part::Functions) {
        let folder = package::build(None)?;
        report += &measure(&["functions", &folder.to_string_lossy()])?;
    }
    println!("{report}");
    match print {
        true => Ok(()),
        false => append(&root().join("docs/reference/benchmarks.md"), &report),
    }
}

/// Rows of the table, from the program that measures from outside.
fn measure(what: &[&str]) -> Result<String> {
    step("build the benches", &mut cargo(&["build", "--release", "--package", "waxwing-tests-bench"]))?;
    eprintln!("\n==> {}", what.join(" "));
    output(Command::new(target_dir().join("release/waxwing-tests-bench")).args(what))
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

fn append(page: &Path, report: &str) -> Result<()> {
    let date = output(Command::new("date").arg("+%F"))?;
    let commit = output(Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root()))?;
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("")
        .trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut file = File::options().append(true).open(page).with_context(|| format!("{}", page.display()))?;
    writeln!(
        file,
        "\n## {}, {cores} cores ({model}), release build of {}, one run\n\n| what | figure | remark |\n| --- | --- | --- |\n{}",
        date.trim(),
        commit.trim(),
        report.trim_end()
    )?;
    Ok(())
}
