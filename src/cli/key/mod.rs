//! `key add PROVIDER`: asks for a key without showing it, tests it where that costs no quota, and
//! puts it into our `.env` (spec §10.1). Never takes one from the command line, and shows only its
//! tail.

mod edit;

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tempfile::NamedTempFile;

use super::init::{self, Place};
use super::key_test::{Shown, Tested, test};
use super::running::Running;
use super::{Exit, ask, check, providers, say};
use crate::config::{
    Group, Source, Sources, dotenv, folder_file_is_ours, is_odd, looks_like_key, meant_provider,
    pasted, user_file,
};
use crate::provider::Provider;
use crate::redact::Secret;
use edit::Edit;

/// What to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// Whose key.
    pub provider: String,
    /// There was another argument on the command line, where a key does not belong.
    pub too_much: bool,
    /// The file given with `--env-file`.
    pub env_file: Option<PathBuf>,
}

/// How long a connection for the test may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a proxy that runs may take to say so.
const ANSWERS: Duration = Duration::from_secs(2);

/// Why it ended early.
type Stop = (Exit, String);

/// Asks, tests and writes.
pub async fn run(sources: &Sources, add: &Add) -> Exit {
    match added(sources, add).await {
        Ok(()) => Exit::Fine,
        Err((ending, problem)) => {
            say::problem(problem);
            ending
        }
    }
}

async fn added(sources: &Sources, add: &Add) -> Result<(), Stop> {
    if add.too_much || looks_like_key(&add.provider) {
        let told = "a key does not belong on the command line, where others can see it in the process list \
                    and the shell keeps it: name the provider alone, and the key is asked for. Anyone may \
                    have seen this one by now: better create another";
        return Err((Exit::Settings, told.to_owned()));
    }
    let row = row(sources, &add.provider)?;
    let name = variable(&row)?;
    let target = target(add);
    let (key, account_id) = asked(&row, &name, &target)?;
    verify(sources, &row, &key, account_id.as_ref()).await?;
    let written = write(&target, &name, &key)?;
    let mut told = vec![written];
    if let (Some(id), Some(id_name)) = (account_id, &row.account_id_name) {
        told.push(write(&target, id_name, &id)?);
    }
    say::line(told.join("\n"));
    after(sources, &row).await;
    Ok(())
}

/// The provider of this name, according to the settings.
fn row(sources: &Sources, name: &str) -> Result<Arc<Provider>, Stop> {
    let name = name.to_ascii_lowercase();
    let (standings, _) = sources.providers();
    let known: Vec<_> = standings.iter().map(|s| s.provider.id.as_str()).collect();
    match standings.iter().find(|s| s.provider.id.as_str() == name) {
        Some(standing) => Ok(Arc::clone(&standing.provider)),
        None => {
            let hint = meant_provider(&name, known.into_iter());
            Err((
                Exit::Settings,
                format!("{name}: there is no such provider; {hint}"),
            ))
        }
    }
}

/// The base name of its key's variable.
fn variable(row: &Provider) -> Result<String, Stop> {
    let told = || {
        let id = &row.id;
        if row.custom {
            format!(
                "{id} is defined in CONFIG_FILE: name the variable of its key there, as keys = [{{ env = \"...\" }}]"
            )
        } else {
            format!("{id} takes no key: PROVIDERS=+{id} puts it on")
        }
    };
    let name = row.key_name().cloned();
    name.ok_or_else(|| (Exit::Settings, told()))
}

/// The file to write: the chosen one, the folder's if it is ours, else the one in the home
/// directory; a fresh one in the folder if there is none at all.
fn target(add: &Add) -> (PathBuf, Place) {
    let here = PathBuf::from(".env");
    match (&add.env_file, user_file()) {
        (Some(path), _) => (path.clone(), Place::Here),
        (None, _) if folder_file_is_ours() => (here, Place::Here),
        (None, Some(path)) if path.exists() || fs::symlink_metadata(&here).is_ok() => {
            (path, Place::Home)
        }
        (None, _) => (here, Place::Here),
    }
}

/// The key, and the account id if the provider needs one and the file has none.
fn asked(
    row: &Provider,
    name: &str,
    (path, _): &(PathBuf, Place),
) -> Result<(Secret, Option<Secret>), Stop> {
    let fault = |error: io::Error| (Exit::Fault, format!("no key was read: {error}"));
    let id_name = row.account_id_name.as_ref().filter(|id_name| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let entries = dotenv::entries(&text).into_iter();
        let mut set = entries.filter_map(|(_, read)| read.ok());
        !set.any(|(other, value)| other == id_name.as_str() && !value.trim().is_empty())
    });
    let (key, id) = if ask::has_person() {
        let question = format!("Key of {} (not shown; {}):", row.name, row.sign_up);
        let stopped = || (Exit::Fault, "stopped: nothing was written".to_owned());
        let key = ask::secret(&question).map_err(fault)?.ok_or_else(stopped)?;
        let id = match id_name {
            Some(id_name) if !key.is_empty() => ask::line(&format!("{id_name}:")).map_err(fault)?,
            Some(_) | None => String::new(),
        };
        (key, id)
    } else {
        let text = ask::piped().map_err(fault)?;
        match id_name {
            // The key, and the account id on a line of its own.
            Some(_) => {
                let (key, id) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
                (key.to_owned(), id.to_owned())
            }
            None => (text, String::new()),
        }
    };
    let wrong = |why: &str| (Exit::Fault, format!("that {why}; nothing was written"));
    let key = pasted(&key, name, row.key_prefix.as_deref()).map_err(wrong)?;
    let Some(id_name) = id_name else {
        return Ok((key, None));
    };
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    let id = id.trim();
    if id.is_empty() || !id.bytes().all(fits) || id == key.expose() {
        let told = format!(
            "{} needs an account id beside the key ({id_name}, letters and digits), and none was given; \
             nothing was written",
            row.name
        );
        return Err((Exit::Fault, told));
    }
    Ok((key, Some(Secret::new(id))))
}

/// Tests the key, and stops if it is refused, or if a person does not want one that was not tested.
async fn verify(
    sources: &Sources,
    row: &Provider,
    key: &Secret,
    account_id: Option<&Secret>,
) -> Result<(), Stop> {
    let name = &row.name;
    let shown = check::shown(key);
    let (untested, expected) = match tested(sources, row, key, account_id).await? {
        Tested::Works => {
            say::line(format_args!("{name} accepts the key ({shown})."));
            return Ok(());
        }
        Tested::Refused(status) => {
            let told = format!(
                "{name} refuses the key ({shown}) with HTTP {status}: nothing was written{}",
                row.create_one()
            );
            return Err((Exit::Fault, told));
        }
        Tested::Unknown(status) => (
            format!("{name} answered HTTP {status}, which says nothing about it"),
            false,
        ),
        Tested::Untested => (format!("{name} has no test that costs no quota"), true),
        Tested::Unreachable(why) => (why, false),
    };
    say::line(format_args!(
        "The key ({shown}) could not be tested: {untested}."
    ));
    let prefix = row.key_prefix.as_deref();
    let is_odd = is_odd(key, prefix);
    if let Some(prefix) = prefix.filter(|_| is_odd) {
        say::line(format_args!(
            "It does not look like one of theirs, which begin with {prefix}."
        ));
    }
    // Where there is no test, a key of the usual shape is all that can be expected.
    if (expected && !is_odd) || !ask::has_person() {
        return Ok(());
    }
    match ask::agreed("Write it all the same?") {
        Ok(true) => Ok(()),
        Ok(false) => Err((Exit::Fault, "nothing was written".to_owned())),
        Err(error) => Err((Exit::Fault, format!("nothing was written: {error}"))),
    }
}

/// What the provider says of the key, if it may be asked from here.
async fn tested(
    sources: &Sources,
    row: &Provider,
    key: &Secret,
    account_id: Option<&Secret>,
) -> Result<Tested, Stop> {
    if let Some(why) = untrusted(sources, row) {
        return Ok(Tested::Unreachable(why));
    }
    if row.base_url.is_empty() {
        let why = format!("the address of {} is not set", row.name);
        return Ok(Tested::Unreachable(why));
    }
    let proxy = sources
        .outbound_proxy()
        .map_err(|e| (Exit::Settings, e.to_string()))?;
    let getter = check::Getter::new(&proxy, CONNECT).map_err(|e| (Exit::Fault, e))?;
    let get = async |url: &str, shown: Shown<'_>| {
        let (status, _, body) = getter.get(url, shown).await?;
        Ok((status, body.to_vec()))
    };
    Ok(match test(row, key, account_id, get).await {
        Tested::Unreachable(why) => {
            Tested::Unreachable(format!("{} cannot be reached ({why})", row.name))
        }
        told @ (Tested::Works | Tested::Refused(_) | Tested::Unknown(_) | Tested::Untested) => told,
    })
}

/// Why a key that a person has just typed is not sent there: a folder's `.env` may be from anyone.
fn untrusted(sources: &Sources, row: &Provider) -> Option<String> {
    let setting = match row.id.as_str() {
        "openrouter" => Some("UPSTREAM_BASE_URL"),
        "local" => Some("LOCAL_BASE_URL"),
        _ => None,
    };
    let outbound = Group::Outbound.settings().map(|setting| setting.name);
    let mut settings = setting.into_iter().chain(outbound);
    let found = settings.find(|name| sources.source_of(name) == Some(Source::WorkingDir))?;
    Some(format!(
        "{found} is set by the .env in this folder, which may be anyone's; make sure that it is yours before \
         you run the proxy here"
    ))
}

/// Puts it into the file, which is created if need be; returns what was done.
fn write((path, place): &(PathBuf, Place), name: &str, value: &Secret) -> Result<String, Stop> {
    let told = path.display();
    let fault = |why: &dyn std::fmt::Display| (Exit::Fault, format!("{told} {why}"));
    let mut made = "";
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            init::write(path, *place, &[])
                .map_err(|error| fault(&format_args!("cannot be written: {error}")))?;
            made = ", a new file with a fresh PROXY_API_KEY";
            fs::read_to_string(path).map_err(|error| fault(&error))?
        }
        Err(error) => return Err(fault(&format_args!("cannot be read: {error}"))),
    };
    match edit::put(&text, name, value.expose()) {
        Edit::Put { text, name } => {
            replace(path, &text)
                .map_err(|error| fault(&format_args!("cannot be written: {error}")))?;
            Ok(format!(
                "Wrote {name} to {told}{made}; only you can read it."
            ))
        }
        Edit::Known(name) => Ok(format!("{told} already has it, as {name}.")),
        Edit::Impossible(why) => Err(fault(&format_args!("{why}; nothing was written"))),
    }
}

/// Replaces the whole file at once, through all links, readable only by its owner.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let real = fs::canonicalize(path)?;
    let folder = real.parent().unwrap_or_else(|| Path::new("."));
    let mut fresh = NamedTempFile::new_in(folder)?;
    fresh.write_all(text.as_bytes())?;
    fresh
        .as_file()
        .set_permissions(Permissions::from_mode(0o600))?;
    fresh.as_file().sync_all()?;
    fresh.persist(&real).map_err(|error| error.error)?;
    Ok(())
}

/// What still keeps the provider off, with the settings as they are now; and whether a proxy runs that sees them.
async fn after(sources: &Sources, row: &Provider) {
    let sources = sources.again();
    let (standings, _) = sources.providers();
    let now = standings.iter().find(|s| s.provider.id == row.id);
    match now {
        Some(standing) if standing.off.is_none() => {
            let runs = if is_running(&sources).await {
                " The proxy that runs takes the key up within some 4 seconds."
            } else {
                ""
            };
            say::line(format_args!("{} is on.{runs}", row.name));
        }
        Some(standing) => say::line(format_args!(
            "{} is off, though: {}.",
            row.name,
            providers::why(standing)
        )),
        None => {}
    }
}

/// Whether a proxy with these settings runs, and follows changes to them.
async fn is_running(sources: &Sources) -> bool {
    let Ok(running) = Running::of(sources) else {
        return false;
    };
    let running = running.within(ANSWERS);
    let state = running.ask(Method::GET, "/admin/state", Bytes::new()).await;
    state.is_ok_and(|state| state["settings"].is_object())
}
