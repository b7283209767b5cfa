//! The script of `demo`: everything works, and now and then a model does not.

use crate::answers::Answer;
use crate::failed::Failed;
use crate::failures::Failure;
use crate::providers::{Account, Ends, Limit, Per, Provider, ProviderScript};
use crate::script::Script;
use crate::step::Step;

impl Script {
    /// The best model is rate-limited after every few answers, the second fails inside a 200 now
    /// and then, and all speak at a pace that can be watched.
    #[must_use]
    pub fn demo() -> Self {
        let paced = Answer {
            chunks: 16,
            delay_ms: 25,
            first_delay_ms: 150,
            comments: 1,
            ..Answer::default()
        };
        let thinking = Answer {
            reasoning: Some("The user wants an answer, and there is nobody else awake.".to_owned()),
            ..paced.clone()
        };
        let ok = || Step::from(paced.clone());
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
    }

    /// The same with three providers that have small quotas, so that within a minute one sees an account
    /// run out, another take over, and the first return. `key` is that of the OpenRouter account; the
    /// others have those of their files ([`crate::Providers::keys`]).
    #[must_use]
    pub fn demo_of_accounts(key: &str) -> Self {
        let paced = |text: &str| {
            Step::from(Answer {
                chunks: 12,
                delay_ms: 25,
                first_delay_ms: 100,
                ..Answer::text(text)
            })
        };
        let of_file = |provider: &str| {
            let row = Provider::named(provider);
            let account = row.and_then(|row| row.accounts.first());
            account.cloned().unwrap_or_default()
        };
        let openrouter = Account::new("openrouter", key).limits([
            Limit::requests(6, Per::Minute).models(&["*:free", "openrouter/free"]),
            Limit::requests(50, Per::Day)
                .ends(Ends::Utc)
                .models(&["*:free", "openrouter/free"]),
        ]);
        let groq = of_file("groq").limits([
            Limit::requests(4, Per::Minute).of_model(),
            Limit::requests(1000, Per::Day).of_model(),
            Limit::tokens(8000, Per::Minute).of_model(),
        ]);
        let gemini = of_file("gemini").limits([
            Limit::requests(5, Per::Minute).of_model(),
            Limit::requests(20, Per::Day).of_model().ends(Ends::Pacific),
        ]);
        let said = |provider: &str| paced(&format!("Hello! This is {provider}, simulated."));
        let of = |account: Account| ProviderScript::new().account(account);
        Self::demo()
            .provider("openrouter", of(openrouter))
            .provider("groq", of(groq).others(said("Groq")))
            .provider("gemini", of(gemini).others(said("Gemini")))
    }
}
