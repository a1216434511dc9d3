//! Addresses that lead elsewhere, domain aliases and grants, on the command line.

use crate::help::{done, refused};

#[test]
fn an_alias_says_that_it_leads_to_another_server_and_when_it_leads_back() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    done(data, &["domain", "add", "example.org"]);
    done(data, &["account", "add", "ann@example.org"]);
    let made = done(
        data,
        &[
            "alias",
            "add",
            "out@example.org",
            "ann@example.org",
            "ann@far.test",
        ],
    );
    assert_eq!(made[0]["forwards"][0], "ann@far.test");
    done(data, &["alias", "add", "info@example.org", "out@example.org"]);
    let set = done(
        data,
        &[
            "alias",
            "set",
            "out@example.org",
            "info@example.org",
            "ann@far.test",
        ],
    );
    assert_eq!(set["leads_back_through"], "info@example.org");
    let csv = data.join("aliases.csv");
    std::fs::write(
        &csv,
        "alias,targets\nteam@example.org,ann@example.org,x@far.test\n",
    )
    .unwrap();
    let many = done(data, &["alias", "add", "--csv", csv.to_str().unwrap()]);
    assert_eq!(many[0]["forwards"][0], "x@far.test");
}

#[test]
fn a_domain_alias_comes_and_goes() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    done(data, &["domain", "add", "old.test"]);
    let made = done(data, &["domain", "alias", "add", "new.test", "old.test"]);
    assert_eq!(
        (made["name"].as_str(), made["of"].as_str()),
        (Some("new.test"), Some("old.test"))
    );
    assert_eq!(
        done(data, &["domain", "alias", "list"]).as_array().unwrap().len(),
        1
    );
    assert_eq!(
        done(data, &["domain", "show", "new.test"])["alias_of"],
        "old.test"
    );
    let (code, said) = refused(data, &["domain", "remove", "old.test"]);
    assert!(
        code == 1 && said.contains("hearthpost domain alias remove new.test"),
        "{said}"
    );
    done(data, &["domain", "alias", "remove", "new.test"]);
    assert!(
        done(data, &["domain", "alias", "list"])
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn grants_are_given_listed_and_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    done(data, &["domain", "add", "example.org"]);
    done(data, &["account", "add", "ann@example.org"]);
    let all = |args: &[&str]| done(data, &[&["account", "send-as", "ann@example.org"], args].concat());
    assert_eq!(
        all(&["add", "@example.org", "info@example.org"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(all(&["remove", "@example.org"])[0], "info@example.org");
    assert_eq!(all(&["list"])[0], "info@example.org");
    let (code, said) = refused(
        data,
        &["account", "send-as", "ann@example.org", "add", "x@far.test"],
    );
    assert!(
        code == 1 && said.contains("hearthpost domain add far.test"),
        "{said}"
    );
}
