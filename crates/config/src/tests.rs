use super::*;

const GOOD: &str = r#"
data_dir = "/var/lib/hearthpost"
hostname = "mail.example.org"
domains = ["example.org", "Bücher.example"]

[doors]
smtp = ["0.0.0.0:25", "[::]:25"]
submissions = "0.0.0.0:465"
imaps = ["0.0.0.0:993"]
lmtp = ["127.0.0.1:24"]

[tls]
certificate = "/etc/hearthpost/fullchain.pem"
key = "/etc/hearthpost/privkey.pem"

[limits]
message_size = "100 MiB"

[smtp]
bare_newlines = "normalise"
"#;

#[test]
fn a_good_configuration_is_read() {
    let config = read(GOOD).unwrap();
    assert_eq!(config.hostname, "mail.example.org");
    assert_eq!(config.domains, ["example.org", "xn--bcher-kva.example"]);
    assert_eq!(config.doors.smtp.len(), 2);
    assert_eq!(config.doors.submissions, ["0.0.0.0:465".parse().unwrap()]);
    assert!(config.doors.imap.is_empty(), "doors are off until asked for");
    assert_eq!(config.message_bytes, 100 * 1024 * 1024);
    assert_eq!(config.connections, 20_000);
    assert_eq!(config.bare_newlines, BareNewlines::Normalise);
    assert_eq!(config.log_stderr, LogStderr::Human);
    assert_eq!(
        config.tls.unwrap().key,
        PathBuf::from("/etc/hearthpost/privkey.pem")
    );
}

#[test]
fn every_setting_has_a_default_or_says_that_it_has_none_and_its_example_passes() {
    for setting in SETTINGS {
        let _ = setting.default_value();
        let example = DeValue::parse(setting.example).unwrap();
        assert!(setting.kind.read(&example).is_ok(), "{}", setting.name);
        assert!(reference().contains(&format!("## {}\n", setting.name)));
        assert!(setting.doc.ends_with('.'), "{}", setting.name);
    }
}

/// Lines that change the good configuration, and the sentence that must come out.
const GALLERY: &[(&str, &str, &str)] = &[
    (
        "hostname = \"mail.example.org\"",
        "hostnme = \"mail.example.org\"",
        "line 3: hostnme: there is no such setting. Did you mean hostname?",
    ),
    (
        "data_dir = \"/var/lib/hearthpost\"\n",
        "",
        "data_dir: it is missing, and the server cannot start without it. Add: data_dir = \"/var/lib/hearthpost\"",
    ),
    (
        "\"/var/lib/hearthpost\"",
        "\"var/lib\"",
        "line 2: data_dir: \"var/lib\" is not an absolute path. Begin it with /, so that it does not depend on where the server is started.",
    ),
    (
        "\"mail.example.org\"",
        "\"mail\"",
        "line 3: hostname: \"mail\" is not a full host name. Write the name other servers find in DNS, like \"mail.example.org\".",
    ),
    (
        "\"mail.example.org\"",
        "25",
        "line 3: hostname: this is a number, not text. Write it in quotes, like \"mail.example.org\".",
    ),
    (
        "domains = [\"example.org\", \"Bücher.example\"]",
        "domains = \"example.org\"",
        "line 4: domains: this is a string, not a list. Write it like [\"example.org\"].",
    ),
    (
        "\"Bücher.example\"",
        "\"example..org\"",
        "line 4: domains: \"example..org\" is not a domain name. Write it like \"example.org\", without a dot at the end.",
    ),
    (
        "[\"0.0.0.0:25\", \"[::]:25\"]",
        "25",
        "line 7: doors.smtp: this is a number, not an address with its port. Write it like [\"0.0.0.0:25\", \"[::]:25\"], or \"off\".",
    ),
    (
        "\"[::]:25\"",
        "\"::\"",
        "line 7: doors.smtp: \"::\" is not an address with its port. Write it like [\"0.0.0.0:25\", \"[::]:25\"], or \"off\".",
    ),
    (
        "imaps = [\"0.0.0.0:993\"]",
        "imaps = [\"0.0.0.0:465\"]",
        "line 9: doors.imaps: 0.0.0.0:465 is already the address of doors.submissions. Give each door its own port.",
    ),
    (
        "127.0.0.1:24",
        "0.0.0.0:24",
        "line 10: doors.lmtp: 0.0.0.0:24 can be reached from outside, and LMTP asks nobody to sign in. Use a loopback address, like \"127.0.0.1:24\".",
    ),
    (
        "key = \"/etc/hearthpost/privkey.pem\"\n",
        "",
        "line 13: tls.certificate: a certificate without its private key is of no use. Add tls.key.",
    ),
    (
        "\"100 MiB\"",
        "\"100 MB\"",
        "line 17: limits.message_size: this is not a size. Write a size from 64 KiB to 1 GiB, like \"50 MiB\".",
    ),
    (
        "\"100 MiB\"",
        "1",
        "line 17: limits.message_size: 1 bytes is out of bounds. Write a size from 64 KiB to 1 GiB, like \"50 MiB\".",
    ),
    (
        "message_size = \"100 MiB\"",
        "connections = \"many\"",
        "line 17: limits.connections: this is not a whole number. Write a whole number from 10 to 100000, without quotes.",
    ),
    (
        "\"normalise\"",
        "\"normalize\"",
        "line 20: smtp.bare_newlines: \"normalize\" is not known here. Write one of \"refuse\", \"normalise\".",
    ),
    (
        "[limits]\nmessage_size",
        "[limits]\nmesage_size",
        "line 17: limits.mesage_size: there is no such setting. Did you mean limits.message_size?",
    ),
    (
        "[limits]\nmessage_size = \"100 MiB\"\n",
        "[spam]\nfoobarbaz = 1\n",
        "line 16: spam: there is no such setting. See all settings with: hearthpost config reference",
    ),
];

#[test]
fn gallery_of_broken_configurations() {
    for (from, to, sentence) in GALLERY {
        assert!(GOOD.contains(from), "{from}");
        let problems = read(&GOOD.replace(from, to)).unwrap_err();
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            said.iter().any(|said| said == sentence),
            "expected\n  {sentence}\ngot\n  {}",
            said.join("\n  ")
        );
        assert_eq!(said.len(), 1, "one fault, one problem: {said:?}");
    }
}

#[test]
fn a_torn_line_is_named() {
    let problems =
        read("data_dir = \"/x\"\nhostname = \"mail.example.org\n[doors]\nsmtp = [\"0.0.0.0:25\"]\n")
            .unwrap_err();
    assert_eq!(problems[0].line, Some(2), "{problems:?}");
}

#[test]
fn all_problems_come_at_once_in_the_order_of_their_lines() {
    let problems =
        read("hostname = 1\ndata_dir = 2\n[doors]\nsmpt = \"off\"\nimaps = \"127.0.0.1:993\"\n").unwrap_err();
    let lines: Vec<Option<usize>> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(1), Some(2), Some(4), Some(5)], "{problems:?}");
}

#[test]
fn doors_where_people_sign_in_need_tls_and_no_door_is_no_server() {
    let start = "data_dir = \"/x\"\nhostname = \"mail.example.org\"\n";
    let problems = read(&format!("{start}[doors]\nimap = [\"0.0.0.0:143\"]\n")).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "line 4: doors.imap: people sign in at this door, and that is allowed under TLS only. \
         Add tls.certificate and tls.key, or turn it \"off\"."
    );
    let problems = read(start).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "doors: no door is open, so nobody could reach the server. Add at least: [doors] smtp = [\"0.0.0.0:25\", \"[::]:25\"]"
    );
}
