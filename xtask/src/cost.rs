//! `cargo xtask cost`

use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use crate::{
    emulators::Emulators,
    shell::{build_programs, output, root, target_dir},
};

/// Between these lines of the page stands what was counted.
const MARKS: [&str; 2] = ["<!-- counted by cargo xtask cost -->\n", "<!-- end of what was counted -->\n"];

/// What `cost` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct CostArgs {
    /// Messages out, and as many in.
    #[arg(long, default_value_t = 1_000)]
    messages: usize,
    /// Only print; do not write into docs/reference/cost.md.
    #[arg(long)]
    print: bool,
}

pub(crate) fn run(CostArgs { messages, print }: CostArgs) -> Result<()> {
    build_programs()?;
    let emulators = Emulators::install()?;
    let mut count = Command::new(target_dir().join("debug/waxwing-tests-deployed"));
    count.arg(messages.to_string()).current_dir(root()).stderr(Stdio::inherit());
    emulators.tell(&mut count);
    eprintln!("\n==> some minutes, most of them waiting");
    let counted = output(&mut count)?;
    println!("{counted}");
    if print {
        return Ok(());
    }
    let path = root().join("docs/reference/cost.md");
    let page = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let (before, rest) = page.split_once(MARKS[0]).context("the page has lost its first mark")?;
    let (_, after) = rest.split_once(MARKS[1]).context("the page has lost its second mark")?;
    Ok(fs::write(&path, format!("{before}{}{counted}\n{}{after}", MARKS[0], MARKS[1]))?)
}
