use std::os::unix::ffi::OsStringExt as _;

use super::*;

type Set = &'static [(&'static str, &'static str)];
type Url = Option<&'static str>;

#[test]
fn s12_1_each_layer_overrides_those_after_it() {
    #[rustfmt::skip]
    let rows: &[(Set, Set, &str, &str, Option<&str>)] = &[
        // flags              environment            .env           the user's     PORT
        (&[("PORT", "1")],    &[("PORT", "2")],      "PORT=3",      "PORT=4",      Some("1")),
        (&[],                 &[("PORT", "2")],      "PORT=3",      "PORT=4",      Some("2")),
        (&[],                 &[("PORT", "")],       "PORT=3",      "PORT=4",      Some("")),
        (&[],                 &[],                   "PORT=3",      "PORT=4",      Some("3")),
        (&[],                 &[],                   "HOST=3",      "PORT=4",      Some("4")),
        (&[],                 &[],                   "PORT=2\nPORT=3", "",         Some("3")),
        (&[],                 &[],                   "",            "",            None),
    ];
    for (flags, environment, folder, user, expected) in rows {
        let sources = layers(flags, environment, folder, user);
        assert_eq!(sources.get("PORT").as_deref(), *expected);
        assert!(sources.problems.is_empty() && sources.warnings.is_empty());
    }
}

#[test]
fn s6_outbound_proxies_may_be_lower_case_and_the_environment_still_wins() {
    let get = |environment, folder, name: &str| layers(&[], environment, folder, "").get(name);
    let one: Set = &[("https_proxy", "http://a")];
    assert_eq!(
        get(one, "HTTPS_PROXY=http://b", "HTTPS_PROXY").as_deref(),
        Some("http://a")
    );
    let both: Set = &[("all_proxy", "http://a"), ("ALL_PROXY", "http://b")];
    assert_eq!(get(both, "", "ALL_PROXY").as_deref(), Some("http://b"));
    assert_eq!(get(&[("port", "1")], "port=2", "PORT"), None);
}

#[test]
fn s6_a_malformed_line_is_named_and_not_shown() {
    #[rustfmt::skip]
    let rows = [
        ("PORT=1\n\nhush hush\nHOST=::1",          ".env line 3 is not NAME=value"),
        ("PORT=1\nOPENROUTER_TITLE=hush hush  ",   ".env line 2 is not NAME=value"),
        ("PORT=1\r\nPORT\r\n",                     ".env line 2 is not NAME=value"),
        ("PORT=1\nhush hush # why\n",              ".env line 2 is not NAME=value"),
        ("PORT=1\nPROXY_API_KEY='hush\nHOST=::1",  ".env line 2 is not NAME=value"),
        ("PORT=1\nPROXY_API_KEY=hush$HOME",        ".env line 2 has a $NAME in its value"),
    ];
    for (file, expected) in rows {
        let sources = layers(&[], &[], file, "");
        assert_eq!(sources.problems.len(), 1, "{:?}", sources.problems);
        let message = sources.config().unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
        assert!(
            message.contains("OPENROUTER_API_KEY is required"),
            "{message}"
        );
        assert!(!message.contains("hush") && !format!("{sources:?}").contains("hush"));
    }
}

#[test]
fn s12_1_a_file_of_odd_lines_does_not_fill_the_screen() {
    let sources = layers(&[], &[UP, DOOR], &"odd\n".repeat(5000), "");
    let error = sources.config().unwrap_err();
    assert_eq!(error.problems().len(), 11);
    assert!(
        error
            .to_string()
            .ends_with("\n.env has 4990 more such lines")
    );
}

#[test]
fn s6_a_variable_that_is_not_text_is_named() {
    let mut sources = Sources::default();
    let broken = || OsString::from_vec(vec![0xff]);
    sources.read_environment([("PORT".into(), broken()), ("OTHER".into(), broken())]);
    let message = sources.config().unwrap_err().to_string();
    assert!(
        message.starts_with("PORT is not UTF-8 text\nOPENROUTER"),
        "{message}"
    );
}

#[test]
fn s8_a_demo_overrides_the_sources_with_its_own_values() {
    let folder = "UPSTREAM_BASE_URL=http://evil.test/\nHTTPS_PROXY=http://evil.test/";
    let sources = layers(
        &[],
        &[("PORT", "9000"), ("PROXY_API_KEY", "mine")],
        folder,
        "",
    );
    let own = ["OPENROUTER_API_KEY", "PROXY_API_KEY"].map(|name| (name, "sk-demo".to_owned()));
    let addresses = [
        ("UPSTREAM_BASE_URL", "http://127.0.0.1:1".to_owned()),
        ("HTTPS_PROXY", String::new()),
    ];
    let file = "[providers.groq]\nbase_url = \"http://127.0.0.1:2/v1\"\n";
    let own = [
        own.as_slice(),
        &addresses,
        &[("GROQ_API_KEY", "gsk_demo-0123".to_owned())],
    ];
    let config = sources.with(own.concat()).with_file(file).config().unwrap();
    let bases: Vec<_> = config.accounts.iter().map(|a| a.base_url()).collect();
    assert_eq!(bases, ["http://127.0.0.1:1", "http://127.0.0.1:2/v1"]);
    assert_eq!(config.port, 9000);
    assert_eq!(config.proxy_keys.first().unwrap().expose(), "sk-demo");
    assert_eq!(config.outbound_proxy.https, None);
}

const UP: (&str, &str) = ("OPENROUTER_API_KEY", "sk-or-v1-0123456789");
const DOOR: (&str, &str) = ("PROXY_API_KEY", "door-0123456789");
const BOTH: &str = "OPENROUTER_API_KEY=sk-or-v1-0123456789\nPROXY_API_KEY=door-0123456789\n";

#[test]
fn s12_1_an_address_from_a_folder_counts_only_with_its_own_keys() {
    const EVIL: &str = "UPSTREAM_BASE_URL=http://evil.test/\n";
    const EVIL_URL: (&str, &str) = ("UPSTREAM_BASE_URL", "http://evil.test/");
    let with_keys = |rest: &str| format!("{BOTH}{rest}");
    #[rustfmt::skip]
    let rows: &[(Set, Set, String, String, Option<&str>)] = &[
        // flags        environment        .env                                the user's          who set the key
        (&[],           &[UP, DOOR],       EVIL.into(),                        String::new(),      Some("OPENROUTER_API_KEY by the environment")),
        (&[],           &[],               EVIL.into(),                        BOTH.into(),        Some("OPENROUTER_API_KEY by /home/env")),
        (&[],           &[UP],             with_keys(EVIL),                    String::new(),      Some("OPENROUTER_API_KEY by the environment")),
        (&[],           &[DOOR],           with_keys(EVIL),                    String::new(),      Some("PROXY_API_KEY by the environment")),
        (&[],           &[],               with_keys(EVIL),                    String::new(),      None),
        (&[],           &[],               with_keys(EVIL),                    BOTH.into(),        None),
        (&[],           &[],               BOTH.into(),                        EVIL.into(),        None),
        (&[],           &[EVIL_URL],       BOTH.into(),                        String::new(),      None),
        (&[EVIL_URL],   &[],               with_keys(EVIL),                    BOTH.into(),        None),
        (&[EVIL_URL],   &[UP, DOOR],       EVIL.into(),                        String::new(),      None),
        (&[],           &[UP, DOOR, EVIL_URL], EVIL.into(),                    String::new(),      None),
        (&[],           &[UP, DOOR],       "MODEL_FIELD=pin".into(),           EVIL.into(),        None),
        (&[],           &[UP, DOOR],       "PORT=1\nHOST=::1".into(),          String::new(),      None),
    ];
    for (flags, environment, folder, user, expected) in rows {
        let read = layers(flags, environment, folder, user).config();
        match expected {
            None => drop(read.unwrap()),
            Some(expected) => {
                let message = read.unwrap_err().to_string();
                let start = "UPSTREAM_BASE_URL is set by .env in this folder, and ";
                assert!(
                    message.starts_with(&format!("{start}{expected}")),
                    "{message}"
                );
                assert_eq!(message.lines().count(), 1, "{message}");
                assert!(!message.contains("0123456789"), "{message}");
            }
        }
    }
}

#[test]
fn s12_1_every_address_could_send_a_key_elsewhere() {
    let addresses = SETTINGS.iter().filter(|setting| setting.leads_out());
    let names: Vec<_> = addresses.map(|setting| setting.name).collect();
    #[rustfmt::skip]
    assert_eq!(names, ["LOCAL_BASE_URL", "MODELS_LIST_URL", "UPSTREAM_BASE_URL", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"]);
    for name in names {
        for spelling in table::find(name).unwrap().spellings() {
            let folder = format!("{spelling}=http://evil.test/");
            let message = layers(&[], &[UP, DOOR], &folder, "").config().unwrap_err();
            assert!(
                message
                    .to_string()
                    .starts_with(&format!("{name} is set by .env")),
                "{message}"
            );
        }
    }
}

#[test]
fn s12_1_a_client_sends_the_proxys_key_to_no_address_from_a_folder() {
    #[rustfmt::skip]
    let rows: &[(Set, Set, &str, &str, Url, &str)] = &[
        // flags            environment     .env                          the user's               --url             where it goes
        (&[],               &[DOOR],        "HOST=203.0.113.7",           "",                      None,             "HOST"),
        (&[],               &[DOOR],        "PORT=9",                     "",                      None,             "PORT"),
        (&[],               &[],            "PORT=9\nMODEL_FIELD=pin",    "PROXY_API_KEY=door",    None,             "PORT"),
        (&[],               &[DOOR],        "PORT=9\nPROXY_API_KEY=own",  "",                      None,             "PORT"),
        (&[],               &[],            "PORT=9\nPROXY_API_KEY=own",  "PROXY_API_KEY=door",    None,             "http://127.0.0.1:9"),
        (&[],               &[],            "PROXY_API_KEY=own",          "PORT=9",                None,             "http://127.0.0.1:9"),
        (&[],               &[],            "",                           "PROXY_API_KEY=door\nPORT=9", None,        "http://127.0.0.1:9"),
        (&[],               &[DOOR],        "",                           "PORT=9",                None,             "http://127.0.0.1:9"),
        (&[("PORT", "9")],  &[DOOR],        "PORT=10",                    "",                      None,             "http://127.0.0.1:9"),
        (&[],               &[DOOR],        "PORT=9",                     "",                      Some("http://h"), "http://h"),
        (&[],               &[DOOR],        "UPSTREAM_BASE_URL=http://e", "",                      None,             "http://127.0.0.1:8080"),
    ];
    for (flags, environment, folder, user, url, expected) in rows {
        let sources = layers(flags, environment, folder, user);
        let running = sources.running().map(|(peer, _)| peer);
        match sources.door(*url) {
            Ok(door) => {
                assert_eq!(door.base, *expected);
                if url.is_none() {
                    let peer = super::super::reachable(running.unwrap());
                    assert_eq!(format!("http://{peer}"), *expected);
                }
            }
            Err(error) => {
                assert_eq!(running.unwrap_err(), error);
                let start =
                    format!("{expected} is set by .env in this folder, and PROXY_API_KEY by ");
                assert!(error.to_string().starts_with(&start), "{error}");
            }
        }
    }
}

#[test]
fn s12_1_a_typo_in_a_long_name_in_a_file_is_an_error() {
    #[rustfmt::skip]
    let rows: &[(Set, &str, &str, &str)] = &[
        // environment                     .env                               how it is told, and as what
        (&[],                              "PORT=1\nPROXI_API_KEY=hush",      "problem", ".env line 2: PROXI_API_KEY is no setting; is PROXY_API_KEY meant?"),
        (&[],                              "PROXY_API_KEYS=two words",        "problem", ".env line 1: PROXY_API_KEYS is no setting; is PROXY_API_KEY meant?"),
        (&[],                              "GROQ_API_KYE=hush",               "problem", ".env line 1: GROQ_API_KYE is no setting; is GROQ_API_KEY meant?"),
        (&[],                              "GROQ_API_KYE=hush\nGROQ_API_KEY_2=x", "none", ""),
        (&[],                              "OPENROUTER_API_KEYS=x\nGROQ_API_KEY_2_FILE=y\nHF_TOKEN=z", "none", ""),
        (&[],                              "PORTS=1",                         "warning", ".env line 1: PORTS is no setting; is PORT meant?"),
        (&[("PROXI_API_KEY", "hush")],     "",                                "warning", "the environment: PROXI_API_KEY is no setting; is PROXY_API_KEY meant?"),
        (&[("PROXY_API_KEY", "set")],      "PROXI_API_KEY=hush",              "none",    ""),
        (&[("HOME", "/"), ("FTP_PROXY", "x")], "XAI_API_KEY=1\nSOME_OTHER=1", "none",    ""),
    ];
    for (environment, folder, kind, expected) in rows {
        let sources = layers(&[], environment, folder, "");
        let problems: Vec<_> = sources
            .problems
            .iter()
            .filter(|p| p.contains("meant"))
            .collect();
        match *kind {
            "problem" => assert_eq!(problems, [expected]),
            "warning" => assert_eq!(
                (problems.len(), &sources.warnings[..]),
                (0, &[(*expected).to_owned()][..])
            ),
            _ => assert_eq!((problems.len(), sources.warnings.len()), (0, 0)),
        }
    }
    let set: Set = &[UP, DOOR, ("LOG_LEVLE", "x")];
    let config = layers(&[], set, "", "").config().unwrap();
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
}

#[test]
fn s12_1_an_ignored_file_is_named_when_something_is_missing() {
    let mut sources = layers(&[], &[], "", "");
    sources.passed_over = Some("is no file");
    let message = sources.config().unwrap_err().to_string();
    assert!(message.ends_with("\n.env in this folder is no file, so nothing was taken from it"));
    let mut sources = layers(&[], &[UP, DOOR], "", "");
    sources.passed_over = Some("is no file");
    sources.config().unwrap();
}

fn layers(
    flags: &[(&'static str, &str)],
    environment: &[(&str, &str)],
    folder: &str,
    user: &str,
) -> Sources {
    let mut top = Layer::new(Source::Flag, "a flag");
    let flags = flags
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    top.values = flags.collect();
    let mut sources = Sources::default();
    sources.layers.push(top);
    let variables = environment
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    sources.read_environment(variables);
    sources.read_file(Source::WorkingDir, ".env", Found::Text(folder.to_owned()));
    sources.read_file(Source::UserFile, "/home/env", Found::Text(user.to_owned()));
    sources.read_door_key();
    sources.look_for_slips();
    sources
}

/// The accounts' labels and where their keys were found, or what is wrong.
fn told(sources: &Sources) -> String {
    match sources.config() {
        Ok(config) => {
            let accounts = config.accounts.iter().map(|account| {
                let found = account.variable.as_ref();
                let found = found.map(|v| format!("={}@{}", v.name, v.place));
                format!("{}{}", account.id, found.unwrap_or_default())
            });
            accounts.collect::<Vec<_>>().join(" ")
        }
        Err(error) => error.to_string(),
    }
}

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
        (&[],                     with("PROVIDERS=groq,kilos\n"),       "",                 "PROVIDERS names \"kilos\", which is no provider; is kilo meant?"),
        (&[],                     with("PROVIDERS=groq,local\n"),       "",                 "PROVIDERS names local, whose address is not set: set LOCAL_BASE_URL"),
        (&[],                     with("LOCAL_BASE_URL=http://127.0.0.1:11434/v1\n"), "",   "groq=GROQ_API_KEY@.env local"),
        (&[],                     own("LOCAL_BASE_URL=http://127.0.0.1:11434/v1\nLOCAL_API_KEY=abcdefghi"), "", "local=LOCAL_API_KEY@.env"),
        (&[],                     own("LOCAL_BASE_URL=http://127.0.0.1:8080/v1\n"), "",     "LOCAL_BASE_URL leads to this proxy itself"),
        (&[],                     own("LOCAL_BASE_URL=http://localhost:9090/v1\nMETRICS_ADDR=127.0.0.1:9090"), "", "LOCAL_BASE_URL leads to this proxy itself"),
        (&[],                     with("TRAINING=refuse\nGEMINI_API_KEY=AIza0123456789\nOPENROUTER_API_KEY=sk-or-v1-0123456789"), "", "groq=GROQ_API_KEY@.env"),
        (&[],                     own("TRAINING=refuse\nGEMINI_API_KEY=AIza0123456789"), "", "TRAINING=refuse leaves nobody to ask: gemini may train on prompts"),
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
        let at: Vec<_> = at.map(super::super::Account::base_url).collect();
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
fn s12_1_no_providers_key_is_sent_to_an_address_from_a_folder() {
    const GROQ: (&str, &str) = ("GROQ_API_KEY", "gsk_0123456789");
    let misled = |name: &str, key: &str, place: &str| {
        format!("{name} is set by .env in this folder, and {key} by {place}: ")
    };
    #[rustfmt::skip]
    let rows: &[(Set, &str, &str, String)] = &[
        // environment      .env                                                                        the user's                       told
        (&[DOOR, GROQ],     "UPSTREAM_BASE_URL=http://evil.test",                                       "",                              misled("UPSTREAM_BASE_URL", "GROQ_API_KEY", "the environment")),
        (&[DOOR, GROQ],     "LOCAL_BASE_URL=http://evil.test",                                          "",                              misled("LOCAL_BASE_URL", "GROQ_API_KEY", "the environment")),
        (&[],               "PROXY_API_KEY=own-0123456\nLOCAL_BASE_URL=http://evil.test",               "GEMINI_API_KEY=AIza0123456789", misled("LOCAL_BASE_URL", "GEMINI_API_KEY", "/home/env")),
        (&[],               "PROXY_API_KEY=own-0123456\nLOCAL_BASE_URL=http://evil.test",               "LOCAL_API_KEY=loc-0123456789",  misled("LOCAL_BASE_URL", "LOCAL_API_KEY", "/home/env")),
        (&[DOOR],           "LOCAL_BASE_URL=http://127.0.0.1:1",                                        "",                              misled("LOCAL_BASE_URL", "PROXY_API_KEY", "the environment")),
        (&[],               "PROXY_API_KEY=own-0123456\nLOCAL_BASE_URL=http://127.0.0.1:1",             "",                              "local".to_owned()),
        // A key that does not count is not sent anywhere.
        (&[GROQ],           "PROXY_API_KEY=own-0123456\nLOCAL_BASE_URL=http://127.0.0.1:1",             "",                              "local".to_owned()),
        (&[],               "PROXY_API_KEY=own-0123456\nGROQ_API_KEY=gsk_0123456789\nUPSTREAM_BASE_URL=http://mine.test", "",            "groq=GROQ_API_KEY@.env".to_owned()),
        (&[],               "PROXY_API_KEY=own-0123456\nGROQ_API_KEY=gsk_0123456789",                   "UPSTREAM_BASE_URL=http://mine.test", "groq=GROQ_API_KEY@.env".to_owned()),
    ];
    for (environment, folder, user, expected) in rows {
        let told = told(&layers(&[], environment, folder, user));
        assert!(told.starts_with(expected), "{folder:?} {user:?}\n{told}");
        assert!(!told.contains("0123456789"), "{told}");
    }
}

#[test]
fn s12_1_a_file_named_by_a_folder_counts_only_with_the_folders_own_keys() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, "gsk_from-a-file-1\n").unwrap();
    let path = path.display();
    let file = format!("GROQ_API_KEY_FILE={path}");
    let folder = format!("PROXY_API_KEY=own-0123456\n{file}");
    #[rustfmt::skip]
    let rows = [
        (vec![],         folder.clone(),                                         "",    "groq=GROQ_API_KEY_FILE@.env".to_owned()),
        (vec![DOOR],     "PROXY_API_KEY=x\n".to_owned() + &file,                  "",    "GROQ_API_KEY_FILE is set by .env in this folder, and PROXY_API_KEY by the environment: ".to_owned()),
        (vec![UP],       folder.clone(),                                         "",    "GROQ_API_KEY_FILE is set by .env in this folder, and OPENROUTER_API_KEY by the environment: ".to_owned()),
        (vec![],         "MODEL_FIELD=pin".to_owned(),                           folder.as_str(), "groq=GROQ_API_KEY_FILE@/home/env".to_owned()),
        // A file that it names is not part of it, and its key is not sent to its addresses.
        (vec![],         format!("{folder}\nLOCAL_BASE_URL=http://evil.test"),   "",    "LOCAL_BASE_URL is set by .env in this folder, and GROQ_API_KEY_FILE by .env: ".to_owned()),
        (vec![],         format!("PROXY_API_KEY=own-0123456\nGROQ_API_KEY_FILE={}", dir.path().display()), "", format!("GROQ_API_KEY_FILE={:?} is a directory", dir.path())),
        (vec![],         format!("PROXY_API_KEY=own-0123456\nGROQ_API_KEY_FILE={path}.gone"), "", format!("GROQ_API_KEY_FILE=\"{path}.gone\" is not there")),
    ];
    for (environment, folder, user, expected) in rows {
        let told = told(&layers(&[], &environment, &folder, user));
        assert!(told.starts_with(&expected), "{told}\n{expected}");
        assert!(!told.contains("from-a-file"), "{told}");
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
            Ok(config) => assert_eq!(config.proxy_keys[0].expose(), expected),
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

/// With this text as `CONFIG_FILE`.
fn configured(folder: &str, user: &str, text: &str) -> Sources {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let mut sources = layers(&[], &[], folder, user);
    let named = (path.display().to_string(), Source::UserFile, "x".to_owned());
    sources.file = file::gather(Some(named), None);
    sources
}

#[test]
fn s10_1_the_file_assigns_keys_to_accounts() {
    const KEYS: &str = "PROXY_API_KEY=door-0123456789\nGEMINI_API_KEY=AIza-home-012345\n\
        GEMINI_API_KEY_2=AIza-work-012345\nGROQ_API_KEY=gsk_0123456789\nMY_BOX_KEY=box-0123456789\n";
    #[rustfmt::skip]
    let rows = [
        // the file                                                                                   accounts, or what is wrong
        ("",                                                                                          "gemini=GEMINI_API_KEY@.env gemini#2=GEMINI_API_KEY_2@.env groq=GROQ_API_KEY@.env"),
        ("[providers.gemini]\nkeys = [{ env = \"GEMINI_API_KEY\", account = \"home\" }, { env = \"GEMINI_API_KEY_2\", account = \"work\" }]",
                                                                                                      "home=GEMINI_API_KEY@.env work=GEMINI_API_KEY_2@.env groq=GROQ_API_KEY@.env"),
        ("[providers.gemini]\nkeys = [{ env = \"GEMINI_API_KEY_2\" }]",                               "gemini=GEMINI_API_KEY_2@.env groq=GROQ_API_KEY@.env"),
        ("[providers.gemini]\nkeys = [{ env = \"GEMINI_API_KEY_2\" }, { env = \"GEMINI_API_KEY\", account = \"gemini\" }]",
                                                                                                      "gemini#2=GEMINI_API_KEY_2@.env gemini=GEMINI_API_KEY@.env groq=GROQ_API_KEY@.env"),
        ("[providers.gemini]\nkeys = [{ env = \"GEMINI_API_KEY\", account = \"one\" }, { env = \"GEMINI_API_KEY_2\", account = \"one\" }]",
                                                                                                      "one=GEMINI_API_KEY@.env groq=GROQ_API_KEY@.env"),
        ("[providers.gemini]\nkeys = [{ env = \"GEMINI_API_KEY\", account = \"one\" }, { env = \"GEMINI_API_KEY\", account = \"two\" }]",
                                                                                                      "GEMINI_API_KEY holds the same key twice of gemini under two names of accounts: a key is of one account"),
        ("[providers.gemini]\nkeys = []",                                                             "groq=GROQ_API_KEY@.env"),
        ("[providers.gemini]\nkeys = [{ env = \"GEMINI_API_KEY_7\" }]",                               "line 2: GEMINI_API_KEY_7 is not set, and the file names it as a key of gemini"),
        ("[providers.gemini]\nkeys = [{ file = \"/gone/for/good\" }]",                                "line 2: file=\"/gone/for/good\" is not there"),
        ("[providers.my-box]\nbase_url = \"http://10.0.0.5:8000/v1\"\nkeys = []",                     "gemini=GEMINI_API_KEY@.env gemini#2=GEMINI_API_KEY_2@.env groq=GROQ_API_KEY@.env my-box"),
        ("[providers.my-box]\nbase_url = \"http://10.0.0.5:8000/v1\"\nkeys = [{ env = \"MY_BOX_KEY\" }]",
                                                                                                      "gemini=GEMINI_API_KEY@.env gemini#2=GEMINI_API_KEY_2@.env groq=GROQ_API_KEY@.env my-box=MY_BOX_KEY@.env"),
        ("[providers.my-box]\nbase_url = \"http://127.0.0.1:8080/v1\"\nkeys = []",                    "the base_url of my-box leads to this proxy itself"),
        ("[providers.my-box]\nbase_url = \"http://10.0.0.5:8000/v1\"\nkeys = [\"sk-0123456789-in-plain\"]", "line 3: "),
        ("[providers.my-box]\nkeys = []",                                                             "line 1: "),
        ("[providers.gemini",                                                                         "line 1: "),
    ];
    for (text, expected) in rows {
        let told = told(&configured(KEYS, "", text));
        let whole = expected.contains('@') && !expected.contains(": ");
        let fits = if whole {
            told == expected
        } else {
            told.contains(expected)
        };
        assert!(fits, "{text}\n{told}\n{expected}");
        assert!(!told.contains("012345"), "{told}");
    }
    let text = "[providers.gemini]\nkeys = [{ env = \"GEMINI_API_KEY\", account = \"one\" }, { env = \"GEMINI_API_KEY_2\", account = \"one\" }]";
    let config = configured(KEYS, "", text).config().unwrap();
    let secrets: Vec<_> = config.accounts[0].secrets().map(Secret::expose).collect();
    assert_eq!(secrets, ["AIza-home-012345", "AIza-work-012345"]);
    let under = config.accounts[0].under_each_key();
    let variables = under.filter_map(|account| Some(account.variable?.name));
    assert_eq!(
        variables.collect::<Vec<_>>(),
        ["GEMINI_API_KEY", "GEMINI_API_KEY_2"]
    );
    // A provider that the file brings is left out, too, where PROVIDERS says so.
    let text = "[providers.my-box]\nbase_url = \"http://10.0.0.5:8000/v1\"\nkeys = []";
    let keys = format!("{KEYS}PROVIDERS=groq\n");
    assert_eq!(told(&configured(&keys, "", text)), "groq=GROQ_API_KEY@.env");
}

#[test]
fn s10_5_kilo_is_counted_by_address_or_under_a_key_by_account() {
    let set = "[providers.kilo]\nlimits = [{ requests = 7, per = \"day\" }]\n";
    #[rustfmt::skip]
    let rows = [
        // settings                                file  limits
        ("PROVIDERS=+kilo\n",                      "",   "200 address 10000 address"),
        ("KILO_API_KEY=kilo-0123456789\n",         "",   "200 account"),
        ("PROVIDERS=+kilo\n",                      set,  "7 account"),
        ("KILO_API_KEY=kilo-0123456789\n",         set,  "7 account"),
    ];
    for (settings, file, expected) in rows {
        let keys = format!("PROXY_API_KEY=door-0123456789\n{settings}");
        let config = configured(&keys, "", file).config().unwrap();
        let counted = |limits: &[crate::ledger::Limit]| {
            let limits = limits.iter();
            let limits = limits.map(|limit| format!("{} {}", limit.amount, limit.of.as_str()));
            limits.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(counted(&config.providers[0].limits), expected, "{settings}");
        let account = &config.accounts[0];
        assert_eq!(counted(&account.provider.limits), expected, "{settings}");
    }
}

#[test]
fn s10_1_the_settings_win_over_the_file() {
    let text = "[providers.openrouter]\nbase_url = \"http://10.0.0.1/v1\"\n[providers.local]\n\
        base_url = \"http://10.0.0.2/v1\"\ntimeout_sec = 7\nlimits = [{ at_once = 3 }]\n";
    #[rustfmt::skip]
    let rows = [
        // settings                                                       openrouter, local, its seconds and requests at once
        ("",                                                              "http://10.0.0.1/v1 http://10.0.0.2/v1 7 3"),
        ("UPSTREAM_BASE_URL=http://10.0.0.3/v1/",                         "http://10.0.0.3/v1 http://10.0.0.2/v1 7 3"),
        ("LOCAL_BASE_URL=http://10.0.0.4/v1",                             "http://10.0.0.1/v1 http://10.0.0.4/v1 7 3"),
        ("LOCAL_TIMEOUT_SEC=1.5\nLOCAL_CONCURRENCY=4",                    "http://10.0.0.1/v1 http://10.0.0.2/v1 1.5 4"),
    ];
    for (settings, expected) in rows {
        let config = configured(&format!("{BOTH}{settings}\n"), "", text)
            .config()
            .unwrap();
        let [openrouter, local] = config.providers.as_slice() else {
            panic!("{:?}", config.providers);
        };
        let at_once = local.limits.iter().map(|limit| limit.amount.to_string());
        let found = format!(
            "{} {} {} {}",
            openrouter.base_url,
            local.base_url,
            local.timeout.unwrap().as_secs_f64(),
            at_once.collect::<String>()
        );
        assert_eq!(found, expected, "{settings}");
        assert_eq!(config.upstream_base_url.to_string(), openrouter.base_url);
        let test = openrouter.key_test_for(None).unwrap();
        assert_eq!(test, [format!("{}/key", openrouter.base_url)]);
    }
}

#[test]
fn s10_1_which_file_may_configure_us() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(
        path("good"),
        "[providers.my-box]\nbase_url = \"http://10.0.0.5/v1\"\nkeys = []\n",
    )
    .unwrap();
    std::fs::write(
        path("config.toml"),
        "[providers.home]\nbase_url = \"http://10.0.0.5/v1\"\nkeys = []\n",
    )
    .unwrap();
    let user = dir.path().join("env");
    let alone = dir.path().join("alone/env");
    let named = |name: &str, source| Some((path(name), source, "who".to_owned()));
    let relative = |source| Some(("good".to_owned(), source, "who".to_owned()));
    use Source::{EnvFile, Environment, Flag, UserFile, WorkingDir};
    #[rustfmt::skip]
    let rows = [
        (named("good", Flag),          Some(&user),   "my-box"),
        (named("good", Environment),   Some(&user),   "my-box"),
        (named("good", EnvFile),       Some(&user),   "my-box"),
        (named("good", UserFile),      Some(&user),   "my-box"),
        (relative(UserFile),           Some(&user),   "my-box"),
        (relative(Environment),        Some(&user),   "CONFIG_FILE=\"good\" is not there"),
        (named("gone", Environment),   Some(&user),   "is not there"),
        (named(".", Environment),      Some(&user),   "is a directory"),
        (named("good", WorkingDir),    Some(&user),   "is set by who in this folder, which may be anybody's"),
        (named("gone", WorkingDir),    Some(&user),   "is set by who in this folder, which may be anybody's"),
        (None,                         Some(&user),   "home"),
        (None,                         Some(&alone),  ""),
        (None,                         None,          ""),
        (Some((String::new(), WorkingDir, String::new())), Some(&user), ""),
    ];
    for (named, user, expected) in rows {
        let file = file::gather(named.clone(), user.map(PathBuf::as_path));
        let told = match file.problems.as_slice() {
            [] => file
                .says
                .providers
                .iter()
                .map(|named| named.provider.id.to_string())
                .collect(),
            problems => problems.join("\n"),
        };
        let fits = told == expected || (expected.len() > 9 && told.contains(expected));
        assert!(fits, "{named:?}: {told}");
    }
}

#[test]
fn s12_1_no_providers_key_follows_an_address_of_a_folders() {
    const FOLDER: &str = "PROXY_API_KEY=own-0123456\nMODELS_LIST_URL=http://evil.test\n";
    let mut names = 0;
    for row in crate::provider::built_in() {
        let at = ("LOCAL_BASE_URL", "http://127.0.0.1:1/v1");
        for name in &row.key_names {
            names += 1;
            let environment = [
                (name.as_str(), "key-0123456789"),
                ("PROVIDERS", row.id.as_str()),
                ("ALLOW_PAID", "on"),
                ("CLOUDFLARE_ACCOUNT_ID", "one"),
                at,
            ];
            let told = told(&layers(&[], &environment, FOLDER, ""));
            let expected = format!(
                "MODELS_LIST_URL is set by .env in this folder, and {name} by the environment: "
            );
            assert!(told.starts_with(&expected), "{told}");
            assert!(!told.contains("0123456789"), "{told}");
            // Without that address all is well.
            let own = "PROXY_API_KEY=own-0123456\n";
            let config = layers(&[], &environment, own, "").config().unwrap();
            let [account] = config.accounts.as_slice() else {
                panic!("{:?}", config.accounts);
            };
            assert_eq!(account.variable.as_ref().unwrap().name, *name);
            assert_eq!(account.id.provider, row.id);
        }
    }
    assert!(names > 20, "{names}");
}
