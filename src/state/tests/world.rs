//! A proxy's knowledge, and what comes back of it through the text of the file.

use std::sync::Arc;
use std::time::Duration;

use super::used;
use crate::clock::Now;
use crate::config::Config;
use crate::learnt::{Salt, Through};
use crate::ledger::{Ask, Headroom};
use crate::model::{AccountId, Capability, KeyMark, ModelId, Subject};
use crate::registry::Registry;
use crate::request::FieldName;
use crate::state::{Form, Roll};
use crate::verdict::{AccountLimit, Rest};

pub(super) const SALT: [u8; 16] = [7; 16];
const LIMITS: &str =
    "[providers.groq]\nlimits = [{ requests = 3, per = 'day', of = 'account', ends = 'utc' }]\n";

/// The settings with these keys for Groq, and one for Mistral; and what `CONFIG_FILE` adds.
pub(super) fn config(groq: &[(&str, &str)], file: &str) -> Config {
    let read = |name: &str| {
        let own = groq.iter().find(|(variable, _)| *variable == name);
        match name {
            "PROXY_API_KEY" => Some("a-key-of-the-proxy".to_owned()),
            "MISTRAL_API_KEY" => Some("a-key-of-mistral".to_owned()),
            _ => own.map(|(_, key)| (*key).to_owned()),
        }
    };
    Config::read_with_file(read, &format!("{LIMITS}{file}")).unwrap()
}

/// What is known under these settings, with one model at each provider.
pub(super) struct World {
    pub(super) registry: Arc<Registry>,
    pub(super) roll: Roll,
    pub(super) accounts: Vec<Arc<AccountId>>,
}

impl World {
    pub(super) fn new(config: &Config) -> Self {
        let registry = Registry::with_limits_of(config.providers.clone(), config.learning);
        let accounts = config.accounts.iter();
        Self {
            registry: Arc::new(registry),
            roll: Roll::of(&config.accounts, Salt::new(SALT)),
            accounts: accounts
                .map(|account| Arc::new(account.id.clone()))
                .collect(),
        }
    }

    /// The list is read.
    pub(super) fn list(&self) {
        let model = || ModelId::try_from("m").unwrap();
        let models = [("groq", model()), ("mistral", model())];
        used::list(&self.registry, models, self.accounts.clone());
    }

    /// The account of this label uses up its day, its model rests, lacks tools, and was slow once.
    pub(super) fn uses_up(&self, label: &str) {
        let snapshot = self.registry.snapshot().unwrap();
        let mut candidates = snapshot.candidates().iter();
        let candidate = candidates.find(|one| &*one.account.label == label).unwrap();
        used::is_asked(&self.registry, &snapshot, candidate, 3);
        let now = Now::read();
        let learning = crate::learnt::Parameters::default();
        let evidences = snapshot.evidences();
        evidences.teach(candidate.index, &learning, now, |evidence, through| {
            if through == Through::Its {
                evidence.began(through, now.steady);
                evidence.failed(
                    through,
                    now.steady,
                    &learning,
                    now.plus(Duration::from_secs(9)),
                );
            }
        });
        let rests = |subject: &Subject, limit, for_seconds| {
            let because = used::because(candidate, Some(limit), now);
            let rest = Rest::For(Duration::from_secs(for_seconds));
            self.registry.rest(subject, because, rest, now);
        };
        rests(candidate.of_account(), AccountLimit::Day, 3600);
        rests(candidate.itself(), AccountLimit::Minute, 3600);
        rests(candidate.model(), AccountLimit::Quota, 3600);
        let key = Subject::key(&candidate.account, KeyMark::of(["key-two-of-groq"]));
        rests(&key, AccountLimit::Key, 600);
        self.registry.learn(candidate.model(), Capability::Tools);
        self.registry.learn_window(candidate.model(), 8192);
        let field = FieldName::new("top_k").unwrap();
        self.registry.learn_refused(candidate.model(), field);
    }

    pub(super) fn text(&self) -> Vec<u8> {
        let (lasting, now) = self.registry.export();
        let form = Form::of(lasting, &self.roll, Salt::new(SALT), None, now);
        form.text().unwrap()
    }

    /// Takes over what this text says.
    pub(super) fn takes(self, text: &[u8]) -> Self {
        let (lasting, written_at) = Form::read(text).unwrap().lasting(&self.roll);
        self.registry.merge(lasting, written_at, Now::read());
        self
    }

    /// What is known of the account with this label: whether its day is used up, it rests, its second key rests, its
    /// candidate rests and has failed.
    pub(super) fn knows(&self, label: &str) -> String {
        let snapshot = self.registry.snapshot().unwrap();
        let mut candidates = snapshot.candidates().iter();
        let candidate = candidates.find(|one| &*one.account.label == label).unwrap();
        let mut found = Vec::new();
        self.registry.with_known_now(|known, now| {
            let slot = snapshot.slot(candidate).unwrap();
            let room = known.ledger.headroom(slot, Ask::default, now);
            let rests = |subject: &Subject| known.rest_of(subject, now).is_some();
            #[rustfmt::skip]
            let all = [
                ("day",       matches!(room, Headroom::Out { .. })),
                ("account",   rests(candidate.of_account())),
                ("key",       rests(&Subject::key(&candidate.account, KeyMark::of(["key-two-of-groq"])))),
                ("candidate", rests(candidate.itself())),
            ];
            found.extend(all.into_iter().filter_map(|(what, is)| is.then_some(what)));
        });
        let learnt = |known: Option<&_>| known.is_some();
        if snapshot.evidences().with(candidate.index, learnt) {
            found.push("figures");
        }
        found.join(" ")
    }

    /// The same of the model at Groq, through whatever account.
    pub(super) fn knows_of_model(&self) -> String {
        let snapshot = self.registry.snapshot().unwrap();
        let model = snapshot.candidates().first().unwrap().model().clone();
        self.registry.with_rests_now(|rests, now| {
            let rest = rests.rest_of(&model, now).is_some();
            let (lacks, refuses) = (rests.found_lacking(&model), rests.found_refusing(&model));
            let window = rests.window(snapshot.candidates().first().unwrap());
            format!("{rest} {} {} {window:?}", lacks.len(), refuses.len())
        })
    }
}
