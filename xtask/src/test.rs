//! `cargo xtask test`

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::{
    emulators::Emulators,
    fuzz,
    generate::{self, GenArgs},
    protocol,
    shell::{build_programs, cargo, output, step, target_dir},
    supply_chain, tidy,
};

/// What `test` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// One part; all when absent.
    #[arg(value_enum)]
    part: Option<Part>,
    /// With `supply-chain`: a copy of RustSec's database, in place of fetching it.
    #[arg(long, value_name = "FOLDER")]
    advisories: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Units, properties, conformance, the sandbox and the client against each other.
    Rust,
    /// Black box over HTTP: the walk, bad input, kills.
    Api,
    /// Requests drawn from the OpenAPI document, in all orders, for ten minutes; with all other parts for one. Installs
    /// schemathesis under the target folder; needs Python.
    Fuzz,
    /// Independent clients, which `npm ci` installs, against the sandbox; needs Node, npm and openssl.
    Protocol,
    /// The engine of the serverless shape against emulators, which are installed under the target folder; needs Python, Java
    /// and npm.
    Aws,
    /// The live build has no test feature, refuses a network that is not WhatsApp, and is patient without one. It has a target
    /// folder of its own.
    Live,
    /// Licences, sources, bans and advisories of all dependencies. Only by itself: compiling its tools takes ten minutes
    /// once.
    SupplyChain,
}

pub(crate) fn run(TestArgs { part, advisories }: TestArgs) -> Result<()> {
    if part == Some(Part::SupplyChain) {
        return supply_chain::run(advisories.as_deref());
    }
    ensure!(advisories.is_none(), "--advisories goes with `cargo xtask test supply-chain`");
    let wanted = |one| part.is_none_or(|part| part == one);
    if part.is_none() {
        step("formatting", &mut cargo(&["fmt", "--all", "--check"]))?;
        eprintln!("\n==> tidy");
        tidy::run()?;
    }
    if wanted(Part::Live) {
        live_build_checks_certificates()?;
        live_build_reaches_nothing_else()?;
    }
    if part.is_none() {
        step("lints", &mut cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    }
    if matches!(part, None | Some(Part::Aws | Part::Fuzz | Part::Protocol)) {
        build_programs()?;
    } else if wanted(Part::Api) {
        step("build waxwing", &mut cargo(&["build", "--package", "waxwing-server"]))?;
    }
    if part.is_none() {
        eprintln!("\n==> generated files are up to date");
        generate::run(GenArgs { check: true })?;
    }
    if wanted(Part::Protocol) {
        protocol::run()?;
    }
    if wanted(Part::Fuzz) {
        fuzz::run(if part.is_none() { fuzz::SHORT } else { fuzz::LONG })?;
    }
    // One run, so that its summary line covers everything.
    let mut tests = cargo(&["test", "--no-fail-fast"]);
    match part {
        None => tests.arg("--workspace"),
        Some(Part::Rust) => {
            let others =
                ["waxwing-tests-api", "waxwing-tests-deployed", "waxwing-tests-torture", "waxwing-aws"];
            tests.arg("--workspace").args(others.iter().flat_map(|other| ["--exclude", other]))
        },
        Some(Part::Api) => {
            tests.args(["--package", "waxwing-tests-api", "--package", "waxwing-tests-torture"])
        },
        // The rest of the workspace keeps its features, and brings no test.
        Some(Part::Aws) => tests.args(["--package", "waxwing-aws", "--package", "waxwing-tests-deployed"]),
        Some(Part::Fuzz | Part::Live | Part::Protocol | Part::SupplyChain) => return Ok(()),
    };
    if wanted(Part::Aws) {
        let emulators = Emulators::install()?;
        step("template.yaml", emulators.python().arg("tests/aws/test_template.py"))?;
        emulators.tell(&mut tests);
    }
    step("tests", &mut tests)
}

/// The host's tests of the live build. Alone, the host has no feature of ours.
fn live_build_reaches_nothing_else() -> Result<()> {
    let mut tests = cargo(&["test", "--package", "waxwing-host", "--test", "it", "--target-dir"]);
    step("the live build", tests.arg(target_dir().join("live")))
}

/// The feature that lets the client reach a simulated network is in no live build.
fn live_build_checks_certificates() -> Result<()> {
    const DANGER: &str = "danger-skip-cert-chain-verify";
    eprintln!("\n==> the live build checks WhatsApp's certificates");
    let tree = ["tree", "--package", "waxwing-server", "--edges", "features", "--invert", "wacore-noise"];
    let sandbox = output(&mut cargo(&tree))?;
    ensure!(
        sandbox.contains(DANGER),
        "the check is blind: the sandbox build should have the feature {DANGER}"
    );
    let live = output(cargo(&tree).arg("--no-default-features"))?;
    ensure!(!live.contains(DANGER), "the live build has the feature {DANGER}");
    Ok(())
}
