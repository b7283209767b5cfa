//! What a folder's file may decide beside keys that are not its own (spec §12.1).

use super::*;
use crate::config::table;

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
fn s12_1_a_folder_has_no_file_written_beside_keys_that_are_not_its_own() {
    no_file_beside("TRACE_FILE", "TRACE_FILE=trace.jsonl");
    no_file_beside("STATE", "STATE=file:state");
    assert!(
        layers(&[], &[UP, DOOR], "STATE=memory", "")
            .config()
            .is_ok()
    );
}

fn no_file_beside(name: &str, trace: &str) {
    let own = format!("{BOTH}{trace}");
    #[rustfmt::skip]
    let rows: [(Set, &str, &str, Option<&str>); 4] = [
        // environment   .env     the user's   who set the key
        (&[UP, DOOR],    trace,   "",          Some("OPENROUTER_API_KEY by the environment")),
        (&[],            trace,   BOTH,        Some("OPENROUTER_API_KEY by /home/env")),
        (&[],            &own,    "",          None),
        (&[UP, DOOR],    "",      trace,       None),
    ];
    for (environment, folder, user, expected) in rows {
        let read = layers(&[], environment, folder, user).config();
        let said = read.err().map(|error| error.to_string());
        let start = format!("{name} is set by .env in this folder, and ");
        let expected = expected.map(|whose| format!("{start}{whose}"));
        let begins = expected
            .as_ref()
            .is_some_and(|begin| said.as_ref().is_some_and(|said| said.starts_with(begin)));
        assert!(
            begins || (said.is_none() && expected.is_none()),
            "{said:?} {expected:?}"
        );
    }
}

#[test]
fn s12_1_no_key_goes_to_an_account_id_from_a_folder() {
    const TOKEN: (&str, &str) = ("CLOUDFLARE_API_TOKEN", "tok-0123456789");
    const ID: (&str, &str) = ("CLOUDFLARE_ACCOUNT_ID", "one");
    const MARK: &str = "PROXY_API_KEY=door-0123456789\n";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("value");
    std::fs::write(&path, "value-0123456789\n").unwrap();
    let path = path.display();
    let misled = |name: &str, key: &str, place: &str| {
        format!("{name} is set by .env in this folder, and {key} by {place}: ")
    };
    #[rustfmt::skip]
    let rows: Vec<(Set, String, &str, String)> = vec![
        // environment    .env                                                                                  the user's                             told
        (&[DOOR, TOKEN],  "CLOUDFLARE_ACCOUNT_ID=evil".into(),                                                  "",                                    misled("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN", "the environment")),
        (&[],             format!("{MARK}CLOUDFLARE_ACCOUNT_ID=evil"),                                          "CLOUDFLARE_API_TOKEN=tok-0123456789", misled("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN", "/home/env")),
        (&[],             format!("{MARK}CLOUDFLARE_ACCOUNT_ID_2=evil"),                                        "CLOUDFLARE_API_TOKEN_2=tok-0123456789\nCLOUDFLARE_ACCOUNT_ID=one", misled("CLOUDFLARE_ACCOUNT_ID_2", "CLOUDFLARE_API_TOKEN_2", "/home/env")),
        (&[DOOR, TOKEN],  format!("CLOUDFLARE_ACCOUNT_ID_FILE={path}"),                                         "",                                    misled("CLOUDFLARE_ACCOUNT_ID_FILE", "CLOUDFLARE_API_TOKEN", "the environment")),
        // A file that it names is not the folder's.
        (&[],             format!("{MARK}CLOUDFLARE_API_TOKEN_FILE={path}\nCLOUDFLARE_ACCOUNT_ID=evil"),        "",                                    misled("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN_FILE", ".env")),
        (&[UP, DOOR],     format!("CLOUDFLARE_API_TOKEN=tok-0123456789\nCLOUDFLARE_ACCOUNT_ID_FILE={path}"),    "",                                    misled("CLOUDFLARE_ACCOUNT_ID_FILE", "OPENROUTER_API_KEY", "the environment")),
        // Both in one place, whatever other keys there are elsewhere; or the id in a better one.
        (&[UP, DOOR],     "CLOUDFLARE_API_TOKEN=tok-0123456789\nCLOUDFLARE_ACCOUNT_ID=one".into(),              "",                                    "openrouter=OPENROUTER_API_KEY@the environment cloudflare=CLOUDFLARE_API_TOKEN@.env".into()),
        (&[DOOR, ID],     "CLOUDFLARE_API_TOKEN=tok-0123456789".into(),                                         "",                                    "cloudflare=CLOUDFLARE_API_TOKEN@.env".into()),
        (&[DOOR, TOKEN, ID], "CLOUDFLARE_ACCOUNT_ID=evil".into(),                                               "",                                    "cloudflare=CLOUDFLARE_API_TOKEN@the environment".into()),
        (&[UP, DOOR],     "CLOUDFLARE_ACCOUNT_ID=evil".into(),                                                  "",                                    "openrouter=OPENROUTER_API_KEY@the environment".into()),
    ];
    for (environment, folder, user, expected) in rows {
        let told = told(&layers(&[], environment, &folder, user));
        let fits = told == expected || (expected.ends_with(": ") && told.starts_with(&expected));
        assert!(fits, "{folder:?} {user:?}\n{told}\n{expected}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(!told.contains("0123456789"), "{told}");
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
                    let peer = crate::config::reachable(running.unwrap());
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
