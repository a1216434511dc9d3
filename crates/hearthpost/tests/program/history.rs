use serde_json::{Value, json};

use crate::help::{Demo, done, refused, with_input};

/// The history, newest first, without the keys that the server makes of its own accord, at its own time.
fn entries(data: &std::path::Path) -> Vec<Value> {
    let all = done(data, &["history"]);
    let theirs = all
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["noun"] != "dkim");
    theirs.cloned().collect()
}

/// The newest entry of it.
fn newest(data: &std::path::Path) -> Value {
    entries(data)[0].clone()
}

fn id(entry: &Value) -> String {
    entry["id"].as_str().unwrap().to_owned()
}

#[test]
fn every_change_is_remembered_and_can_be_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    done(data, &["domain", "add", "example.org"]);
    done(data, &["account", "add", "Ann@example.org", "--name", "Ann"]);
    done(data, &["account", "add", "bob@example.org"]);
    done(data, &["alias", "add", "info@example.org", "ann@example.org"]);
    let told: Vec<String> = entries(data)
        .iter()
        .map(|entry| format!("{} {} {}", entry["noun"], entry["name"], entry["verb"]).replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "alias info@example.org added",
            "account bob@example.org added",
            "account ann@example.org added",
            "domain example.org added",
        ]
    );
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(newest(data)["by"], format!("uid {uid}"));

    done(
        data,
        &[
            "alias",
            "set",
            "info@example.org",
            "ann@example.org",
            "bob@example.org",
        ],
    );
    let first = id(&newest(data));
    done(data, &["alias", "set", "info@example.org", "bob@example.org"]);
    let second = id(&newest(data));
    let (code, said) = refused(data, &["undo", &first]);
    assert_eq!(code, 1);
    assert!(
        said.contains(&format!(
            "the alias info@example.org was changed again since. Undo that first: hearthpost undo {second}"
        )),
        "{said}"
    );
    for change in [&second, &first] {
        done(data, &["undo", change]);
    }
    assert_eq!(
        done(data, &["alias", "show", "info@example.org"])["targets"],
        json!(["ann@example.org"])
    );
    let undone = newest(data);
    assert_eq!(undone["undoes"], first.as_str());
    done(data, &["undo", &id(&undone)]);
    assert_eq!(
        done(data, &["alias", "show", "info@example.org"])["targets"],
        json!(["ann@example.org", "bob@example.org"]),
        "taking back is a change like any other"
    );

    done(
        data,
        &[
            "account",
            "set",
            "ann@example.org",
            "--quota",
            "5GiB",
            "--disable",
        ],
    );
    done(data, &["undo", &id(&newest(data))]);
    let ann = done(data, &["account", "show", "ann@example.org"]);
    assert_eq!(
        (ann["quota_bytes"].as_u64(), ann["enabled"].as_bool()),
        (Some(0), Some(true))
    );

    done(data, &["domain", "set", "example.org", "--separator", "-"]);
    done(data, &["undo", &id(&newest(data))]);
    assert_eq!(done(data, &["domain", "show", "example.org"])["separator"], "+");

    done(data, &["account", "remove", "bob@example.org", "--yes"]);
    let back = done(data, &["undo", &id(&newest(data))]);
    assert_eq!(
        back["password"].as_str().unwrap().len(),
        24,
        "an empty account comes back with a new password"
    );
    done(data, &["account", "show", "bob@example.org"]);
    assert_eq!(
        done(data, &["history", "--noun", "domain"])
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(
        done(data, &["history", "--name", "BOB@example.org"])
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let (_, said) = refused(data, &["undo", "caaaaaaaaaaaaa"]);
    assert!(
        said.contains("there is no change caaaaaaaaaaaaa. See all with: hearthpost history"),
        "{said}"
    );
    let (code, said) = refused(data, &["undo", "7"]);
    assert_eq!(code, 2, "a wrong argument: {said}");
    assert!(said.contains("\"7\" is no change"), "{said}");
}

#[test]
fn grants_and_domain_aliases_have_a_history_too() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    done(data, &["domain", "add", "example.org"]);
    done(data, &["account", "add", "ann@example.org"]);
    done(data, &["domain", "alias", "add", "example.net", "example.org"]);
    let alias = newest(data);
    done(data, &["domain", "add", "example.com"]);
    assert_eq!(alias["after"]["alias_of"], "example.org");
    done(
        data,
        &["account", "send-as", "ann@example.org", "add", "@example.com"],
    );
    let grant = newest(data);
    assert_eq!(grant["after"]["send_as"], json!(["@example.com"]));
    done(data, &["undo", &id(&grant)]);
    assert_eq!(
        done(data, &["account", "send-as", "ann@example.org", "list"]),
        json!([])
    );
    done(data, &["undo", &id(&alias)]);
    assert_eq!(done(data, &["domain", "alias", "list"]), json!([]));
}

#[test]
fn secrets_are_never_in_the_history_and_mail_is_not_thrown_away_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    let data = &demo.dir;
    let made = done(data, &["account", "add", "carol@example.test"]);
    let first = made[0]["password"].as_str().unwrap();
    let added = id(&newest(data));
    let set = with_input(
        data,
        &["account", "password", "carol@example.test"],
        "correct-horse-battery\n",
    );
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    demo.imaps("carol@example.test", "correct-horse-battery");
    let entry = newest(data);
    assert_eq!(entry["password"], true);
    let made = done(data, &["account", "password", "carol@example.test", "--generate"]);
    let second = made["password"].as_str().unwrap();
    demo.imaps("carol@example.test", second);
    let all = done(data, &["history"]).to_string();
    for secret in [first, second, "correct-horse-battery", "argon2"] {
        assert!(!all.contains(secret), "{all}");
    }
    let (_, said) = refused(data, &["undo", &id(&newest(data))]);
    assert!(said.contains("former passwords are not kept"), "{said}");
    assert!(demo.send("carol@example.test", "x").starts_with("250 "));
    let (_, said) = refused(data, &["undo", &added]);
    assert!(said.contains("carol@example.test has mail now"), "{said}");
    done(data, &["account", "remove", "carol@example.test", "--yes"]);
    let (_, said) = refused(data, &["undo", &id(&newest(data))]);
    assert!(
        said.contains("the mail of carol@example.test was removed with the account"),
        "{said}"
    );
}
