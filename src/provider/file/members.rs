//! The members of one provider, applied on top of what is known about it (spec §10.1). Pure.

use super::mistake::{Mistake, Notes, did_you_mean, shown};
use super::tree::{Member, What};
use super::{FileProvider, Whose, fields, keys, limits, models};
use crate::provider::address;
use crate::provider::row::{Auth, KeyTest, Provider, Training};
use crate::redact::looks_like_key;

const MOST_CONNECTIONS: u64 = 10_000;

/// What a user's file may contain for a provider.
pub(super) const MEMBERS: &[&str] = &[
    "base_url",
    "auth",
    "keys",
    "limits",
    "models",
    "remove",
    "rename",
    "defaults",
    "training",
    "billed",
    "list",
    "key_test",
    "timeout_sec",
    "connections",
];

const TRAINING: &[(&str, Training)] = &[
    ("no", Training::No),
    ("may", Training::May),
    ("unknown", Training::Unknown),
];

/// Applies the members on top of what is known.
pub(super) fn provider(
    known: Provider,
    members: &[Member],
    whose: Whose<'_>,
    line: usize,
    notes: &mut Notes,
) -> FileProvider {
    let mut reading = Reading {
        row: known,
        keys: None,
        address_line: None,
        whose,
    };
    // The base comes first: the row's other addresses move with it.
    let (bases, others): (Vec<_>, Vec<_>) =
        members.iter().partition(|member| member.name == "base_url");
    for member in bases.into_iter().chain(others) {
        notes.keep(reading.member(member));
    }
    reading.end(line, members, notes)
}

struct Reading<'a> {
    row: Provider,
    keys: Option<Vec<keys::KeyRef>>,
    address_line: Option<usize>,
    whose: Whose<'a>,
}

impl Reading<'_> {
    fn member(&mut self, member: &Member) -> Result<(), Mistake> {
        let row = &mut self.row;
        match member.name.as_str() {
            "base_url" => {
                let base = address::base(member.text()?).map_err(|rule| member.wrong(rule))?;
                *row = row.clone().at(&base);
                self.address_line.get_or_insert(member.line);
            }
            "list" => {
                row.list.url = Some(address(member)?);
                self.address_line.get_or_insert(member.line);
            }
            "key_test" => {
                row.key_test = key_test(member)?;
                self.address_line.get_or_insert(member.line);
            }
            "auth" => row.auth = auth(member)?,
            "keys" => self.keys = Some(keys::keys(member, row, self.whose)?),
            "limits" => {
                let limits = member.list()?.iter();
                let limits = limits.map(|node| limits::limit(node, self.whose));
                row.limits = limits.collect::<Result<_, _>>()?;
                if !self.whose.is_ours() {
                    // The row's words describe its own limits.
                    row.gives.clear();
                    row.limits_with_key = None;
                }
            }
            "models" => {
                let offers = models::offers(member.list()?)?;
                match self.whose {
                    Whose::Ours => row.models = offers,
                    Whose::Users(_) if offers.is_empty() => {
                        return Err(member.wrong("names none, and so nothing could be asked"));
                    }
                    Whose::Users(_) => row.only = Some(offers),
                }
            }
            "remove" => fields::remove(member, &mut row.fields.remove)?,
            "rename" => row.fields.rename = fields::rename(member)?,
            "defaults" => row.fields.defaults = fields::defaults(member)?,
            "training" => row.training = training(member)?,
            "billed" => row.billed = member.switch()?,
            "timeout_sec" => row.timeout = Some(member.seconds()?),
            "connections" => {
                row.connections = usize::try_from(member.count(MOST_CONNECTIONS)?).ok();
            }
            _ if self.whose.is_ours() => return self.more(member),
            name if keys::PLAIN.contains(&name) => return Err(keys::plain(member)),
            _ => return Err(member.unknown("a provider", MEMBERS)),
        }
        Ok(())
    }

    /// Additional members of the built-in rows.
    fn more(&mut self, member: &Member) -> Result<(), Mistake> {
        let row = &mut self.row;
        match member.name.as_str() {
            "name" => row.name = member.line_of_text()?,
            "key_names" => row.key_names = texts(member)?,
            "shared_names" => row.shared_names = texts(member)?,
            "account_id_name" => row.account_id_name = Some(member.line_of_text()?),
            "key_prefix" => row.key_prefix = Some(member.line_of_text()?),
            "keyless" => row.keyless = member.switch()?,
            "only_when_named" => row.only_when_named = member.switch()?,
            "list_decides" => row.list.decides = member.switch()?,
            "list_with_key" => row.list.with_key = member.switch()?,
            "list_priced" => row.list.priced = member.switch()?,
            "limits_with_key" => {
                let limits = member.list()?.iter();
                let limits = limits.map(|node| limits::limit(node, self.whose));
                row.limits_with_key = Some(limits.collect::<Result<_, _>>()?);
            }
            "day_ends" => row.day_ends = Some(member.word(limits::ENDS)?),
            "takes" => row.fields.takes = texts(member)?,
            "no_nulls" => row.fields.no_nulls = member.switch()?,
            "text_only" => row.fields.text_only = member.switch()?,
            "schema_remove" => row.fields.schema_remove = texts(member)?,
            "short_call_ids" => row.fields.short_call_ids = member.switch()?,
            "strict_roles" => row.fields.strict_roles = member.switch()?,
            "thought_signatures" => row.fields.thought_signatures = member.switch()?,
            "takes_reasoning" => row.fields.takes_reasoning = member.switch()?,
            "caps_max_tokens" => row.fields.caps_max_tokens = member.switch()?,
            "routes" => row.routes = member.switch()?,
            "mends" => row.mends = member.switch()?,
            "counts_max_tokens" => row.counts_max_tokens = member.switch()?,
            "gives" => row.gives = member.line_of_text()?,
            "sign_up" => row.sign_up = address(member)?,
            "caveats" => row.caveats = member.line_of_text()?,
            "source" => row.source = member.line_of_text()?,
            _ => return Err(member.unknown("a row", MEMBERS)),
        }
        Ok(())
    }

    /// What the members must satisfy together.
    fn end(self, line: usize, members: &[Member], notes: &mut Notes) -> FileProvider {
        let row = self.row;
        let has = |name: &str| members.iter().any(|member| member.name == name);
        if row.custom && !has("base_url") {
            let named = row.id.as_str();
            let meant = did_you_mean(named, &self.whose.names());
            let sentence =
                format!("is not a built-in provider, and a new one needs its base_url{meant}");
            notes.note(Mistake::new(line, shown(named), sentence));
        }
        if row.takes_account_id() && row.account_id_name.is_none() {
            let line = self.address_line.unwrap_or(line);
            let sentence = format!("is in an address of {}, which has no account ids", row.id);
            notes.note(Mistake::new(line, address::ACCOUNT_ID, sentence));
        }
        FileProvider {
            provider: row.into(),
            keys: self.keys,
            address_line: self.address_line,
            line,
        }
    }
}

fn address(member: &Member) -> Result<String, Mistake> {
    address::whole(member.text()?).map_err(|rule| member.wrong(rule))
}

fn texts(member: &Member) -> Result<Vec<String>, Mistake> {
    let texts = member.list()?.iter();
    texts
        .map(|node| node.text(&member.name).map(str::to_owned))
        .collect()
}

/// `bearer`, `none`, or the name of the header that holds the key.
fn auth(member: &Member) -> Result<Auth, Mistake> {
    /// Headers with another meaning, or that are set elsewhere on the way.
    const TAKEN: &[&str] = &[
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-free-llm-proxy-hop",
    ];
    let text = member.text()?;
    match text {
        "bearer" => return Ok(Auth::Bearer),
        "none" => return Ok(Auth::None),
        _ if looks_like_key(text) => {
            return Err(Mistake::new(
                member.line,
                "auth",
                "names the header that holds the key, and contains a key: put it into a file, and that \
                 file's name into `keys`",
            ));
        }
        _ => {}
    }
    let name = http::HeaderName::from_bytes(text.as_bytes()).ok();
    name.filter(|name| text.len() <= 64 && !TAKEN.contains(&name.as_str()))
        .map(|name| Auth::Header(name.as_str().to_owned()))
        .ok_or_else(|| {
            member.wrong("must be \"bearer\", \"none\" or the name of the header for the key")
        })
}

/// An address, several to be tried in turn, or `chat` if only a chat request can tell.
fn key_test(member: &Member) -> Result<KeyTest, Mistake> {
    if let What::List(_) = member.node.what {
        let urls = texts(member)?;
        let checked: Result<_, _> = urls.iter().map(|url| address::whole(url)).collect();
        return checked.map(KeyTest::Get).map_err(|rule| member.wrong(rule));
    }
    match member.text()? {
        "chat" => Ok(KeyTest::Chat),
        _ => Ok(KeyTest::Get(vec![address(member)?])),
    }
}

/// `no`, `may` or `unknown`; a switch covers the first two.
fn training(member: &Member) -> Result<Training, Mistake> {
    if let What::Switch(may) = member.node.what {
        return Ok(if may { Training::May } else { Training::No });
    }
    member.word(TRAINING)
}
