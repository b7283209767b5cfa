//! The script of `demo`: everything works, and now and then a model does not.

use crate::answers::Answer;
use crate::failed::Failed;
use crate::failures::Failure;
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
}
