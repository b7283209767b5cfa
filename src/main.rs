//! The program: parse the command, run it, turn the ending into an exit code.

use std::process::ExitCode;

use free_llm_proxy::cli::{self, Command, Exit, Local, say};
use free_llm_proxy::config::Sources;

fn main() -> ExitCode {
    let parsed = cli::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let sources = Sources::gather(parsed.flags, parsed.env_file.as_deref());
    let ending = match parsed.command {
        Command::Init(place) => cli::init::run(&sources, place),
        Command::Providers { json } => cli::providers::run(&sources, json),
        Command::KeyAdd(add) => run(None, cli::key::run(&sources, &add)),
        Command::Completions(shell) => {
            say::raw(&cli::completions(shell));
            Exit::Fine
        }
        Command::Settings => {
            say::line(cli::settings().trim_end());
            Exit::Fine
        }
        Command::Setup(setup) => cli::setup::run(&sources, &setup),
        Command::Launch(launch) => cli::launch::run(&sources, &launch),
        Command::Replay(file) => cli::replay::run(&sources, &file),
        Command::Health => run(None, cli::health::run(&sources)),
        Command::Status(show) => run(None, cli::status::run(&sources, show, Local::read())),
        Command::Explain { file, json } => {
            run(None, cli::explain::run(&sources, file.as_deref(), json))
        }
        #[cfg(feature = "demo")]
        Command::Demo => run(None, cli::demo::run(&sources)),
        Command::Check => with(&sources, |config| {
            run(None, cli::check::ask(config, Local::read()))
        }),
        Command::Serve => {
            // A change while the proxy starts is one.
            let seen = sources.look();
            with(&sources, |config| {
                let threads = config.worker_threads;
                run(threads, cli::serve::run((sources.clone(), seen), config))
            })
        }
    };
    ending.into()
}

/// Runs a command that needs all settings, or says what is wrong with them.
fn with(sources: &Sources, command: impl FnOnce(free_llm_proxy::config::Config) -> Exit) -> Exit {
    match sources.config() {
        Ok(config) => command(config),
        Err(error) => {
            say::problem(error);
            Exit::Settings
        }
    }
}

/// Runs it on this many threads, or on as many as there are cores.
fn run(threads: Option<usize>, command: impl Future<Output = Exit>) -> Exit {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        runtime.worker_threads(threads);
    }
    match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            say::problem(format_args!("cannot start: {error}"));
            Exit::Fault
        }
    }
}
