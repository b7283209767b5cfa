use serde_json::json;

use super::Format::{Env, Json, Toml, Yaml};
use super::*;

/// What a file becomes, or the beginning of why it stays unchanged.
type Row = (&'static str, Result<&'static str, &'static str>);

#[test]
fn json_keeps_comments_order_numbers_and_line_ends() {
    let template = json!({"a": "new", "b": {"c": "d"}});
    #[rustfmt::skip]
    let rows: &[Row] = &[
        ("",                                        Ok("{\n  \"a\": \"new\",\n  \"b\": {\n    \"c\": \"d\"\n  }\n}\n")),
        ("  \n",                                    Ok("{\n  \"a\": \"new\",\n  \"b\": {\n    \"c\": \"d\"\n  }\n}\n")),
        ("{}",                                      Ok("{\n  \"a\": \"new\",\n  \"b\": {\n    \"c\": \"d\"\n  }\n}")),
        ("{\"z\":1.0,\"b\":{\"c\":\"x\"},\"a\":1e3}",  Ok("{\"z\":1.0,\"b\":{\"c\":\"d\"},\"a\":\"new\"}")),
        ("{\"b\":{\"c\":\"\\u0064\"},\"a\":\"new\"}",  Ok("{\"b\":{\"c\":\"\\u0064\"},\"a\":\"new\"}")),
        ("// mine\n{\"a\": \"old\", // why\n \"b\": {\"c\": \"d\",},}", Ok("// mine\n{\"a\": \"new\", // why\n \"b\": {\"c\": \"d\",},}")),
        ("{\n\t\"n\": 12345678901234567890123,\n\t\"b\": null\n}\n",
            Ok("{\n\t\"n\": 12345678901234567890123,\n\t\"b\": {\n\t\t\"c\": \"d\"\n\t},\n\t\"a\": \"new\"\n}\n")),
        ("{\r\n  \"a\": \"x\",\r\n  \"b\": {}\r\n}\r\n", Ok("{\r\n  \"a\": \"new\",\r\n  \"b\": {\r\n    \"c\": \"d\"\r\n  }\r\n}\r\n")),
        ("\u{feff}{\"a\":0,\"b\":{\"c\":\"d\"}}",     Ok("\u{feff}{\"a\":\"new\",\"b\":{\"c\":\"d\"}}")),
        ("[]",                                      Err("is not a JSON object")),
        ("null",                                    Err("is not a JSON object")),
        ("{\"a\": \"hush\",\n oops}",               Err("is not valid JSON: line 2")),
        ("{'a': 1}",                                Err("is not valid JSON: line 1")),
        ("{\"a\": 1} {}",                           Err("is not valid JSON: line 1")),
        ("{\"b\": \"text\"}",                       Err("has a plain value as `b`, where a group of settings is needed")),
        ("{\"b\": []}",                             Err("has a list as `b`, where a group of settings is needed")),
        ("{\"a\": {}}",                             Err("has a group of settings as `a`, where a plain value is needed")),
        ("{\"b\": {\"c\": 1}, \"b\": {\"x\": 1}}",   Err("is written in a way")),
    ];
    check(Json, &template, rows);
}

#[test]
fn json_lists_have_one_member_for_each_id() {
    let template = json!({"l": [{"id": "auto", "url": "u"}]});
    #[rustfmt::skip]
    let rows: &[Row] = &[
        ("{\"l\":[]}",                                          Ok("{\"l\":[\n    {\n      \"id\": \"auto\",\n      \"url\": \"u\"\n    }\n  ]}")),
        ("{\"l\":[{\"id\":\"auto\",\"url\":\"x\",\"mine\":1}]}",  Ok("{\"l\":[{\"id\":\"auto\",\"url\":\"u\",\"mine\":1}]}")),
        ("{\"l\":[1,{\"id\":\"auto\",\"url\":\"u\"},[]]}",        Ok("{\"l\":[1,{\"id\":\"auto\",\"url\":\"u\"},[]]}")),
        ("{\"l\":{}}",                                          Err("has a group of settings as `l`, where a list is needed")),
    ];
    check(Json, &template, rows);
}

#[test]
fn toml_keeps_comments_and_order() {
    let template = json!({"a": "new", "p": {"q": {"c": "d"}}});
    #[rustfmt::skip]
    let rows: &[Row] = &[
        ("",                                    Ok("a = \"new\"\n\n[p.q]\nc = \"d\"\n")),
        ("# mine\na = 'old' # why\nz = 0x1F\n\n# theirs\n[p.q]\nx = 1\nc = \"d\"\n",
            Ok("# mine\na = \"new\" # why\nz = 0x1F\n\n# theirs\n[p.q]\nx = 1\nc = \"d\"\n")),
        ("[p.z] # tail\nk = 1979-05-27\n",      Ok("a = \"new\"\n[p.z] # tail\nk = 1979-05-27\n\n[p.q]\nc = \"d\"\n")),
        ("a = 'new'\np.q.c = 'd'\n",            Ok("a = 'new'\np.q.c = 'd'\n")),
        ("a = 'new'\np = { q = { x = 1 } }\n",  Ok("a = 'new'\np = { q = { x = 1 , c = \"d\" } }\n")),
        ("a = 1.0\r\n[p.q]\r\nc = ''\r\n",      Ok("a = \"new\"\r\n[p.q]\r\nc = \"d\"\r\n")),
        ("[[x]]\ny = 1\n[[x]]\ny = nan\n",      Ok("a = \"new\"\n[[x]]\ny = 1\n[[x]]\ny = nan\n\n[p.q]\nc = \"d\"\n")),
        ("a = 1\nb = hush\n",                    Err("is not valid TOML: line 2")),
        ("a = 1\na = 2\n",                      Err("is not valid TOML: line 2")),
        ("p = 1\n",                             Err("has a plain value as `p`, where a group of settings is needed")),
        ("[[p]]\nq = 1\n",                      Err("has a list as `p`, where a group of settings is needed")),
        ("[a]\n",                               Err("has a group of settings as `a`, where a plain value is needed")),
    ];
    check(Toml, &template, rows);
}

#[test]
fn yaml_keeps_comments_and_order() {
    let template = json!({"model": "openai/auto", "warn": false});
    #[rustfmt::skip]
    let rows: &[Row] = &[
        ("",                                            Ok("model: openai/auto\nwarn: false\n")),
        ("# all of it is a comment",                    Ok("# all of it is a comment\nmodel: openai/auto\nwarn: false\n")),
        ("## Specify the model\n#model: xxx\n\n",       Ok("## Specify the model\n#model: xxx\n\nmodel: openai/auto\nwarn: false\n")),
        ("a: [1, 2] # é\nmodel:   'x' # why\nwarn: no\n", Ok("a: [1, 2] # é\nmodel:   openai/auto # why\nwarn: false\n")),
        ("warn: false\nmodel: \"openai/auto\"\n",       Ok("warn: false\nmodel: \"openai/auto\"\n")),
        ("---\nread:\n  - a\n  - model: x\n",           Ok("---\nread:\n  - a\n  - model: x\nmodel: openai/auto\nwarn: false\n")),
        ("x: |\n  text\n  model: y\nwarn: true",        Ok("x: |\n  text\n  model: y\nwarn: false\nmodel: openai/auto\n")),
        ("model: x\r\nz: &a 1\r\ny: *a\r\n",            Ok("model: openai/auto\r\nz: &a 1\r\ny: *a\r\nwarn: false\r\n")),
        ("model:\nwarn: false\n",                       Err("has no plain value on one line as `model`")),
        ("model: >\n  x\n",                             Err("has no plain value on one line as `model`")),
        ("model: &m x\nweak: *m\n",                     Err("has no plain value on one line as `model`")),
        ("model: [x]\n",                                Err("has a list as `model`, where a plain value is needed")),
        ("model: {a: b}\n",                             Err("has a group of settings as `model`")),
        ("{a: b}\n",                                    Err("")),
        ("  a: b\n",                                    Err("")),
        ("a: b\n...\n",                                 Err("")),
        ("a: b\n---\nc: d\n",                           Err("holds more than one document")),
        ("- a\n",                                       Err("has no settings at its top level")),
        ("hush\n",                                      Err("has no settings at its top level")),
        ("a: b\na: c\n",                                Err("")),
        ("a: b: hush\n",                                Err("is not valid YAML: line 1")),
        ("a: \"hush\n",                                 Err("is not valid YAML")),
    ];
    check(Yaml, &template, rows);
}

#[test]
fn what_nests_without_end_is_refused() {
    let template = json!({"model": "auto"});
    let many = |text: &str| text.repeat(100_000);
    #[rustfmt::skip]
    let rows = [
        (Yaml, many("- "),                    "nests deeper than any settings file"),
        (Yaml, format!("a: {}", many("[")),   "is not valid YAML"),
        (Json, many("{\"a\":"),               "is not valid JSON"),
        (Json, many("["),                     "is not valid JSON"),
        (Toml, format!("a = {}", many("[")),  "is not valid TOML"),
        (Toml, format!("a{} = 1", many(".a")), "is not valid TOML"),
    ];
    for (format, text, expected) in rows {
        let refusal = merge(format, &text, &template).unwrap_err().to_string();
        assert!(refusal.starts_with(expected), "{format:?}: {refusal}");
    }
}

#[test]
fn yaml_values_are_read_as_they_were_meant() {
    #[rustfmt::skip]
    let rows = [
        ("openai/auto",             "openai/auto"),
        ("http://127.0.0.1:8080",   "http://127.0.0.1:8080"),
        ("sk-proxy-0",              "sk-proxy-0"),
        ("123",                     "\"123\""),
        ("no",                      "\"no\""),
        ("a: b",                    "\"a: b\""),
        ("a #b",                    "\"a #b\""),
        ("a:",                      "\"a:\""),
        ("*a",                      "\"*a\""),
        ("a\"\\b",                  "\"a\\\"\\\\b\""),
    ];
    for (value, spelt) in rows {
        let merged = merge(Yaml, "", &json!({"k": value})).unwrap();
        assert_eq!(merged.text, format!("k: {spelt}\n"));
    }
}

#[test]
fn env_lines_keep_their_neighbours() {
    let template = json!({"KEY": "sk-1", "B": "http://h:1/v1"});
    #[rustfmt::skip]
    let rows: &[Row] = &[
        ("",                                    Ok("KEY=sk-1\nB=http://h:1/v1\n")),
        ("# mine\nA=1",                         Ok("# mine\nA=1\nKEY=sk-1\nB=http://h:1/v1\n")),
        ("KEY=old\n\nA='x y'\nexport B = 2\n",  Ok("KEY=sk-1\n\nA='x y'\nB=http://h:1/v1\n")),
        ("#KEY=old\nKEY2=x\n",                  Ok("#KEY=old\nKEY2=x\nKEY=sk-1\nB=http://h:1/v1\n")),
        ("KEY='sk-1'\nB=http://h:1/v1\n",       Ok("KEY='sk-1'\nB=http://h:1/v1\n")),
        ("A=1\r\n",                             Ok("A=1\r\nKEY=sk-1\r\nB=http://h:1/v1\r\n")),
        ("KEY=1\nKEY=2\n",                      Err("sets KEY twice")),
        ("A='\nKEY=1\n'\n",                     Err("")),
        ("what is this\n",                      Err("has a line that is not NAME=value")),
    ];
    check(Env, &template, rows);
    let odd = merge(Env, "", &json!({"KEY": "a'b$c"})).unwrap_err();
    assert!(
        odd.to_string().starts_with("needs KEY with a value"),
        "{odd}"
    );
    assert!(!odd.to_string().contains("a'b"), "{odd}");
}

#[test]
fn what_says_something_else_now_is_named_and_not_quoted() {
    let template = json!({"a": "new", "b": {"c": "d", "e": "f"}});
    let merged = merge(
        Json,
        "{\"a\":\"hush\",\"b\":{\"c\":1,\"e\":\"f\"}}",
        &template,
    )
    .unwrap();
    assert_eq!(merged.replaced, ["a", "b.c"]);
}

/// A file that was changed once is not changed again.
fn check(format: Format, template: &Value, rows: &[Row]) {
    for (text, expected) in rows {
        match (merge(format, text, template), expected) {
            (Ok(merged), Ok(expected)) => {
                assert_eq!(merged.text, *expected, "{text:?}");
                let again = merge(format, &merged.text, template).unwrap();
                assert_eq!((again.text, again.replaced), (merged.text, Vec::new()));
            }
            (Err(refusal), Err(expected)) => {
                let refusal = refusal.to_string();
                assert!(refusal.starts_with(expected), "{text:?}: {refusal}");
                assert!(!refusal.contains("hush"), "{refusal}");
            }
            (got, expected) => panic!("{text:?} gave {got:?}, not {expected:?}"),
        }
    }
}
