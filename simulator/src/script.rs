//! A script: what each model does on each attempt, and what the other routes do.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::providers::{Provider, ProviderScript};
use crate::step::Step;

/// What everything does. By default everything answers well.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// What each model does on its successive attempts.
    #[serde(deserialize_with = "plans")]
    pub models: BTreeMap<String, Plan<Step>>,
    /// What an unlisted model does; each has its own count of attempts.
    pub default: Plan<Step>,
    /// Unless empty: what every free model does, whatever its own plan, with one count for all.
    pub account: Plan<Step>,
    /// What the ranking does.
    pub list: Plan<Step>,
    /// What the upstream's catalogue does.
    pub catalogue: Plan<Step>,
    /// What the upstream's key endpoint does.
    pub key: Plan<Step>,
    /// What providers do, by name (see [`crate::provider_names`]); an unlisted one answers well.
    pub providers: BTreeMap<String, ProviderScript>,
    /// What happens to each accepted connection.
    pub connections: Plan<Greeting>,
    /// The only valid key, unless any is.
    pub upstream_key: Option<String>,
    /// How much of the requests is kept.
    pub record: Recording,
}

/// What happens to an accepted connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Greeting {
    /// It is served.
    Ok,
    /// It is reset at once.
    Reset,
    /// It is closed at once.
    Close,
    /// It is never read.
    Stall,
    /// It is closed without a word after this many answers.
    CloseAfter(u64),
    /// It dies without an answer on the request after this many: a stale pooled connection.
    DieAfter(u64),
}

/// How much of the requests is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recording {
    /// Heads and bodies.
    #[default]
    All,
    /// Heads only.
    Heads,
    /// Nothing; answers with a fixed text are then built once and sent again unchanged, id
    /// included: for benchmarks.
    Off,
}

/// Successive steps, and what follows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<T> {
    /// The steps.
    pub steps: Vec<T>,
    /// What follows the last.
    pub end: PlanEnd,
}

/// What follows the last step of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanEnd {
    /// The first again.
    #[default]
    Cycle,
    /// The last again and again.
    Last,
    /// Good answers from then on.
    Ok,
}

impl<T> Plan<T> {
    /// With this after the last step.
    #[must_use]
    pub fn then(mut self, end: PlanEnd) -> Self {
        self.end = end;
        self
    }

    /// The step of the attempt with this number, counted from 0. None: a good answer.
    pub(super) fn at(&self, attempt: usize) -> Option<&T> {
        let last = self.steps.len().checked_sub(1)?;
        self.steps.get(match self.end {
            PlanEnd::Cycle => attempt % self.steps.len(),
            PlanEnd::Last => attempt.min(last),
            PlanEnd::Ok => attempt,
        })
    }
}

impl<T> Default for Plan<T> {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            end: PlanEnd::default(),
        }
    }
}

impl<T> From<Vec<T>> for Plan<T> {
    fn from(steps: Vec<T>) -> Self {
        Self {
            steps,
            end: PlanEnd::default(),
        }
    }
}

impl<T, const N: usize> From<[T; N]> for Plan<T> {
    fn from(steps: [T; N]) -> Self {
        Vec::from(steps).into()
    }
}

impl From<Step> for Plan<Step> {
    fn from(step: Step) -> Self {
        vec![step].into()
    }
}

impl From<Greeting> for Plan<Greeting> {
    fn from(greeting: Greeting) -> Self {
        vec![greeting].into()
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Plan<T> {
    /// A step, a list of steps, or `{"steps": [...], "then": "cycle" | "last" | "ok"}`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut written = Value::deserialize(deserializer)?;
        let mut end = PlanEnd::default();
        if let Some(plan) = written
            .as_object_mut()
            .filter(|plan| plan.contains_key("steps"))
        {
            if let Some(then) = plan.remove("then") {
                end = PlanEnd::deserialize(then).map_err(D::Error::custom)?;
            }
            written = plan.remove("steps").unwrap_or_default();
        }
        let steps = if let Value::Array(steps) = written {
            steps
        } else {
            vec![written]
        };
        let numbered = steps.into_iter().enumerate().map(|(at, step)| {
            T::deserialize(step).map_err(|e| D::Error::custom(format!("step {}: {e}", at + 1)))
        });
        Ok(Self {
            steps: numbered.collect::<Result<_, _>>()?,
            end,
        })
    }
}

/// Plans by model; an error names its model.
pub(super) fn plans<'de, D>(deserializer: D) -> Result<BTreeMap<String, Plan<Step>>, D::Error>
where
    D: Deserializer<'de>,
{
    let written = BTreeMap::<String, Value>::deserialize(deserializer)?;
    let read = |(model, plan)| match Plan::deserialize::<Value>(plan) {
        Ok(plan) => Ok((model, plan)),
        Err(e) => Err(D::Error::custom(format!("model {model}: {e}"))),
    };
    written.into_iter().map(read).collect()
}

impl Script {
    /// Everything answers well.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a script as it is PUT.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let script: Self = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let unknown = |name: &&String| Provider::named(name).is_none();
        match script.providers.keys().find(unknown) {
            Some(name) => Err(format!("there is no provider `{name}`")),
            None => Ok(script),
        }
    }

    /// With this plan for this model.
    #[must_use]
    pub fn model(mut self, id: impl Into<String>, plan: impl Into<Plan<Step>>) -> Self {
        self.models.insert(id.into(), plan.into());
        self
    }

    /// With this plan for the models that are not named.
    #[must_use]
    pub fn others(mut self, plan: impl Into<Plan<Step>>) -> Self {
        self.default = plan.into();
        self
    }

    /// With this plan for all free models together.
    #[must_use]
    pub fn account(mut self, plan: impl Into<Plan<Step>>) -> Self {
        self.account = plan.into();
        self
    }

    /// With this plan for the ranking.
    #[must_use]
    pub fn list(mut self, plan: impl Into<Plan<Step>>) -> Self {
        self.list = plan.into();
        self
    }

    /// With this plan for the catalogue.
    #[must_use]
    pub fn catalogue(mut self, plan: impl Into<Plan<Step>>) -> Self {
        self.catalogue = plan.into();
        self
    }

    /// With this plan for the key endpoint.
    #[must_use]
    pub fn key(mut self, plan: impl Into<Plan<Step>>) -> Self {
        self.key = plan.into();
        self
    }

    /// With this for this provider.
    #[must_use]
    pub fn provider(mut self, name: impl Into<String>, script: ProviderScript) -> Self {
        self.providers.insert(name.into(), script);
        self
    }

    /// With this plan for connections.
    #[must_use]
    pub fn connections(mut self, plan: impl Into<Plan<Greeting>>) -> Self {
        self.connections = plan.into();
        self
    }

    /// With this as the only valid key.
    #[must_use]
    pub fn upstream_key(mut self, key: impl Into<String>) -> Self {
        self.upstream_key = Some(key.into());
        self
    }

    /// With this much of the requests kept.
    #[must_use]
    pub fn record(mut self, record: Recording) -> Self {
        self.record = record;
        self
    }
}
