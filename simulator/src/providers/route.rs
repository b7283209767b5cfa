//! Which answer a request to a provider gets: its account, the script's step, what is refused, what
//! the limits allow.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde_json::{Value, json};

use super::accounts::{Account, Asking, asking};
use super::answer::{Fill, Told};
use super::over::{in_words, refused, stated};
use super::place::{Place, What};
use super::quota::{Cost, Running, Who};
use super::row::{Document, Provider};
use super::script::ProviderScript;
use crate::Simulator;
use crate::act::{Act, Reply};
use crate::answers::Answer;
use crate::asked::Asked;
use crate::clock::Now;
use crate::play::{Played, Subject};
use crate::program::Program;
use crate::routes::finished;
use crate::script::Plan;
use crate::step::Step;
use crate::wire::Request;

/// The answer to a request.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) acts: Arc<[Act]>,
    pub(crate) status: Option<u16>,
    pub(crate) account: Option<String>,
    /// Why it did not get a good answer, in a few words; see [`crate::Seen::why`].
    pub(crate) why: Option<String>,
    /// Keeps its place among the concurrent requests.
    pub(crate) running: Option<Running>,
}

impl Outcome {
    pub(crate) fn new(
        request: &Request,
        account: Option<&str>,
        why: Option<String>,
        played: Played,
    ) -> Self {
        let (status, acts) = match played {
            Played::Reply(reply) => (Some(reply.status), finished(request, reply)),
            Played::Acts(acts) => (None, acts),
        };
        Self {
            acts: acts.into(),
            status,
            account: account.map(str::to_owned),
            why,
            running: None,
        }
    }
}

/// A request to a provider, and what is known about both.
struct Visit<'a> {
    place: &'a Place<'a>,
    program: &'a Program,
    script: &'a ProviderScript,
    request: &'a Request,
    now: Now,
}

impl Simulator {
    /// The answer to a request to a provider.
    pub(crate) fn provided(
        &self,
        program: &Program,
        place: &Place<'_>,
        request: &Request,
        asked: Option<Result<Asked<'_>, crate::Failure>>,
        now: Now,
    ) -> Outcome {
        let none = ProviderScript::default();
        let script = program.script.providers.get(&place.provider.name);
        let visit = Visit {
            place,
            program,
            script: script.unwrap_or(&none),
            request,
            now,
        };
        let number = self.shared.answers.fetch_add(1, Ordering::Relaxed);
        match (place.what, asked) {
            (What::Chat | What::Legacy, Some(asked)) => visit.chat(asked, number),
            (What::List, _) => visit.list(),
            (What::Document(document), _) => visit.document(document),
            (What::Nothing | What::Chat | What::Legacy, _) => {
                let why = format!("nothing is at {}", place.path);
                let answer = Reply::json(404, &json!({"detail": "Not Found"}));
                visit.end(None, Some(why), answer)
            }
        }
    }
}

impl<'a> Visit<'a> {
    fn provider(&self) -> &'static Provider {
        self.place.provider
    }

    fn end(&self, account: Option<&Account>, why: Option<String>, reply: Reply) -> Outcome {
        let account = account.map(|account| account.label(&self.provider().name));
        Outcome::new(self.request, account, why, Played::Reply(reply))
    }

    fn accounts(&self) -> &'a [Account] {
        match &*self.script.accounts {
            [] => &self.place.provider.accounts,
            given => given,
        }
    }

    /// The account of the request, or the answer if there is none.
    fn account(&self) -> Result<&'a Account, Box<Outcome>> {
        let provider = self.provider();
        let refused = |told: &Told| {
            let reply = told.reply(&Fill::default());
            Err(Box::new(self.end(None, Some("key".to_owned()), reply)))
        };
        let key_header = provider.key_header.as_deref();
        match asking(self.accounts(), key_header, &self.request.headers) {
            Asking::WrongKey => refused(&provider.key_refused),
            Asking::NoKey => refused(
                provider
                    .key_missing
                    .as_ref()
                    .unwrap_or(&provider.key_refused),
            ),
            Asking::Account(account) => match (&provider.wrong_account, self.place.account_id) {
                (Some(told), Some(id)) if id != account.id => {
                    let reply = told.reply(&Fill::default().with("ID", id));
                    let why = Some("another account's address".to_owned());
                    Err(Box::new(self.end(Some(account), why, reply)))
                }
                _ => Ok(account),
            },
        }
    }

    fn who(&self, account: &'a Account) -> Who<'a> {
        Who {
            provider: &self.place.provider.name,
            account: account.label(&self.place.provider.name),
            limits: account.limits_at(&self.place.provider.limits),
        }
    }

    fn entries(&self) -> Vec<Value> {
        let list = &self.provider().list;
        match &self.script.entries {
            Some(entries) => list.shaped(entries),
            None => list.entries.clone(),
        }
    }

    fn next<'p>(&self, what: &str, plan: &'p Plan<Step>) -> Option<&'p Step> {
        self.program.provider(&self.provider().name, what, plan)
    }

    fn list(&self) -> Outcome {
        let account = match self.account() {
            Ok(account) => Some(account),
            Err(_) if self.provider().list.public => None,
            Err(outcome) => return *outcome,
        };
        let step = self.next("list", &self.script.list);
        let document = self.provider().list.document(self.entries());
        self.said(account, step, document)
    }

    fn document(&self, document: &Document) -> Outcome {
        let account = match self.account() {
            Ok(account) => Some(account),
            Err(_) if !document.with_key => None,
            Err(outcome) => return *outcome,
        };
        let body = match (&document.of_model, account) {
            (None, Some(account)) if self.provider().name == "openrouter" => {
                self.quota_of(account, document.body.clone())
            }
            (None, _) => document.body.clone(),
            (Some(models), _) => {
                let asked: Value = serde_json::from_slice(&self.request.body).unwrap_or_default();
                let named = asked["model"].as_str().or(asked["name"].as_str());
                match named.and_then(|model| models.get(model)) {
                    Some(body) => body.clone(),
                    None => {
                        let fill = Fill::default().with("MODEL", named.unwrap_or_default());
                        let reply = self.provider().no_model.reply(&fill);
                        return self.end(account, Some("no such model".to_owned()), reply);
                    }
                }
            }
        };
        let step = match self.provider().key_test.as_deref() {
            Some(path) if path == document.path => self.next("key", &self.script.key),
            Some(_) | None => None,
        };
        self.said(account, step, body)
    }

    /// What OpenRouter's key endpoint says about the day (reference `openrouter.md` §7).
    fn quota_of(&self, account: &'a Account, mut body: Value) -> Value {
        let states =
            self.program
                .quotas
                .states(self.who(account), "x:free", Cost::default(), self.now.wall);
        let day = states
            .iter()
            .find(|state| state.limit.per == Some(super::Per::Day));
        if let Some(day) = day {
            let remaining = day.limit.amount.saturating_sub(day.used);
            body["data"]["free_model_daily_requests"] =
                json!({"used": day.used, "limit": day.limit.amount, "remaining": remaining});
        }
        body
    }

    fn said(&self, account: Option<&Account>, step: Option<&Step>, document: Value) -> Outcome {
        let subject = Subject::Document {
            body: Bytes::from(document.to_string()),
            headers: &[],
        };
        let played = match step {
            Some(step) => subject.meets(step, self.now),
            None => Played::Reply(subject.good(&Answer::default(), self.now)),
        };
        let why = step.and_then(Step::in_words);
        let account = account.map(|account| account.label(&self.provider().name));
        Outcome::new(self.request, account, why, played)
    }

    /// The script's step for this request to this account.
    fn step(&self, account: &Account, model: &str) -> Option<&'a Step> {
        let provider = &self.provider().name;
        let accounts = self.accounts();
        let this = accounts.iter().find(|one| *one == account)?;
        if !this.meets.steps.is_empty() {
            let what = format!("account {}", this.label(provider));
            return self.program.provider(provider, &what, &this.meets);
        }
        if provider == "openrouter" {
            return self.program.model(model);
        }
        let plan = self.script.models.get(model);
        let plan = plan.unwrap_or(&self.script.default);
        self.program
            .provider(provider, &format!("model {model}"), plan)
    }

    fn chat(&self, asked: Result<Asked<'_>, crate::Failure>, number: u64) -> Outcome {
        let account = match self.account() {
            Ok(account) => account,
            Err(outcome) => return *outcome,
        };
        let asked = match asked {
            Ok(asked) => asked.to(self.provider()),
            Err(_) => {
                let told = Told::new(
                    400,
                    json!({"error": {"message": "The request cannot be read", "type": "invalid_request_error"}}),
                );
                let why = Some("malformed".to_owned());
                return self.end(Some(account), why, told.reply(&Fill::default()));
            }
        };
        let step = self.step(account, &asked.model);
        let subject = Subject::Chat {
            asked: &asked,
            number,
            prompt_bytes: self.request.body.len(),
        };
        let who = self.who(account);
        if let Some(step) = step.filter(|step| !step.is_an_answer()) {
            let cost = Cost::default();
            let quotas = &self.program.quotas;
            quotas.charge(who, &asked.model, cost, self.now.wall);
            let played = subject.meets(step, self.now);
            return Outcome::new(self.request, Some(who.account), step.in_words(), played);
        }
        if let Some(nowhere) = self.provider().no_legacy.as_ref().filter(|_| asked.legacy) {
            let why = Some("no legacy endpoint".to_owned());
            return self.end(Some(account), why, nowhere.reply(&Fill::default()));
        }
        if let Some((why, reply)) = self.turned_away(&asked.model, step.is_some()) {
            return self.end(Some(account), Some(why), reply);
        }
        self.within_limits(who, &asked, &subject, step)
    }

    /// The answer to a request that the provider refuses for everyone, and why.
    fn turned_away(&self, model: &str, is_scripted: bool) -> Option<(String, Reply)> {
        let provider = self.provider();
        let entries = self.entries();
        let listed = || provider.list.ids(&entries).any(|id| id == model);
        if provider.name != "openrouter" && !is_scripted && !listed() {
            let fill = Fill::default().with("MODEL", model);
            return Some(("no such model".to_owned(), provider.no_model.reply(&fill)));
        }
        let request: Value = serde_json::from_slice(&self.request.body).unwrap_or_default();
        let mut refusals = self.script.refuses.iter().chain(&provider.refuses);
        let by_row = || refusals.find_map(|row| Some((&row.answer, row.refuses(&request, model)?)));
        let unknown = || {
            let knows = provider.knows.as_ref()?;
            Some((&knows.answer, knows.refuses(&request)?))
        };
        let keyword = || {
            let keywords = provider.keywords.as_ref()?;
            Some((&keywords.answer, keywords.refuses(&request)?))
        };
        let checked = || {
            let mut checks = provider.checks.iter();
            checks.find_map(|row| Some((&row.answer, row.refuses(&request)?)))
        };
        let refused = { by_row }();
        let (told, fill) = refused.or_else(unknown).or_else(keyword).or_else(checked)?;
        let why = format!("field {}", fill.field());
        Some((why, told.reply(&fill.with("MODEL", model))))
    }

    /// The answer, if the account's limits allow it.
    fn within_limits(
        &self,
        who: Who<'_>,
        asked: &Asked<'_>,
        subject: &Subject<'_>,
        step: Option<&Step>,
    ) -> Outcome {
        let (provider, quotas, at) = (self.provider(), &self.program.quotas, self.now.wall);
        let model = &*asked.model;
        let expected = Cost {
            tokens_in: self.request.body.len().div_ceil(4) as u64,
            tokens_out: match provider.counts_max_tokens {
                true => asked.max_tokens().unwrap_or(0),
                false => 0,
            },
        };
        let states = quotas.states(who, model, expected, at);
        if let Some(refused) = refused(provider, &states, model, at) {
            let words = in_words(refused.state);
            let why = match refused.too_large {
                true => format!("too large for {words}"),
                false => format!("over {words}"),
            };
            let reply = stated(provider, &states, refused.answer, at);
            return Outcome::new(
                self.request,
                Some(who.account),
                Some(why),
                Played::Reply(reply),
            );
        }
        let running = quotas.begin(who, model);
        let fitting = Step::fitting();
        let step = step.unwrap_or(&fitting);
        let (tokens_in, tokens_out) = subject.cost(step, self.now);
        let cost = Cost {
            tokens_in,
            tokens_out,
        };
        quotas.charge(who, model, cost, at);
        let played = subject.meets(step, self.now);
        let played = match played {
            Played::Reply(reply) => {
                let states = quotas.states(who, model, Cost::default(), at);
                Played::Reply(stated(provider, &states, reply, at))
            }
            acts @ Played::Acts(_) => acts,
        };
        Outcome {
            running,
            ..Outcome::new(self.request, Some(who.account), None, played)
        }
    }
}
