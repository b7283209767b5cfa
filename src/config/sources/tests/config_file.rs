//! `CONFIG_FILE` beside the settings (spec §10.1).

use super::*;

/// With this text as `CONFIG_FILE`.
fn configured(folder: &str, user: &str, text: &str) -> Sources {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let named = (path.display().to_string(), Source::UserFile, "x".to_owned());
    let file = file::gather(Some(named), None);
    layers_and_file(&[], &[], folder, user, file)
}

#[test]
fn s10_1_a_key_that_the_file_may_refer_to_is_found_wherever_it_is_set() {
    let box_with = |name: &str| {
        format!(
            "[providers.my-box]\nbase_url = \"http://10.0.0.5:8000/v1\"\nkeys = [{{ env = \"{name}\" }}]"
        )
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, "box-0123456789\n").unwrap();
    #[rustfmt::skip]
    let rows = [
        "MY_BOX_KEY", "MY_BOX_KEY2", "MY_BOX_KEY_0", "MY_BOX_KEY_01", "MY_BOX_KEY_2", "MY_BOX_KEY_100", "MY_BOX_KEY100", "MY_BOX_TOKEN",
        "MY_BOX_TOKEN_7", "MY_BOX_TOKEN77",
        // One letter from a built-in provider's, and meant as it is.
        "GROW_API_KEY", "GROQ_API_TOKEN2", "MISTRALS_API_KEY",
    ];
    for name in rows {
        let of_file = format!("{name}_FILE={}", path.display());
        for (set, spelt) in [
            (format!("{name}=box-0123456789"), name.to_owned()),
            (of_file, format!("{name}_FILE")),
        ] {
            let set = format!("PROXY_API_KEY=door-0123456789\n{set}\n");
            let expected = format!("my-box={spelt}@.env");
            assert_eq!(told(&configured(&set, "", &box_with(name))), expected);
            let expected = format!("my-box={spelt}@/home/env");
            assert_eq!(told(&configured("", &set, &box_with(name))), expected);
        }
    }
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
                                                                                                      "GEMINI_API_KEY holds the same key twice of gemini under two account names, one and two: a key belongs to one account"),
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
    for (one, two) in [("", ", account = \"home\""), (", account = \"home\"", "")] {
        let text = format!(
            "[providers.gemini]\nkeys = [{{ env = \"GEMINI_API_KEY\"{one} }}, {{ env = \"GEMINI_API_KEY\"{two} }}]"
        );
        let sources = configured(KEYS, "", &text);
        let expected = "home=GEMINI_API_KEY@.env groq=GROQ_API_KEY@.env";
        assert_eq!(told(&sources), expected, "{text}");
        assert_eq!(
            sources.config().unwrap().warnings,
            [
                "GEMINI_API_KEY holds the same key twice of gemini, once without an account name: it counts once, as home"
            ]
        );
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
    let empty = |source| Some((String::new(), source, "who".to_owned()));
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
        (named("good", WorkingDir),    Some(&user),   "is set by who in this folder, which may be anyone's"),
        (named("gone", WorkingDir),    Some(&user),   "is set by who in this folder, which may be anyone's"),
        (None,                         Some(&user),   "home"),
        (None,                         Some(&alone),  ""),
        (None,                         None,          ""),
        (empty(Flag),                  Some(&user),   ""),
        (empty(UserFile),              Some(&user),   ""),
        (empty(WorkingDir),            Some(&user),   "CONFIG_FILE=\"\" is set by who in this folder, which may be anyone's"),
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
