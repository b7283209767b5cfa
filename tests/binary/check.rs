//! §8: `check` says in plain words what works and what does not.

use serde_json::{Value, json};
use simulator::{Failure, Point, Script, Step};

use crate::program::{PROXY_KEY, Program, UPSTREAM_KEY};
use crate::upstream::{Outside, a_free_day};

#[tokio::test]
async fn s8_check_tells_what_works_from_what_does_not() {
    let good = || Script::new().upstream_key(UPSTREAM_KEY);
    let key = |changes: Value| {
        let mut data = json!({"limit_remaining": null, "is_free_tier": true, "expires_at": null});
        for (name, value) in changes.as_object().unwrap() {
            data[name] = value.clone();
        }
        good().key(Step::status(200, &[], json!({"data": data})))
    };
    let down = || Step::status(500, &[], "");
    let echo = json!({"error": {"message": format!("No such key: {UPSTREAM_KEY}"), "code": 401}});
    #[rustfmt::skip]
    let rows: Vec<(&str, Script, i32, &[&str])> = vec![
        // what                  the outside                                              exit  said
        ("all is well",          good().key(a_free_day()),                                0, &["6 models", "48 left", "WXYZ", "len=36"]),
        ("the key is bad",       Script::new().upstream_key("another"),                   1, &["OPENROUTER_API_KEY", "401", "WXYZ"]),
        ("it is echoed",         Script::new().key(Step::status(401, &[], echo)),         1, &["401"]),
        ("the key has expired",  key(json!({"expires_at": "2020-01-01T00:00:00Z"})),      1, &["expired", "2020-01-01"]),
        ("the key expires later", key(json!({"expires_at": "2200-01-01T00:00:00Z"})),     0, &["expires", "2200-01-01"]),
        ("there is no credit",   key(json!({"limit_remaining": 0})),                      1, &["out of credit"]),
        ("there is a quota",     key(json!({"free_model_daily_requests": {"used": 7, "limit": 50, "remaining": 43}})), 0, &["7 of 50", "43 left"]),
        ("the quota is gone",    key(json!({"free_model_daily_requests": {"used": 50, "limit": 50, "remaining": 0}})), 1, &["used up"]),
        ("it is no such key",    key(json!({"is_management_key": true})),                 1, &["management"]),
        ("the account owes",     good().key(Step::from(Failure::InsufficientCredits)),    1, &["402", "credit"]),
        ("the key API is down",  good().key(down()),                                      1, &["500"]),
        ("the key API moved",    good().key(Step::Redirect("/elsewhere".to_owned())),     1, &["302", "UPSTREAM_BASE_URL"]),
        ("there is no key API",  good().key(Step::status(404, &[], "")),                  0, &["404"]),
        ("the list is down",     good().list(down()),                                     1, &["500"]),
        ("the list resets",      good().list(Step::Reset(Point::BeforeHeaders)),          1, &["cannot be read"]),
        ("the list moved",       good().list(Step::Redirect("/elsewhere".to_owned())),    1, &["302"]),
        ("the list is a page",   good().list(Step::status(200, &[], "<html>")),           1, &["JSON"]),
        ("the list is empty",    good().list(Step::status(200, &[], json!({"models": []}))), 1, &["no model"]),
    ];
    for (what, script, code, said) in rows {
        let outside = Outside::with(script).await;
        let ran = outside.program("check").run().await;
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(code), ""),
            "{what}: {ran:?}"
        );
        for words in said {
            assert!(
                ran.stdout.contains(words),
                "{what}: {words:?} in {}",
                ran.stdout
            );
        }
        for secret in [UPSTREAM_KEY, PROXY_KEY] {
            assert!(!ran.stdout.contains(secret), "{what}: {}", ran.stdout);
        }
        let asked = outside.simulator.requests();
        assert!(
            asked.iter().all(|seen| seen.path != "/elsewhere"),
            "{what}: nothing is followed"
        );
        for seen in asked
            .iter()
            .filter(|seen| !seen.path.starts_with("/api/v1"))
        {
            assert!(
                !seen.headers.contains_key("authorization"),
                "the list gets no key"
            );
        }
    }
}

#[tokio::test]
async fn s8_check_says_what_cannot_be_reached() {
    let outside = Outside::with(Script::new()).await;
    let nowhere = "http://127.0.0.1:9/api/v1";
    for name in ["MODELS_LIST_URL", "UPSTREAM_BASE_URL"] {
        let ran = outside.program("check").env(name, nowhere).run().await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stdout.contains(nowhere), "{ran:?}");
    }
}

#[tokio::test]
async fn s8_check_refuses_wrong_settings_and_placeholders() {
    #[rustfmt::skip]
    let rows = [
        ("OPENROUTER_API_KEY", "sk-or-v1-..."),
        ("OPENROUTER_API_KEY", "sk-or-v1-your-key-here"),
        ("OPENROUTER_API_KEY", ""),
        ("PROXY_API_KEY",      "changeme"),
        ("PORT",               "x"),
    ];
    for (name, value) in rows {
        let ran = Program::with_keys("check").env(name, value).run().await;
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(2), ""),
            "{name}={value}: {ran:?}"
        );
        assert!(ran.stderr.starts_with(name), "{ran:?}");
    }
    let ran = Program::with_keys("check")
        .without("PROXY_API_KEY")
        .run()
        .await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

#[tokio::test]
async fn s10_8_check_tells_what_is_left_of_the_day_for_each_of_openrouters_keys() {
    let other = "sk-or-v1-another-key-for-tests-ABCD";
    let outside = Outside::with(Script::new().key(a_free_day())).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/free-llm-proxy");
    std::fs::create_dir_all(&folder).unwrap();
    let one_label =
        "[providers.openrouter]\nkeys = [{ env = \"OPENROUTER_API_KEY\", account = \"home\" }]\n";
    #[rustfmt::skip]
    let rows = [
        // the file     whose keys they are
        ("",            "openrouter#2: "),
        (one_label,     "home: "),
    ];
    for (file, whose) in rows {
        std::fs::write(folder.join("config.toml"), file).unwrap();
        let both = format!("{UPSTREAM_KEY},{other}");
        let program = outside.program("check").env("OPENROUTER_API_KEY", &both);
        let ran = program
            .env("HOME", home.path().to_str().unwrap())
            .run()
            .await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let begins = |beginning: &str| {
            let mut lines = ran.stdout.lines();
            lines.any(|line| line.starts_with(&format!("ok    {beginning}")))
        };
        assert!(begins("the upstream accepts OPENROUTER_API_KEY"), "{ran:?}");
        assert!(begins("free requests today: 2 of 50 used"), "{ran:?}");
        let accepted = format!("{whose}the upstream accepts OPENROUTER_API_KEY");
        assert!(begins(&accepted), "{ran:?}");
        assert!(
            begins(&format!("{whose}free requests today: 2 of 50 used")),
            "{ran:?}"
        );
        assert!(ran.stdout.contains("...ABCD"), "{ran:?}");
        for key in [UPSTREAM_KEY, other] {
            assert!(!ran.stdout.contains(key), "{}", ran.stdout);
        }
    }
}
