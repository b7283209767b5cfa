//! The script of `demo`: three accounts with small quotas, and a model that fails from time to
//! time.

use crate::answers::Answer;
use crate::failed::Failed;
use crate::failures::Failure;
use crate::providers::{Account, Ends, Limit, Per, ProviderScript};
use crate::script::Script;
use crate::step::Step;

impl Script {
    /// OpenRouter, Groq and Gemini, each with one account under this key, and quotas so small that
    /// within a minute of use an account runs out, another takes over, and the first one returns.
    ///
    /// OpenRouter's best model is rate-limited after every few answers, its second fails inside a
    /// 200 from time to time, and all of them answer at a speed that can be watched. `groq`
    /// requests a minute and `gemini` requests a day are all that those two allow.
    #[must_use]
    pub fn demo(keys: &DemoKeys<'_>, groq: u64, gemini: u64) -> Self {
        const FREE: &[&str] = &["*:free", "openrouter/free"];
        let openrouter = Account::new("openrouter", keys.openrouter).limits([
            Limit::requests(6, Per::Minute).models(FREE),
            Limit::requests(50, Per::Day).ends(Ends::Utc).models(FREE),
        ]);
        let groq = Account::new("groq", keys.groq).limits([Limit::requests(groq, Per::Minute)]);
        let gemini =
            Account::new("gemini", keys.gemini)
                .limits([Limit::requests(gemini, Per::Day).ends(Ends::Pacific)]);
        let said = |provider: &str| {
            Step::from(Answer {
                text: Some(format!("Hello! This is {provider}, simulated.")),
                ..paced()
            })
        };
        let of = |account: Account| ProviderScript::new().account(account);
        let thinking = Answer {
            reasoning: Some("The user wants an answer, and no better model is awake.".to_owned()),
            ..paced()
        };
        let ok = || Step::from(paced());
        let limited =
            Step::failure(Failed::from(Failure::ProviderLimitRetryAfter).retry_after("10"));
        Self::new()
            .model(
                "inclusionai/ling-2.6-flash:free",
                [ok(), ok(), ok(), limited],
            )
            .model(
                "inclusionai/ling-2.6-1t:free",
                [ok(), ok(), Step::failure(Failure::OkErrorBadGateway)],
            )
            .others(Step::from(thinking))
            .provider("openrouter", of(openrouter))
            .provider("groq", of(groq).others(said("Groq")))
            .provider("gemini", of(gemini).others(said("Gemini")))
    }
}

/// The keys of the demo's accounts.
pub struct DemoKeys<'a> {
    /// At OpenRouter.
    pub openrouter: &'a str,
    /// At Groq.
    pub groq: &'a str,
    /// At Gemini.
    pub gemini: &'a str,
}

fn paced() -> Answer {
    Answer {
        chunks: 16,
        delay_ms: 25,
        first_delay_ms: 150,
        comments: 1,
        ..Answer::default()
    }
}
