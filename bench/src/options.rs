//! The command line.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::scenario::{self, Scenario};
use crate::target::{Kind, Peer, Target};

/// What to measure, and how.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) rounds: Option<usize>,
    proxies: Vec<(String, PathBuf)>,
    peers: Vec<(&'static str, Peer)>,
    words: Vec<String>,
    without: Vec<String>,
    /// Where files may be written.
    pub(crate) work: PathBuf,
}

pub(crate) const HELP: &str = "\
bench/run [OPTION...] [WORD...]

Only the scenarios with one of these words in their names; without words, all.

  --quick             2 short rounds: proves that it runs, and no more
  --rounds N          this many rounds (5)
  --proxy [NAME=]PATH this binary in place of one built here; again for a further one, which is
                      then compared with the first in the same rounds
  --without TARGET    leaves out `direct` or `nginx`
  --litellm COMMAND, --portkey DIRECTORY
                      these gateways too; bench/peers installs and names them
  --list              names the scenarios";

impl Options {
    /// Reads the arguments.
    pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .with_context(|| format!("{argument} wants a value"))
            };
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--rounds" => {
                    let rounds = value()?.parse().ok().filter(|rounds| *rounds > 0);
                    options.rounds = Some(rounds.context("--rounds wants a number")?);
                }
                "--proxy" => {
                    let value = value()?;
                    let (name, path) = value.split_once('=').unwrap_or(("ours", &value));
                    options.proxies.push((name.to_owned(), path.into()));
                }
                "--litellm" => {
                    let peer = Peer::LiteLlm(value()?.into());
                    options.peers.push(("LiteLLM", peer));
                }
                "--portkey" => {
                    let peer = Peer::Portkey(value()?.into());
                    options.peers.push(("Portkey", peer));
                }
                "--without" => options.without.push(value()?),
                "--work" => options.work = value()?.into(),
                other if other.starts_with('-') => bail!("there is no option {other}\n\n{HELP}"),
                word => options.words.push(word.to_owned()),
            }
        }
        Ok(options)
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 })
    }

    /// The selected scenarios.
    pub(crate) fn scenarios(&self) -> Result<Vec<&'static Scenario>> {
        let wanted = |scenario: &&Scenario| {
            self.words.is_empty() || self.words.iter().any(|word| scenario.name.contains(word))
        };
        let chosen: Vec<_> = scenario::ALL.iter().filter(wanted).collect();
        if chosen.is_empty() {
            bail!(
                "no scenario has one of these words: {}",
                self.words.join(", ")
            );
        }
        Ok(chosen)
    }

    /// The selected targets.
    pub(crate) fn targets(&self) -> Result<Vec<Target>> {
        let mut targets = vec![Target::direct(), Target::nginx()];
        for (name, path) in &self.proxies {
            if targets.iter().any(|target| target.name == *name) {
                bail!("two targets are called {name}: use --proxy NAME=PATH");
            }
            let path = path
                .canonicalize()
                .with_context(|| format!("there is no {}", path.display()))?;
            targets.push(Target {
                name: name.clone(),
                kind: Kind::Ours(path),
            });
        }
        targets.extend(self.peers.iter().map(|(name, peer)| Target {
            name: (*name).to_owned(),
            kind: Kind::Peer(peer.clone()),
        }));
        targets.retain(|target| !self.without.contains(&target.name));
        Ok(targets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_understood() {
        let options =
            read("--quick --proxy a=/bin/sh plain --proxy b=/bin/cat --without nginx latency")
                .expect("options");
        assert_eq!(options.rounds(), 2);
        let targets = options.targets().expect("targets");
        let names: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names, ["direct", "a", "b"]);
        let scenarios = options.scenarios().expect("scenarios");
        let names: Vec<_> = scenarios.iter().map(|scenario| scenario.name).collect();
        assert_eq!(
            names,
            ["plain-1k", "plain-200k", "latency-50", "latency-2000"]
        );
        assert_eq!(read("--rounds 7 --quick").expect("options").rounds(), 7);
    }

    #[test]
    fn mistakes_are_reported() {
        #[rustfmt::skip]
        let rows = [
            ("--rounds 0",  "--rounds wants a number"),
            ("--rounds",    "--rounds wants a value"),
            ("--colour",    "there is no option --colour"),
        ];
        for (line, expected) in rows {
            let error = read(line).expect_err("a mistake").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let twice = read("--proxy /bin/sh --proxy /bin/cat").expect("options");
        assert!(twice.targets().is_err());
        assert!(
            read("nothing-like-it")
                .expect("options")
                .scenarios()
                .is_err()
        );
    }
}
