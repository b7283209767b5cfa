//! Named clients (spec §13): who may ask, and for what. Pure; their keys are only named here.

use super::keys::{self, KeySource};
use super::mistake::{Mistake, Notes};
use super::tree::{Member, Node};
use super::{Whose, limits, models};
use crate::ledger::Limit;
use crate::model::ClientName;

/// A client that the file names.
#[derive(Clone, Debug)]
pub struct FileClient {
    /// Its name; no other client of the file has it.
    pub name: ClientName,
    /// Where its keys are; `None` if only `PROXY_API_KEY` has some under this name.
    pub key: Option<KeySource>,
    /// What it may use, over all its requests.
    pub limits: Vec<Limit>,
    /// Patterns for the models that it may ask; none for all.
    pub models: Vec<String>,
    /// Whether it may see the page, and use `/admin/*`.
    pub admin: bool,
    /// The line where it begins.
    pub line: usize,
}

const MEMBERS: &[&str] = &["name", "key", "limits", "models", "admin"];

/// All of them, in the order of the file.
pub(super) fn clients(member: &Member, whose: Whose<'_>, notes: &mut Notes) -> Vec<FileClient> {
    let mut clients: Vec<FileClient> = Vec::new();
    for node in notes.keep(member.list()).unwrap_or_default() {
        let Some(client) = notes.keep(client(node, whose)) else {
            continue;
        };
        if clients.iter().any(|other| other.name == client.name) {
            let sentence =
                "is the name of two clients: one has one entry, and its keys in one variable";
            notes.note(Mistake::new(node.line, client.name.as_str(), sentence));
        } else {
            clients.push(client);
        }
    }
    clients
}

fn client(node: &Node, whose: Whose<'_>) -> Result<FileClient, Mistake> {
    let (mut name, mut key) = (None, None);
    let (mut own_limits, mut own_models, mut admin) = (Vec::new(), Vec::new(), false);
    for member in node.members("clients")? {
        match member.name.as_str() {
            "name" => {
                let read = ClientName::try_from(member.text()?);
                name =
                    Some(read.map_err(|_| member.wrong("must be 1 to 32 of a-z, 0-9, _ and -"))?);
            }
            "key" => key = Some(keys::of_client(member, whose)?),
            "limits" => {
                let read = member.list()?.iter();
                let read = read.map(|node| limits::of_client(node, whose));
                own_limits = read.collect::<Result<_, _>>()?;
            }
            "models" => {
                let read = member.list()?.iter().map(models::pattern);
                own_models = read.collect::<Result<Vec<_>, _>>()?;
                if own_models.is_empty() {
                    return Err(member.wrong("names none, and so nothing could be asked"));
                }
            }
            "admin" => admin = member.switch()?,
            name if keys::PLAIN.contains(&name) => return Err(keys::plain_of_client(member)),
            _ => return Err(member.unknown("a client", MEMBERS)),
        }
    }
    let name = name.ok_or_else(|| Mistake::new(node.line, "clients", "need a name each"))?;
    Ok(FileClient {
        name,
        key,
        limits: own_limits,
        models: own_models,
        admin,
        line: node.line,
    })
}
