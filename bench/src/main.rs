//! Measures free-llm-proxy against nginx on the same machine in the same run.
//!
//! `bench/run` builds and starts it; `bench/README.md` explains the figures. It is not part of the
//! proxy and uses nothing of it but the binary under test.

mod clock;
mod figure;
mod instructions;
mod load;
mod machine;
mod options;
mod poller;
mod report;
mod request;
mod rounds;
mod say;
mod scenario;
mod script;
mod table;
mod target;
mod upstream;
mod usage;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use machine::Cores;
use options::Options;
use report::Setting;
use scenario::Pace;
use target::Stand;
use upstream::{Certificate, Version};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let done = match arguments.peek().map(String::as_str) {
        Some("upstream") => serve_upstream(&arguments.skip(1).collect::<Vec<_>>()),
        Some("instructions") => instructions::run(arguments.skip(1)),
        Some("--help" | "-h") => {
            say::line(options::HELP);
            Ok(true)
        }
        Some("--list") => {
            list();
            Ok(true)
        }
        Some(_) | None => measure(arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say::progress(format_args!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// `upstream ADDRESS`, or `upstream ADDRESS VERSION DIRECTORY` for one behind TLS, whose
/// certificate is in that directory.
fn serve_upstream(arguments: &[String]) -> Result<bool> {
    let address = |text: &str| text.parse().context("upstream wants an address");
    match arguments {
        [at] => upstream::serve(address(at)?)?,
        [at, version, directory] => {
            let version = Version::read(version).context("there is no such version of HTTP")?;
            let certificate = Certificate::at(Path::new(directory));
            upstream::serve_tls(address(at)?, version, &certificate)?;
        }
        _ => bail!("upstream wants an address"),
    }
    Ok(true)
}

fn list() {
    for scenario in scenario::ALL {
        say::line(format_args!("{:14} {}", scenario.name, scenario.about));
    }
}

/// Whether all requests were answered.
fn measure(arguments: impl Iterator<Item = String>) -> Result<bool> {
    let options = Options::read(arguments)?;
    let (scenarios, targets) = (options.scenarios()?, options.targets()?);
    let cores = Cores::share()?;
    let open_files = machine::raise_open_files();
    let setting = Setting::look(&targets, cores, options.rounds(), options.quick);
    if let Some(caveat) = cores.caveat() {
        say::progress(format_args!("note: {caveat}"));
    }
    std::fs::create_dir_all(&options.work)
        .with_context(|| format!("no directory {}", options.work.display()))?;
    let work = options.work.canonicalize()?;
    machine::pin(cores.load)?;
    let pace = Pace {
        quick: options.quick,
    };
    let samples = {
        let mut stand = Stand::set_up(work.clone(), cores, open_files)?;
        rounds::run(&mut stand, &scenarios, &targets, options.rounds(), pace)?
    };
    let markdown = report::markdown(&setting, &scenarios, &samples, &targets);
    report::save(&work, &markdown, &setting, &samples)?;
    say::line(&markdown);
    Ok(samples.iter().all(|sample| sample.errors == 0))
}
