use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::*;
use crate::config::env_file::Found;

mod config_file;
mod keys;
mod reload;
mod trust;

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
    assert_eq!(config.clients.own_key().unwrap().expose(), "sk-demo");
    assert_eq!(config.outbound_proxy.https, None);
}

const UP: (&str, &str) = ("OPENROUTER_API_KEY", "sk-or-v1-0123456789");
const DOOR: (&str, &str) = ("PROXY_API_KEY", "door-0123456789");
const BOTH: &str = "OPENROUTER_API_KEY=sk-or-v1-0123456789\nPROXY_API_KEY=door-0123456789\n";

#[test]
fn s12_1_a_typo_in_a_long_name_in_a_file_is_an_error() {
    #[rustfmt::skip]
    let rows: &[(Set, &str, &str, &str)] = &[
        // environment                     .env                               how it is told, and as what
        (&[],                              "PORT=1\nPROXI_API_KEY=hush",      "problem", ".env line 2: PROXI_API_KEY is not a setting; did you mean PROXY_API_KEY?"),
        (&[],                              "PROXY_API_KEYS=two words",        "problem", ".env line 1: PROXY_API_KEYS is not a setting; did you mean PROXY_API_KEY?"),
        (&[],                              "GROQ_API_KYE=hush",               "problem", ".env line 1: GROQ_API_KYE is not a setting; did you mean GROQ_API_KEY?"),
        (&[],                              "GROQ_API_KYE=hush\nGROQ_API_KEY_2=x", "none", ""),
        (&[],                              "OPENROUTER_API_KEYS=x\nGROQ_API_KEY_2_FILE=y\nHF_TOKEN=z", "none", ""),
        (&[],                              "PORTS=1",                         "warning", ".env line 1: PORTS is not a setting; did you mean PORT?"),
        (&[("PROXI_API_KEY", "hush")],     "",                                "warning", "the environment: PROXI_API_KEY is not a setting; did you mean PROXY_API_KEY?"),
        (&[("PROXY_API_KEY", "set")],      "PROXI_API_KEY=hush",              "none",    ""),
        (&[("HOME", "/"), ("FTP_PROXY", "x")], "XAI_API_KEY=1\nSOME_OTHER=1", "none",    ""),
    ];
    for (environment, folder, kind, expected) in rows {
        let sources = layers(&[], environment, folder, "");
        let problems: Vec<_> = sources
            .problems
            .iter()
            .filter(|p| p.contains("did you mean"))
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
    sources.passed_over = Some("is not a file");
    let message = sources.config().unwrap_err().to_string();
    assert!(message.ends_with("\n.env in this folder is not a file, so nothing was taken from it"));
    let mut sources = layers(&[], &[UP, DOOR], "", "");
    sources.passed_over = Some("is not a file");
    sources.config().unwrap();
}

pub(in crate::config) fn layers(
    flags: &[(&'static str, &str)],
    environment: &[(&str, &str)],
    folder: &str,
    user: &str,
) -> Sources {
    layers_and_file(flags, environment, folder, user, file::File::default())
}

fn layers_and_file(
    flags: &[(&'static str, &str)],
    environment: &[(&str, &str)],
    folder: &str,
    user: &str,
    file: file::File,
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
    sources.file = file;
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
