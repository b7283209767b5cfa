//! The one table of settings: names, defaults and meanings, in the order people read them.
//!
//! The parser takes its defaults from here; `--help`, `.env.example` and `docs/configuration.md`
//! are printed from it. What a value must look like is defined in `value` and `address`.

/// One setting, as its operator sees it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What applies if it is not set.
    pub preset: Preset,
    /// One sentence: what it does, and its unit.
    pub meaning: &'static str,
    /// The heading it is listed under.
    pub group: Group,
}

/// What applies if a setting is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// There is no default: the program refuses to run, and says where to get a value.
    Required(&'static str),
    /// There is none, and that is fine.
    None,
    /// This text, read as if it had been given.
    Text(&'static str),
    /// The value of this other setting.
    Same(&'static str),
}

/// The headings of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The keys, except those of the table of providers.
    Keys,
    /// Which providers are on.
    Providers,
    /// Where it listens and which callers are allowed.
    Listening,
    /// Which models there are and which one is used.
    Models,
    /// How the upstream is reached.
    Upstream,
    /// How candidates are ordered.
    Routing,
    /// The constants behind that order, for people who measure: only in `docs/routing.md` (spec §11.1).
    Learning,
    /// How long anything may take.
    Waiting,
    /// How long a failed model is left alone.
    Cooldowns,
    /// What the operator sees.
    Telemetry,
    /// Limits on the size, depth and slowness of input.
    Limits,
    /// The proxy between this program and the internet.
    Outbound,
}

impl Group {
    /// All groups, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::Keys,
        Self::Providers,
        Self::Listening,
        Self::Models,
        Self::Upstream,
        Self::Routing,
        Self::Learning,
        Self::Waiting,
        Self::Cooldowns,
        Self::Telemetry,
        Self::Limits,
        Self::Outbound,
    ];

    /// The heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Keys => "Keys",
            Self::Providers => "Providers",
            Self::Listening => "Listening",
            Self::Models => "Models",
            Self::Upstream => "Upstream",
            Self::Routing => "Routing",
            Self::Learning => "Learning",
            Self::Waiting => "Waiting",
            Self::Cooldowns => "Cooldowns",
            Self::Telemetry => "Logs and metrics",
            Self::Limits => "Limits on what comes in",
            Self::Outbound => "Outbound proxy",
        }
    }

    /// The groups shown in the help, the sample file and the table of all settings.
    pub fn shown() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|group| group.is_shown())
    }

    /// Whether it is one of [`Self::shown`].
    #[must_use]
    pub fn is_shown(self) -> bool {
        self != Self::Learning
    }

    /// Its settings.
    pub fn settings(self) -> impl Iterator<Item = &'static Setting> {
        SETTINGS.iter().filter(move |setting| setting.group == self)
    }
}

impl Setting {
    /// The flag of the same name (`models-refresh-sec`), without its dashes. Keys have none,
    /// because flags show in the process list; nor have the outbound proxy variables, which belong
    /// to the environment and may contain a password.
    #[must_use]
    pub fn flag(&self) -> Option<String> {
        match self.group {
            Group::Keys | Group::Outbound => None,
            Group::Providers
            | Group::Listening
            | Group::Models
            | Group::Upstream
            | Group::Routing
            | Group::Learning
            | Group::Waiting
            | Group::Cooldowns
            | Group::Telemetry
            | Group::Limits => Some(self.name.to_ascii_lowercase().replace('_', "-")),
        }
    }

    /// The spellings to look for; the first one found counts. The outbound proxy variables are
    /// often written in lower case.
    pub(super) fn spellings(&self) -> impl Iterator<Item = String> {
        let lower = (self.group == Group::Outbound).then(|| self.name.to_ascii_lowercase());
        std::iter::once(self.name.to_owned()).chain(lower)
    }

    /// The value of its flag, as shown in the help.
    #[must_use]
    pub fn takes(&self) -> &'static str {
        match self.name {
            "HOST" | "METRICS_ADDR" => "ADDRESS",
            "PORT" => "PORT",
            "CORS_ALLOW_ORIGINS" => "ORIGINS",
            "TRUSTED_PROXIES" => "NETWORKS",
            "PROVIDERS" => "NAMES",
            "TRAINING" => "allow|refuse",
            "CONFIG_FILE" | "TRACE_FILE" => "FILE",
            "STATE" => "memory|file:PATH",
            "MODEL_ORDER" => "IDS",
            "ROUTING" => "balanced|rank",
            "MODEL_FIELD" => "ignore|prefer|pin",
            "MODEL_ALIASES" => "NAME=ID,...",
            "FALLBACK_ROUTER" | "ALLOW_PAID" | "METRICS_AUTH" | "FAIR_SHARE" => "on|off",
            "OPENROUTER_REFERER" | "OPENROUTER_TITLE" => "TEXT",
            "LOG_LEVEL" => "LEVEL",
            "MAX_JSON_DEPTH" => "LEVELS",
            "NO_PROXY" => "HOSTS",
            name if name.ends_with("_SEC") => "SECONDS",
            name if name.ends_with("_BYTES") => "BYTES",
            name if name.ends_with("_URL") || self.group == Group::Outbound => "URL",
            name if name.ends_with("_KEY") => "KEY",
            _ => "COUNT",
        }
    }

    /// Whether it says where something is sent, or through which proxy.
    pub(super) fn leads_out(&self) -> bool {
        self.group == Group::Outbound || self.name.ends_with("_URL")
    }

    /// Whether a change waits for a restart (spec §12.2).
    pub(super) fn waits_for_restart(&self) -> bool {
        #[rustfmt::skip]
        const WAITS: [&str; 7] = ["HOST", "PORT", "METRICS_ADDR", "WORKER_THREADS", "STATE", "ALLOW_PAID", "TRACE_FILE"];
        self.group == Group::Outbound || WAITS.contains(&self.name)
    }

    /// Whether no other program is known to read a variable of this name (spec §12.1).
    pub(super) fn is_ours_alone(&self) -> bool {
        #[rustfmt::skip]
        const GENERAL: [&str; 8] = ["HOST", "PORT", "LOG_LEVEL", "STATE", "TRAINING", "PROVIDERS", "ROUTING", "LOCAL_API_KEY"];
        self.group != Group::Outbound && !GENERAL.contains(&self.name)
    }

    /// The text that applies if nothing is set, if there is one.
    #[must_use]
    pub fn default_text(&self) -> Option<&'static str> {
        match self.preset {
            Preset::Text(text) => Some(text),
            Preset::Same(other) => find(other).and_then(Self::default_text),
            Preset::Required(_) | Preset::None => None,
        }
    }
}

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The setting that a variable of this name sets.
pub(super) fn spelt(name: &str) -> Option<&'static Setting> {
    SETTINGS
        .iter()
        .find(|setting| setting.spellings().any(|spelling| spelling == name))
}

const fn setting(
    group: Group,
    name: &'static str,
    preset: Preset,
    meaning: &'static str,
) -> Setting {
    Setting {
        name,
        preset,
        meaning,
        group,
    }
}

/// Every setting.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = {
    use Group::{
        Cooldowns, Keys, Learning, Limits, Listening, Models, Outbound, Providers, Routing, Telemetry, Upstream,
        Waiting,
    };
    use Preset::{None, Required, Same, Text};
    &[
        setting(Keys, "OPENROUTER_API_KEY", Required("create one at https://openrouter.ai/settings/keys"),
            "Key for OpenRouter; needed only while no other provider has a key"),
        setting(Keys, "PROXY_API_KEY", Required("make one up, or let `free-llm-proxy init` do it"),
            "What clients must present: one key, or several with commas between them, each perhaps with its client's name (alice:sk-...,ci:sk-...)"),
        setting(Keys, "LOCAL_API_KEY", None,
            "Key for LOCAL_BASE_URL, if the server there needs one"),

        setting(Providers, "PROVIDERS", None,
            "Which providers are on: exactly these (openrouter,groq), or all that have a key, plus and minus some (+kilo,-gemini)"),
        setting(Providers, "TRAINING", Text("allow"),
            "`refuse` leaves out every provider whose free tier may train on prompts, OpenRouter too"),
        setting(Providers, "CONFIG_FILE", None,
            "File for provider settings that variables cannot express; without it ~/.config/free-llm-proxy/config.toml, if that exists"),
        setting(Providers, "LOCAL_BASE_URL", None,
            "A server of your own (Ollama, llama.cpp, vLLM, LM Studio), asked last of all: http://127.0.0.1:11434/v1"),
        setting(Providers, "LOCAL_CONCURRENCY", Text("1"),
            "Requests sent to LOCAL_BASE_URL at once"),
        setting(Providers, "LOCAL_TIMEOUT_SEC", Text("120"),
            "Seconds of one attempt at LOCAL_BASE_URL until the first useful event"),

        setting(Listening, "HOST", Text("0.0.0.0"),
            "IP address to listen on, or `localhost`; 0.0.0.0 is every IPv4 address of the machine"),
        setting(Listening, "PORT", Text("8080"),
            "Port to listen on; 0 takes a free one"),
        setting(Listening, "FAIR_SHARE", Text("off"),
            "`on`: once an account's day is more than half used, no client takes more than its share while another asks"),
        setting(Listening, "TRUSTED_PROXIES", None,
            "Addresses and networks (10.0.0.0/8) of proxies in front of this one, whose X-Forwarded-For names the client"),
        setting(Listening, "CORS_ALLOW_ORIGINS", Text("*"),
            "Web origins that may call: `*` for any, or origins such as https://chat.example, comma-separated"),
        setting(Listening, "DRAIN_TIMEOUT_SEC", Text("30"),
            "Seconds for open answers to finish after SIGTERM"),
        setting(Listening, "WORKER_THREADS", None,
            "Worker threads; without it one per core"),

        setting(Models, "MODELS_LIST_URL", Text("https://shir-man.com/api/free-llm/top-models"),
            "The ranking of free models"),
        setting(Models, "MODELS_REFRESH_SEC", Text("3600"),
            "Seconds between two reads of the ranking"),
        setting(Models, "MODEL_FIELD", Text("ignore"),
            "What to do with a request's `model`: `ignore` it, `prefer` it (tried first), or `pin` it (nothing else is tried)"),
        setting(Models, "MODEL_ORDER", None,
            "Models tried first, in this order: names and ids, comma-separated, `*` at the end for all that begin like this; those of `local` by id only"),
        setting(Models, "MODEL_ALIASES", None,
            "Other names for models, comma-separated: name=id, name=auto (or auto:best, auto:fast, auto:rank), or name*=... for all that begin like this"),
        setting(Models, "FALLBACK_ROUTER", Text("on"),
            "Whether the router that the ranking names is tried after the ranked models"),
        setting(Models, "ALLOW_PAID", Text("false"),
            "Whether models that could be billed may be used"),

        setting(Upstream, "UPSTREAM_BASE_URL", Text("https://openrouter.ai/api/v1"),
            "OpenRouter's address: completions go to {this}/chat/completions"),
        setting(Upstream, "MAX_FALLBACK_ATTEMPTS", Text("5"),
            "The most models tried per request; 10 by default if there is more than one account"),
        setting(Upstream, "OPENROUTER_REFERER", Text("https://github.com/promsoft/free-llm-proxy"),
            "The `HTTP-Referer` header sent upstream"),
        setting(Upstream, "OPENROUTER_TITLE", Text("free-llm-proxy"),
            "The `X-Title` header sent upstream"),

        setting(Routing, "ROUTING", Text("balanced"),
            "Which model is asked first: the one that currently answers best and soonest (`balanced`), or always the best by rank (`rank`)"),

        setting(Learning, "RANK_WORTH_SEC", Text("2"),
            "Seconds that one place in the ranking is worth; may be 0"),
        setting(Learning, "LEARN_HALF_LIFE_SEC", Text("60"),
            "Seconds after which an observation of a model counts half"),
        setting(Learning, "LEARN_HALF_LIFE_MAX_SEC", Text("480"),
            "The same, at most, when costly findings double it; never below LEARN_HALF_LIFE_SEC"),
        setting(Learning, "LEARN_SLOW_SEC", Text("3.75"),
            "Seconds above which a time to first token is a costly finding; may be 0"),
        setting(Learning, "LEARN_SLOW_FAILURE_SEC", Text("3"),
            "Seconds above which a failure is a costly finding; may be 0"),
        setting(Learning, "LEARN_SLOW_EVERY_SEC", Text("20"),
            "Seconds within which at most one costly finding counts; may be 0"),
        setting(Learning, "LEARN_PRIOR_TTFT_SEC", Text("1.5"),
            "Assumed seconds to the first token of an unknown model"),
        setting(Learning, "LEARN_FAILURE_SEC", Text("1"),
            "Seconds that a failure costs beyond the time it takes; may be 0"),
        setting(Learning, "LEARN_TIGHT_SEC", Text("10"),
            "Seconds that it costs on top when the quota is used up; may be 0"),
        setting(Learning, "LEARN_BREAK_SEC", Text("45"),
            "Seconds that an answer that breaks off costs; may be 0"),
        setting(Learning, "LEARN_BREAK_HALF_LIFE_SEC", Text("1800"),
            "Seconds after which a break counts half"),
        setting(Learning, "LEARN_STICKY_SEC", Text("1.5"),
            "Seconds of discount for the model that gave a session's last answer; may be 0"),
        setting(Learning, "LEARN_STICKY_ACCOUNT_SEC", Text("1"),
            "Seconds of discount for its account; may be 0"),
        setting(Learning, "LEARN_STICKY_FOR_SEC", Text("600"),
            "Seconds that these discounts last after a session's last answer; may be 0"),
        setting(Learning, "LEARN_FIRST_REST_SEC", Text("5"),
            "Seconds of the first rest if the upstream does not say how long; doubles up to 120; may be 0"),
        setting(Learning, "LEARN_LIMIT_MIN_SEC", Text("5"),
            "The least seconds given for a first token; may be 0"),

        setting(Waiting, "REQUEST_BUDGET_SEC", Text("120"),
            "Seconds after which a request starts no more attempts"),
        setting(Waiting, "WAIT_SEC", Text("20"),
            "Seconds after its arrival that a request may wait for a model to wake, or for quota to return, when no other can be asked; 0 never waits"),
        setting(Waiting, "CONNECT_TIMEOUT_SEC", Text("10"),
            "Seconds to connect to the upstream; never above UPSTREAM_TIMEOUT_SEC"),
        setting(Waiting, "UPSTREAM_TIMEOUT_SEC", Text("30"),
            "Seconds of one attempt until the first useful event"),
        setting(Waiting, "STREAM_IDLE_TIMEOUT_SEC", Same("UPSTREAM_TIMEOUT_SEC"),
            "Seconds of silence within an answer"),
        setting(Waiting, "PLAIN_TIMEOUT_SEC", None,
            "Seconds for a whole answer that is not streamed; without it REQUEST_BUDGET_SEC applies"),
        setting(Waiting, "STREAM_KEEPALIVE_SEC", Text("15"),
            "Seconds of silence after which a streaming client is sent a comment, repeated while it lasts; 0 never"),
        setting(Waiting, "LONG_WAIT_SEC", Text("300"),
            "Seconds of `Retry-After` above which an agent is sent the error in a form that it shows at once, instead of waiting; 0 never"),

        setting(Cooldowns, "RATE_LIMIT_COOLDOWN_SEC", Text("300"),
            "Seconds a rate-limited model rests if it does not say how long; may be 0"),
        setting(Cooldowns, "GENERIC_ERROR_COOLDOWN_SEC", Text("60"),
            "Seconds a model rests after any other failure of its own; may be 0"),

        setting(Telemetry, "LOG_LEVEL", Text("INFO"),
            "Lowest level that is logged: DEBUG, INFO, WARNING or ERROR"),
        setting(Telemetry, "METRICS_ADDR", None,
            "Separate address for `/metrics`, such as 127.0.0.1:9090; it is then no longer on the main port"),
        setting(Telemetry, "METRICS_AUTH", Text("false"),
            "Whether `/metrics` requires the proxy key"),
        setting(Telemetry, "TRACE_FILE", None,
            "File for a line about each attempt, without contents or keys, for `free-llm-proxy replay`: at most 64 MiB, and three older ones"),
        setting(Telemetry, "STATE", Text("memory"),
            "Where to keep what should outlive a restart (rests, used quota, what was learnt; no contents, no keys): file:~/.local/state/free-llm-proxy/state, or `memory`"),

        setting(Limits, "MAX_BODY_BYTES", Text("33554432"),
            "Bytes of a request's body (default 32 MiB); beyond: 413"),
        setting(Limits, "MAX_JSON_DEPTH", Text("128"),
            "Nesting levels of a request's body, at most 1024; beyond: 400"),
        setting(Limits, "HEADER_TIMEOUT_SEC", Text("30"),
            "Seconds for a request's head to arrive"),
        setting(Limits, "BODY_IDLE_TIMEOUT_SEC", Text("30"),
            "Seconds of silence within a request's body"),
        setting(Limits, "IDLE_TIMEOUT_SEC", Text("75"),
            "Seconds a connection may stay open without a request"),
        setting(Limits, "MAX_CONNECTIONS", Text("10000"),
            "Client connections at once; beyond that the one idle for longest is closed or, if none is idle, the new one gets 503"),
        setting(Limits, "MAX_LIST_BYTES", Text("8388608"),
            "Bytes of the ranking (default 8 MiB)"),
        setting(Limits, "MAX_CATALOGUE_BYTES", Text("16777216"),
            "Bytes of the upstream's catalogue of models (default 16 MiB)"),
        setting(Limits, "MAX_EVENT_BYTES", Text("16777216"),
            "Bytes of one event of a stream (default 16 MiB)"),
        setting(Limits, "MAX_ANSWER_BYTES", Text("67108864"),
            "Bytes of an answer that is not streamed, decompressed (default 64 MiB)"),
        setting(Limits, "MAX_HELD_BYTES", Text("1048576"),
            "Bytes of a stream held back before its first useful event (default 1 MiB)"),

        setting(Outbound, "HTTPS_PROXY", None,
            "Proxy for https targets: an http, https, socks5 or socks5h URL"),
        setting(Outbound, "HTTP_PROXY", None,
            "Proxy for http targets"),
        setting(Outbound, "ALL_PROXY", None,
            "Proxy for both, if the one above is not set"),
        setting(Outbound, "NO_PROXY", None,
            "Hosts to reach directly, comma-separated"),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_names_are_unique_and_groups_are_contiguous() {
        let names: std::collections::HashSet<_> = SETTINGS.iter().map(|s| s.name).collect();
        assert_eq!(names.len(), SETTINGS.len());
        let grouped = Group::ALL
            .into_iter()
            .flat_map(Group::settings)
            .map(|s| s.name);
        assert!(grouped.eq(SETTINGS.iter().map(|s| s.name)));
    }

    #[test]
    fn s8_the_help_says_what_a_value_is() {
        #[rustfmt::skip]
        let rows = [
            ("REQUEST_BUDGET_SEC",    "SECONDS"),
            ("MAX_BODY_BYTES",        "BYTES"),
            ("MODELS_LIST_URL",       "URL"),
            ("ALL_PROXY",             "URL"),
            ("NO_PROXY",              "HOSTS"),
            ("METRICS_ADDR",          "ADDRESS"),
            ("MAX_FALLBACK_ATTEMPTS", "COUNT"),
            ("PROXY_API_KEY",         "KEY"),
            ("ALLOW_PAID",            "on|off"),
            ("LOCAL_BASE_URL",        "URL"),
            ("LOCAL_API_KEY",         "KEY"),
            ("LOCAL_CONCURRENCY",     "COUNT"),
            ("CONFIG_FILE",           "FILE"),
            ("TRACE_FILE",            "FILE"),
        ];
        for (name, expected) in rows {
            assert_eq!(find(name).unwrap().takes(), expected, "{name}");
        }
        // All remaining settings are counts: the default, if there is one, is a number.
        for setting in SETTINGS.iter().filter(|setting| setting.takes() == "COUNT") {
            let default = setting.default_text().unwrap_or("1");
            assert!(default.parse::<u64>().is_ok(), "{}", setting.name);
        }
    }

    #[test]
    fn s6_flags_are_spelt_like_the_variables_and_keys_have_none() {
        #[rustfmt::skip]
        let rows = [
            ("MODELS_REFRESH_SEC", Some("models-refresh-sec")),
            ("PORT",               Some("port")),
            ("OPENROUTER_API_KEY", None),
            ("PROXY_API_KEY",      None),
            ("LOCAL_API_KEY",      None),
            ("PROVIDERS",          Some("providers")),
            ("HTTPS_PROXY",        None),
        ];
        for (name, flag) in rows {
            assert_eq!(find(name).unwrap().flag().as_deref(), flag, "{name}");
        }
    }
}
