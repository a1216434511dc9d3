use crate::help::{done, refused};

#[test]
fn tls_4_an_operator_requires_tls_of_a_domain_and_takes_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let required = done(
        data,
        &["tls", "require", "Example.ORG", "--mx", "*.Mail.example.org"],
    );
    assert_eq!(required["domain"], "example.org");
    assert_eq!(
        (required["stage"].as_str(), required["by"].as_str()),
        (Some("require"), Some("operator"))
    );
    assert_eq!(required["hosts"][0], "*.mail.example.org");
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(required["user"], format!("uid {uid}"));
    assert_eq!(
        done(data, &["tls", "show", "example.org"])["stage"],
        "require",
        "another process knows it"
    );
    let all = done(data, &["tls", "list"]);
    let names: Vec<&str> = all["domains"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["domain"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"example.org") && names.contains(&"gmail.com") && names.is_sorted(),
        "{names:?}"
    );
    assert_eq!(all["running"], false);

    let again = done(
        data,
        &["tls", "require", "example.org", "--mx", "*.mail.EXAMPLE.org"],
    );
    assert_eq!(
        (again["stage"].as_str(), again["unchanged"].as_bool()),
        (Some("require"), Some(true))
    );
    assert!(required.get("unchanged").is_none(), "{required}");

    assert_eq!(done(data, &["tls", "remove", "example.org"])["stage"], "nothing");
    let (code, said) = refused(data, &["tls", "remove", "example.org"]);
    assert_eq!(code, 1);
    assert!(said.contains("nothing requires TLS of example.org"), "{said}");
    assert_eq!(done(data, &["tls", "remove", "gmail.com"])["stage"], "exempt");
    assert_eq!(done(data, &["tls", "show", "gmail.com"])["stage"], "exempt");

    let (code, said) = refused(data, &["history", "--noun", "tsl"]);
    assert_eq!(code, 2, "a kind that there is not is no empty history: {said}");
    let history = done(data, &["history", "--noun", "tls"]);
    let told: Vec<String> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            format!(
                "{} {}",
                entry["name"].as_str().unwrap(),
                entry["verb"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        told,
        ["gmail.com added", "example.org removed", "example.org added"]
    );
}

#[test]
fn tls_4_what_was_said_of_a_domain_is_taken_back_when_nothing_newer_conflicts() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let last = || {
        let history = done(data, &["history", "--noun", "tls", "--limit", "1"]);
        history[0]["id"].as_str().unwrap().to_owned()
    };
    let hosts = || done(data, &["tls", "show", "example.org"])["hosts"].clone();
    done(data, &["tls", "require", "example.org", "--mx", "mx.example.org"]);
    let first = last();
    done(
        data,
        &["tls", "require", "example.org", "--mx", "other.example.org"],
    );
    let second = last();
    let (code, said) = refused(data, &["undo", &first]);
    assert_eq!(code, 1);
    assert!(
        said.contains(&format!("Undo that first: hearthpost undo {second}")),
        "{said}"
    );
    assert_eq!(done(data, &["undo", &second])["noun"], "tls");
    assert_eq!(hosts(), serde_json::json!(["mx.example.org"]));
    let third = last();
    done(data, &["undo", &third]);
    assert_eq!(
        hosts(),
        serde_json::json!(["other.example.org"]),
        "what was taken back can come again"
    );
    done(data, &["tls", "remove", "example.org"]);
    let removal = last();
    done(data, &["undo", &removal]);
    assert_eq!(hosts(), serde_json::json!(["other.example.org"]));
    assert_eq!(done(data, &["tls", "show", "example.org"])["stage"], "require");
}

#[test]
fn what_cannot_be_required_or_told_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    for (args, code, words) in [
        (&["tls", "require", "not a domain"][..], 2, "is no domain"),
        (&["tls", "require", "[192.0.2.1]"], 2, "is no domain"),
        (
            &["tls", "require", "example.org", "--mx", "a..b"],
            2,
            "\"a..b\" names no host for --mx. Write it as mx.example.org",
        ),
        (
            &["tls", "require", "example.org", "--mx", "***"],
            2,
            "\"***\" names no host for --mx. Write it as mx.example.org",
        ),
        (
            &["tls", "report", "example.org", "--day", "tomorrow"],
            2,
            "is no day",
        ),
        (&["tls", "report", "example.org"], 1, "is on record"),
    ] {
        let (exit, said) = refused(data, args);
        assert_eq!(exit, code, "{args:?}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let trials = done(data, &["tls", "dry-run"]);
    assert_eq!(trials["domains"].as_array().map(Vec::len), Some(0));
    std::fs::write(data.join("tls/required.json"), "{}").unwrap();
    let (code, said) = refused(data, &["tls", "list"]);
    assert_eq!(code, 4);
    assert!(
        said.contains("required.json, the list of domains that must have TLS, is damaged"),
        "{said}"
    );
}
