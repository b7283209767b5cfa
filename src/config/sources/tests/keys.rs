//! Which keys count, and whose accounts they are (spec §10.1).

use super::*;

#[test]
fn s10_1_whether_a_key_counts_depends_on_where_it_is() {
    const GROQ: (&str, &str) = ("GROQ_API_KEY", "gsk_0123456789");
    const GOOGLE: (&str, &str) = ("GOOGLE_API_KEY", "AIza0123456789");
    const KILO: (&str, &str) = ("PROVIDERS", "+kilo,+groq");
    const FILE: &str = "PROXY_API_KEY=door-0123456789\nGROQ_API_KEY=gsk_0123456789\n";
    const OWN: &str = "PROXY_API_KEY=door-0123456789\n";
    let with = |rest: &str| format!("{FILE}{rest}");
    let own = |rest: &str| format!("{OWN}{rest}");
    #[rustfmt::skip]
    let rows: &[(Set, String, &str, &str)] = &[
        // environment            .env                                  the user's          on
        (&[],                     FILE.into(),                          "",                 "groq=GROQ_API_KEY@.env"),
        (&[],                     String::new(),                        FILE,               "groq=GROQ_API_KEY@/home/env"),
        (&[UP, DOOR, GROQ],       String::new(),                        "",                 "openrouter=OPENROUTER_API_KEY@the environment groq=GROQ_API_KEY@the environment"),
        (&[UP, GROQ],             String::new(),                        OWN,                "openrouter=OPENROUTER_API_KEY@the environment"),
        (&[UP, GROQ, KILO],       String::new(),                        OWN,                "openrouter=OPENROUTER_API_KEY@the environment groq=GROQ_API_KEY@the environment kilo"),
        (&[GROQ],                 String::new(),                        OWN,                "GROQ_API_KEY of the environment may be meant for another program"),
        (&[],                     own("HF_TOKEN=hf_0123456789"),        "",                 ". HF_TOKEN is used by other programs too, and counts where PROVIDERS names its provider (PROVIDERS=+huggingface)"),
        (&[],                     own("OVHCLOUD_API_KEY=eyJ0123456789"), "",                ". OVHCLOUD_API_KEY is left out: what OVHcloud AI Endpoints answers under a key is billed; ALLOW_PAID=on allows that"),
        (&[],                     own("OPENROUTER_API_KEY=sk-or-v1-...\nGROQ_API_KEY=gsk_0123456789"), "", "OPENROUTER_API_KEY is a placeholder: create a key at https://openrouter.ai/settings/keys, or take the line out"),
        // What does not count in the environment does not hide what does.
        (&[GROQ],                 FILE.replace("gsk_01", "gsk_99"),     "",                 "groq=GROQ_API_KEY@.env"),
        (&[DOOR, UP, GOOGLE],     String::new(),                        "",                 "openrouter=OPENROUTER_API_KEY@the environment"),
        (&[DOOR, GOOGLE, ("PROVIDERS", "gemini")], String::new(),       "",                 "gemini=GOOGLE_API_KEY@the environment"),
        (&[],                     with("OPENROUTER_API_KEY=\n"),        "",                 "groq=GROQ_API_KEY@.env"),
        (&[],                     own("OPENROUTER_API_KEY=\n"),         "",                 "OPENROUTER_API_KEY is empty: create one at"),
        (&[],                     with("GROQ_API_KEY_2=gsk_222222222\nGEMINI_API_KEYS=AIza111111111,AIza222222222\n"), "",
                                  "gemini=GEMINI_API_KEYS@.env gemini#2=GEMINI_API_KEYS@.env groq=GROQ_API_KEY@.env groq#2=GROQ_API_KEY_2@.env"),
        (&[],                     with("PROVIDERS=kilo,groq,ovh\n"),    "",                 "kilo groq=GROQ_API_KEY@.env ovh"),
        (&[],                     with("PROVIDERS=-groq\n"),            "",                 "OPENROUTER_API_KEY is required"),
        (&[],                     with("PROVIDERS=openrouter,groq\n"),  "",                 "PROVIDERS names openrouter, which has no key: set OPENROUTER_API_KEY (create one at https://"),
        (&[],                     with("PROVIDERS=groq,kilos\n"),       "",                 "PROVIDERS names \"kilos\", which is not a provider; did you mean kilo?"),
        (&[],                     with("PROVIDERS=groq,local\n"),       "",                 "PROVIDERS names local, whose address is not set: set LOCAL_BASE_URL"),
        (&[],                     with("LOCAL_BASE_URL=http://127.0.0.1:11434/v1\n"), "",   "groq=GROQ_API_KEY@.env local"),
        (&[],                     own("LOCAL_BASE_URL=http://127.0.0.1:11434/v1\nLOCAL_API_KEY=abcdefghi"), "", "local=LOCAL_API_KEY@.env"),
        (&[],                     own("LOCAL_BASE_URL=http://127.0.0.1:8080/v1\n"), "",     "LOCAL_BASE_URL leads to this proxy itself"),
        (&[],                     own("LOCAL_BASE_URL=http://localhost:9090/v1\nMETRICS_ADDR=127.0.0.1:9090"), "", "LOCAL_BASE_URL leads to this proxy itself"),
        (&[],                     with("TRAINING=refuse\nGEMINI_API_KEY=AIza0123456789\nOPENROUTER_API_KEY=sk-or-v1-0123456789"), "", "groq=GROQ_API_KEY@.env"),
        (&[],                     own("TRAINING=refuse\nGEMINI_API_KEY=AIza0123456789"), "", "TRAINING=refuse leaves no provider to ask: gemini may train on prompts"),
        (&[],                     own("TRAINING=refuse"),              "",                 "no provider that TRAINING=refuse allows has a key: set one of GROQ_API_KEY, CLOUDFLARE_API_TOKEN, HUGGINGFACE_API_KEY, AI_GATEWAY_API_KEY, or TRAINING=allow; `free-llm-proxy providers`"),
        (&[GROQ],                 own("TRAINING=refuse"),              "",                 "says where to get them. GROQ_API_KEY of the environment may be meant for another program"),
        (&[],                     with("TRAINING=never\n"),             "",                 "TRAINING=\"never\": must be allow or refuse"),
        (&[],                     with("OVHCLOUD_API_KEY=eyJ0123456789\n"), "",             "groq=GROQ_API_KEY@.env"),
        (&[],                     with("OVHCLOUD_API_KEY=eyJ0123456789\nPROVIDERS=+ovh"), "", "groq=GROQ_API_KEY@.env ovh"),
        (&[],                     with("OVHCLOUD_API_KEY=eyJ0123456789\nALLOW_PAID=1"), "", "groq=GROQ_API_KEY@.env ovh=OVHCLOUD_API_KEY@.env"),
        (&[],                     with("KILO_API_KEY=eyJ0123456789\n"), "",                 "groq=GROQ_API_KEY@.env kilo=KILO_API_KEY@.env"),
        (&[],                     own("CLOUDFLARE_API_TOKEN=0123456789abcdef"), "",         "CLOUDFLARE_API_TOKEN needs the account id that goes with it: set CLOUDFLARE_ACCOUNT_ID"),
        (&[],                     own("CLOUDFLARE_API_TOKEN_2=0123456789abcdef"), "",       "CLOUDFLARE_API_TOKEN_2 needs the account id that goes with it: set CLOUDFLARE_ACCOUNT_ID_2, or CLOUDFLARE_ACCOUNT_ID for all"),
        (&[],                     own("CLOUDFLARE_API_TOKEN=0123456789abcdef\nCLOUDFLARE_ACCOUNT_ID=a/b"), "", "CLOUDFLARE_ACCOUNT_ID must be letters, digits, - and _ alone"),
        (&[],                     own("GROQ_API_KEY=changeme"), "",                         "GROQ_API_KEY is a placeholder: create a key at https://console.groq.com/keys"),
        (&[],                     own("GROQ_API_KEY=put your key here"), "",               "GROQ_API_KEY has blanks or commas in it"),
        // Nothing is wrong with a provider that is off.
        (&[],                     with("GEMINI_API_KEY=changeme\nPROVIDERS=groq"), "",     "groq=GROQ_API_KEY@.env"),
        (&[],                     "GROQ_API_KEY=gsk_0123456789".into(), BOTH,               "openrouter=OPENROUTER_API_KEY@/home/env groq=GROQ_API_KEY@.env"),
    ];
    for (environment, folder, user, expected) in rows {
        let folder = folder.replace("put your key here", "'put your key here'");
        let told = told(&layers(&[], environment, &folder, user));
        let whole = !expected.contains(' ') || expected.contains('@');
        let fits = if whole {
            told == *expected
        } else {
            told.contains(expected)
        };
        assert!(fits, "{environment:?} {folder:?}\n{told}\n{expected}");
        assert!(!told.contains("0123456789"), "{told}");
    }
}

#[test]
fn s10_1_no_key_is_suggested_that_training_refuses() {
    let environment = [("GEMINI_API_KEY", "AIza0123456789")];
    let own = "PROXY_API_KEY=door-0123456789\nTRAINING=refuse";
    let told = told(&layers(&[], &environment, own, ""));
    assert!(told.contains("GROQ_API_KEY"), "{told}");
    for refused in ["OPENROUTER", "GEMINI", "MISTRAL"] {
        assert!(!told.contains(refused), "{told}");
    }
}

#[test]
fn s10_1_keys_go_with_their_account_ids() {
    let base = "PROXY_API_KEY=door-0123456789\n";
    #[rustfmt::skip]
    let rows = [
        // tokens                                                          ids                                                             at
        ("CLOUDFLARE_API_TOKEN=tok-11111",                                 "CLOUDFLARE_ACCOUNT_ID=one",                                    vec!["one"]),
        ("CLOUDFLARE_API_TOKEN=tok-11111\nCLOUDFLARE_API_TOKEN_2=tok-22222", "CLOUDFLARE_ACCOUNT_ID=one\nCLOUDFLARE_ACCOUNT_ID_2=two",     vec!["one", "two"]),
        ("CLOUDFLARE_API_TOKEN=tok-11111\nCLOUDFLARE_API_TOKEN_2=tok-22222", "CLOUDFLARE_ACCOUNT_ID=one",                                  vec!["one", "one"]),
        ("CLOUDFLARE_API_TOKEN_3=tok-33333",                               "CLOUDFLARE_ACCOUNT_ID_2=two",                                  vec!["two"]),
        ("CLOUDFLARE_API_TOKEN='tok-11111,tok-22222'",                     "CLOUDFLARE_ACCOUNT_ID=one,two",                                vec!["one", "two"]),
        ("CLOUDFLARE_API_TOKEN='tok-11111,tok-22222'",                     "CLOUDFLARE_ACCOUNT_ID=one",                                    vec!["one", "one"]),
        ("CLOUDFLARE_API_TOKEN=tok-11111\nCLOUDFLARE_API_KEY=tok-22222",   "CLOUDFLARE_ACCOUNT_ID=one",                                    vec!["one", "one"]),
    ];
    for (tokens, ids, expected) in rows {
        let config = layers(&[], &[], &format!("{base}{tokens}\n{ids}\n"), "").config();
        let config = config.unwrap();
        let at = config.accounts.iter();
        let at: Vec<_> = at.map(crate::config::Account::base_url).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|id| format!("https://api.cloudflare.com/client/v4/accounts/{id}/ai/v1"))
            .collect();
        assert_eq!(at, expected, "{tokens}");
        let debug = format!("{config:?}");
        assert!(
            !debug.contains("tok-1111") && !debug.contains("door-01"),
            "{debug}"
        );
    }
}

#[test]
fn s10_1_oddities_of_keys_are_warnings() {
    #[rustfmt::skip]
    let rows = [
        ("GROQ_API_KEY=gsk_0123456789\nGROQ_API_KEY_2=gsk_0123456789",      1, "GROQ_API_KEY_2 and GROQ_API_KEY hold the same key of groq: it counts once"),
        ("GROQ_API_KEY='gsk_0123456789 gsk_0123456789'",                   1, "GROQ_API_KEY holds the same key twice of groq: it counts once"),
        ("GROQ_API_KEY=gsk_0123456789\nCLOUDFLARE_ACCOUNT_ID=one",          1, "CLOUDFLARE_ACCOUNT_ID is set by .env, but no CLOUDFLARE_API_TOKEN, and Cloudflare Workers AI needs both"),
        ("GROQ_API_KEY=gsk_0123456789\nOVHCLOUD_API_KEY=eyJ0123456789",     1, "OVHCLOUD_API_KEY is left out: what OVHcloud AI Endpoints answers under a key is billed, and ALLOW_PAID is off"),
        ("GROQ_API_KEY=gsk_0123456789\nPROVIDERS=+kilo\nTRAINING=refuse",   1, "PROVIDERS names kilo, which may train on prompts: TRAINING=refuse leaves it out"),
        ("GROQ_API_KEY=sk-0123456789",                                     1, ""),
    ];
    for (folder, accounts, expected) in rows {
        let folder = format!("PROXY_API_KEY=door-0123456789\n{folder}\n");
        let config = layers(&[], &[], &folder, "").config().unwrap();
        assert_eq!(config.accounts.len(), accounts, "{folder}");
        assert_eq!(config.warnings.join("\n"), expected);
        assert_eq!(config.accounts[0].odd_shape, folder.contains("=sk-"));
    }
}

#[test]
fn s10_3_more_attempts_where_there_is_more_than_one_account() {
    #[rustfmt::skip]
    let rows = [
        ("",                                       5),
        ("OPENROUTER_API_KEY_2=sk-or-v1-222222222",  10),
        ("GROQ_API_KEY=gsk_0123456789",            10),
        ("GROQ_API_KEY=gsk_0123456789\nMAX_FALLBACK_ATTEMPTS=3", 3),
    ];
    for (rest, expected) in rows {
        let config = layers(&[], &[], &format!("{BOTH}{rest}\n"), "")
            .config()
            .unwrap();
        assert_eq!(config.max_fallback_attempts, expected, "{rest}");
    }
}

#[test]
fn s10_1_the_proxys_own_key_may_be_in_a_file_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = file("good", "door-from-a-file\n");
    let empty = file("empty", " \n");
    let gone = dir.path().join("gone").display().to_string();
    let huge = file("huge", &"x".repeat(300 << 10));
    #[rustfmt::skip]
    let rows = [
        (vec![UP, ("PROXY_API_KEY_FILE", good.as_str())],       "",                       "door-from-a-file"),
        (vec![UP, ("PROXY_API_KEY_FILE", good.as_str())],       "PROXY_API_KEY=below",    "door-from-a-file"),
        (vec![UP, DOOR],                                        "PROXY_API_KEY_FILE=/x",  "door-0123456789"),
        (vec![UP, DOOR, ("PROXY_API_KEY_FILE", good.as_str())], "",                       "PROXY_API_KEY and PROXY_API_KEY_FILE are both set by the environment"),
        (vec![UP, ("PROXY_API_KEY_FILE", empty.as_str())],      "",                       "is empty: no key is in it"),
        (vec![UP, ("PROXY_API_KEY_FILE", gone.as_str())],       "",                       "is not there"),
        (vec![UP, ("PROXY_API_KEY_FILE", huge.as_str())],       "",                       "is larger than 256 KiB"),
    ];
    for (environment, user, expected) in rows {
        let sources = layers(&[], &environment, "", user);
        match sources.config() {
            Ok(config) => assert_eq!(config.clients.own_key().unwrap().expose(), expected),
            Err(error) => {
                assert!(error.to_string().contains(expected), "{error}");
                assert_eq!(error.problems().len(), 1, "{error}");
            }
        }
        assert_eq!(sources.door(None).is_ok(), sources.config().is_ok());
    }
    // With it in the environment, the keys there count.
    let environment = [
        ("PROXY_API_KEY_FILE", good.as_str()),
        ("GROQ_API_KEY", "gsk_0123456789"),
    ];
    let told = told(&layers(&[], &environment, "", ""));
    assert_eq!(told, "groq=GROQ_API_KEY@the environment");
}
