//! Keys and records from outside: what is signed and what never is, what a name server makes of the records, a certificate that is
//! changed under load.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base64::Engine;
use serde_json::Value;
use testkit::hostile_dns::HostileDns;
use testkit::sink::{Accepted, Authority, Script, Sink};
use testkit::talk::{Talk, TlsClient};

use crate::help::{Demo, Server, done, port, program, refused, this_user, until, with_input};

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Another server, or a program of this machine, brings a message that claims to be from alice.
fn brings(talk: Talk, hello: &str, from: &str, to: &str, more: &str) {
    brings_asking(talk, hello, (from, ""), to, more);
}

/// The same, with parameters for MAIL.
fn brings_asking(mut talk: Talk, hello: &str, (from, asking): (&str, &str), to: &str, more: &str) {
    talk.reply();
    talk.ask(hello);
    assert!(
        talk.ask(&format!("MAIL FROM:<{from}>{asking}"))
            .starts_with("250 "),
        "{to}"
    );
    let reply = talk.ask(&format!("RCPT TO:<{to}>"));
    assert!(reply.starts_with("250 "), "{to}: {reply}");
    assert!(talk.ask("DATA").starts_with("354 "), "{to}");
    let message = format!("{more}From: alice@example.test\r\nTo: {to}\r\nSubject: forged\r\n\r\nx\r\n.");
    let reply = talk.ask(&message);
    assert!(reply.starts_with("250 "), "{to}: {reply}");
}

/// The header alone: what a report gives back of a message is in its body.
fn header(message: &Accepted) -> String {
    let text = String::from_utf8_lossy(&message.content);
    text.split("\r\n\r\n").next().unwrap_or_default().to_owned()
}

#[test]
fn rel_4_what_others_brought_leaves_without_our_signature_on_every_road() {
    let script = Script::read("rcpt nobody@*: reply 550 5.1.1 nobody here").unwrap();
    let sink = Sink::start(anywhere(), script).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let relay = sink.address().to_string();
    let demo = Demo::start(dir.path(), &["--insecure-auth", "--relay", &relay]);
    let data = demo.dir.as_path();
    done(data, &["dkim", "make", "example.test"]);
    let keys = done(data, &["dkim", "sign-now", "example.test"]);
    let selectors: Vec<String> = keys
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["selector"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(selectors.len(), 2);
    done(data, &["alias", "add", "out@example.test", "alias@far.test"]);
    done(data, &["alias", "add", "chain@example.test", "out@example.test"]);
    done(data, &["alias", "add", "lost@example.test", "nobody@far.test"]);
    done(data, &["alias", "add", "@example.test", "catchall@far.test"]);
    done(data, &["domain", "alias", "add", "other.test", "example.test"]);

    let stranger = || Talk::connect(demo.port("smtp"));
    let ehlo = "EHLO far.test";
    brings(stranger(), ehlo, "you@far.test", "out@example.test", "");
    brings(stranger(), ehlo, "alice@example.test", "chain@example.test", "");
    brings(stranger(), ehlo, "you@far.test", "whoever@example.test", "");
    brings(stranger(), ehlo, "you@far.test", "out@other.test", "");
    let resent = "Resent-From: alice@example.test\r\nResent-To: x@far.test\r\nSender: bob@example.test\r\n";
    brings(stranger(), ehlo, "you@far.test", "out@example.test", resent);
    brings(
        Talk::connect(demo.port("lmtp")),
        "LHLO localhost",
        "you@far.test",
        "out@example.test",
        "",
    );
    until("six leave", || sink.accepted_count() >= 6);
    // What comes back to a return address that we made for a forwarded message goes on to who sent it.
    let ours = sink
        .accepted()
        .iter()
        .find(|one| one.reverse_path.starts_with("SRS0") && one.reverse_path.contains("far.test"))
        .unwrap()
        .reverse_path
        .clone();
    brings(stranger(), ehlo, "", &ours, "");
    until("the seventh leaves", || sink.accepted_count() >= 7);
    for message in sink.accepted() {
        let text = String::from_utf8_lossy(&message.content).into_owned();
        assert!(text.contains("Subject: forged"), "{text}");
        assert!(!text.contains("DKIM-Signature"), "{text}");
    }

    // A report about such a message is our own word, and signed; what it gives back is in its body.
    brings(stranger(), ehlo, "you@far.test", "lost@example.test", "");
    until("the report leaves", || sink.accepted_count() >= 8);
    let signed = |message: &Accepted| {
        selectors
            .iter()
            .all(|selector| header(message).contains(&format!("s={selector};")))
    };
    let report = sink.accepted().pop().unwrap();
    assert!(
        header(&report).contains("Auto-Submitted: auto-"),
        "{}",
        header(&report)
    );
    assert!(
        header(&report).contains("d=example.test;") && signed(&report),
        "{}",
        header(&report)
    );
    assert!(!header(&report).contains("From: alice@"), "{}", header(&report));

    // With the whole message in it, it is not: else anybody could have any text signed, and sent to any address.
    let full = ("you@far.test", " RET=FULL");
    brings_asking(stranger(), ehlo, full, "lost@example.test", "");
    until("the report with the whole message leaves", || {
        sink.accepted_count() >= 9
    });
    let report = String::from_utf8_lossy(&sink.accepted().pop().unwrap().content).into_owned();
    assert!(report.contains("Content-Type: message/rfc822"), "{report}");
    assert!(!report.contains("DKIM-Signature"), "{report}");

    // And so is what a user submits.
    let mut talk = Talk::connect(demo.port("submission"));
    talk.reply();
    talk.ask("EHLO client.test");
    let plain = format!("\0alice@example.test\0{}", demo.password("alice"));
    let plain = base64::engine::general_purpose::STANDARD.encode(plain);
    assert!(talk.ask(&format!("AUTH PLAIN {plain}")).starts_with("235 "));
    talk.ask("MAIL FROM:<alice@example.test>");
    talk.ask("RCPT TO:<x@far.test>");
    talk.ask("DATA");
    assert!(
        talk.ask("From: alice@example.test\r\nSubject: true\r\n\r\nx\r\n.")
            .starts_with("250 ")
    );
    until("the user's leaves", || sink.accepted_count() >= 10);
    assert!(signed(&sink.accepted().pop().unwrap()));
}

/// A server with a name server, a domain, and a certificate of its own.
struct House {
    _server: Server,
    data: std::path::PathBuf,
    authority: Authority,
}

const HOST: &str = "mail.example.org";

impl House {
    fn start(dir: &Path, dns: &str, more: &str) -> Self {
        let authority = Authority::new();
        let (chain, key) = (dir.join("chain.pem"), dir.join("key.pem"));
        authority.write(&["localhost"], &chain, &key).unwrap();
        std::fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
        let (data, file) = (dir.join("data"), dir.join("hearthpost.toml"));
        let text = format!(
            "data_dir = \"{data}\"\nhostname = \"{HOST}\"\ndomains = [\"example.org\"]\nprocess.user = \"{user}\"\n\
             doors.smtp = \"127.0.0.1:0\"\ndoors.submissions = \"127.0.0.1:0\"\ndoors.imaps = \"127.0.0.1:0\"\n\
             tls.certificate = \"{chain}\"\ntls.key = \"{key}\"\ndns.servers = [\"{dns}\"]\nlog.stderr = \"json\"\n{more}",
            data = data.display(),
            user = this_user(),
            chain = chain.display(),
            key = key.display(),
        );
        std::fs::write(&file, text).unwrap();
        Self {
            _server: Server::serving(&file),
            data,
            authority,
        }
    }

    fn port(&self, door: &str) -> u16 {
        port(&self.data, door, 0)
    }

    /// Lines for testkit's name server with all that is to be published.
    fn zone(&self) -> String {
        let told = done(&self.data, &["dns", "records", "example.org"]);
        let mut lines = vec![
            format!("{HOST} 300 A 192.0.2.25"),
            format!("25.2.0.192.in-addr.arpa 300 PTR {HOST}"),
        ];
        for record in told["records"].as_array().unwrap() {
            let text = |key: &str| record[key].as_str().unwrap().trim_end_matches('.').to_owned();
            match text("type").as_str() {
                "TXT" => lines.push(format!("{} 300 TXT \"{}\"", text("name"), text("value"))),
                // The point that says that there is no such door belongs to it.
                "SRV" => lines.push(format!(
                    "{} 300 SRV {}",
                    text("name"),
                    record["value"].as_str().unwrap()
                )),
                kind => lines.push(format!("{} 300 {kind} {}", text("name"), text("value"))),
            }
        }
        lines.join("\n")
    }
}

#[test]
fn keys_come_with_a_domain_sign_once_they_are_seen_and_the_check_says_what_is_missing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dns = runtime
        .block_on(HostileDns::start("nothing.example 300 A 192.0.2.1"))
        .unwrap();
    let (dir, at) = (tempfile::tempdir().unwrap(), dns.addr().to_string());
    let house = House::start(dir.path(), &at, "");
    let data = house.data.as_path();
    until("the domain of the settings has keys", || {
        done(data, &["dkim", "list"])
            .as_array()
            .is_some_and(|keys| keys.len() == 2)
    });
    done(data, &["domain", "add", "second.example"]);
    let made = done(data, &["dkim", "list", "second.example"]);
    assert_eq!(
        made[0]["state"], "waiting",
        "they are there when the command ends"
    );
    let check = |more: &[&str]| {
        let mut command = program();
        command
            .args(["dns", "check", "example.org", "--dns", &at, "--data"])
            .arg(data)
            .args(more);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let before = check(&[]);
    assert_eq!(before.status.code(), Some(1));
    let told = String::from_utf8(before.stdout).unwrap();
    assert!(
        told.contains("wrong    mx  example.org MX\n    wanted: 10 mail.example.org.\n    found:  nothing\n"),
        "{told}"
    );

    dns.replace(&house.zone()).unwrap();
    let after = check(&["--json"]);
    let told: Value = serde_json::from_slice(&after.stdout).unwrap();
    assert_eq!(after.status.code(), Some(0), "{told:#}");
    assert_eq!(told["level"], "note", "no DNSSEC: {told:#}");
    // What was not there is remembered for a while, but not over a reload.
    done(data, &["reload"]);
    let keys = done(data, &["dkim", "look", "example.org"]);
    assert!(
        keys.as_array()
            .unwrap()
            .iter()
            .all(|key| key["state"] == "signing"),
        "{keys:#}"
    );
    let history = done(data, &["history", "--noun", "dkim"]);
    assert!(
        history
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["after"]["state"] == "signing"),
        "{history:#}"
    );
    dns.replace("example.org !servfail\nmail.example.org !servfail")
        .unwrap();
    let silent = check(&[]);
    assert_ne!(silent.status.code(), Some(0));
    let (code, said) = refused(data, &["dns", "records", "third.example"]);
    assert!(code == 1 && said.contains("third.example"), "{said}");
    let (code, said) = refused(data, &["dkim", "look", "third.example"]);
    assert!(
        code == 1 && said.contains("third.example is no domain of ours"),
        "{said}"
    );
}

#[test]
fn where_a_smarthost_takes_the_mail_the_spf_record_says_what_is_missing_running_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let route =
        "[[routes]]\nname = \"relay\"\nhost = \"smtp.provider.example\"\nport = 587\ntls = \"starttls\"\n";
    let house = House::start(dir.path(), "127.0.0.1:9", route);
    let data = house.data.clone();
    let config = dir.path().join("hearthpost.toml");
    let records = || {
        let args = ["dns", "records", "example.org", "--json", "--config"];
        let output = program()
            .args(args)
            .arg(&config)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let all = told["records"].as_array().unwrap();
        all.iter().find(|one| one["purpose"] == "spf").unwrap().clone()
    };
    let running = records();
    assert_eq!(running["value"], "v=spf1 mx ~all");
    let remark = running["remark"].as_str().unwrap();
    assert!(
        remark.starts_with("Mail from example.org leaves by smtp.provider.example (route \"relay\")"),
        "{remark}"
    );
    let table = program()
        .args(["dns", "records", "example.org", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    let table = String::from_utf8(table.stdout).unwrap();
    let mut lines = table.lines().skip_while(|line| !line.contains("v=spf1 mx ~all"));
    assert_eq!(lines.nth(1), Some(format!("  ! {remark}").as_str()), "{table}");
    drop(house);
    assert_eq!(records(), running, "the settings say the same");
}

/// Debian's knot loads what we print, together with the two records that only the operator can write.
#[test]
fn the_zone_is_one_that_a_name_server_loads() {
    if Command::new("knotc").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "knot is missing");
        eprintln!("knot is not installed here: the zone was not loaded");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &[]);
    let data = demo.dir.as_path();
    done(data, &["domain", "add", "example.org"]);
    let output = program()
        .args(["dns", "records", "example.test", "--zone", "--data"])
        .arg(data)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let head = "example.test. 3600 IN SOA ns.example.test. hostmaster.example.test. 1 3600 600 86400 300\n\
                example.test. 3600 IN NS ns.example.test.\nns.example.test. 3600 IN A 192.0.2.53\nmail.example.test. 3600 IN A 192.0.2.25\n";
    std::fs::write(dir.path().join("example.test.zone"), format!("{head}{text}\n")).unwrap();
    let config = dir.path().join("knot.conf");
    let settings = format!(
        "server:\n  rundir: {dir}\ndatabase:\n  storage: {dir}\nzone:\n  - domain: example.test\n    storage: {dir}\n    file: example.test.zone\n",
        dir = dir.path().display()
    );
    std::fs::write(&config, settings).unwrap();
    let checked = Command::new("knotc")
        .arg("-c")
        .arg(&config)
        .args(["zone-check", "example.test"])
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&checked.stderr).into_owned() + &String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}\n{text}");
    assert_eq!(text.matches("_domainkey").count(), 2, "{text}");
    assert!(!text.contains("mta-sts"), "{text}");
}

#[test]
fn tls_11_a_certificate_is_changed_under_load_and_no_session_ends() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dns = runtime
        .block_on(HostileDns::start("nothing.example 300 A 192.0.2.1"))
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), &dns.addr().to_string(), "");
    let data = house.data.clone();
    let data = data.as_path();
    let added = with_input(
        data,
        &["account", "add", "ann@example.org", "--password-stdin"],
        "a good password\n",
    );
    assert!(added.status.success());
    let (port, ca) = (house.port("imaps"), dir.path().join("ca.pem"));
    let sign_in = |ca: &Path| {
        let mut talk = Talk::connect_tls(port, &TlsClient::trusting(ca));
        talk.line();
        let said = talk.imap("a", "LOGIN ann@example.org \"a good password\"");
        assert!(said.last().unwrap().starts_with("a OK"), "{said:?}");
        talk
    };
    let mut sessions: Vec<Talk> = (0..10).map(|_| sign_in(&ca)).collect();
    let (stop, shaken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let load: Vec<_> = (0..2)
        .map(|_| {
            let (stop, shaken, ca) = (stop.clone(), shaken.clone(), ca.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut talk = Talk::connect_tls(port, &TlsClient::trusting(&ca));
                    assert!(
                        talk.line().unwrap().starts_with("* OK"),
                        "every handshake succeeds"
                    );
                    shaken.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let served = || {
        let told = done(data, &["dns", "records", "example.org"]);
        let all = told["records"].as_array().unwrap();
        let one = all.iter().find(|record| record["type"] == "TLSA").unwrap();
        one["value"].as_str().unwrap().to_owned()
    };
    let mut before = served();
    for _ in 0..3 {
        house
            .authority
            .write_with_new_key(
                &["localhost"],
                &dir.path().join("chain.pem"),
                &dir.path().join("key.pem"),
            )
            .unwrap();
        done(data, &["reload"]);
        let now = served();
        assert_ne!(now, before, "another key is served");
        before = now;
        let so_far = shaken.load(Ordering::Relaxed);
        until("handshakes go on", || {
            shaken.load(Ordering::Relaxed) >= so_far + 4
        });
    }
    stop.store(true, Ordering::Relaxed);
    for thread in load {
        thread.join().unwrap();
    }
    for session in &mut sessions {
        assert!(session.imap("b", "NOOP").last().unwrap().starts_with("b OK"));
    }
    // Records that bind, and none of the certificate: told at once, not after the first mail that stays away.
    dns.replace(&format!("_25._tcp.{HOST} 300 TLSA 3 1 1 {}", "ab".repeat(32)))
        .unwrap();
    let mut command = program();
    command
        .args([
            "dns",
            "check",
            "example.org",
            "--dns",
            &dns.addr().to_string(),
            "--data",
        ])
        .arg(data);
    let told = String::from_utf8(command.stdin(Stdio::null()).output().unwrap().stdout).unwrap();
    assert!(
        told.contains("none of the records fits the certificate that is served"),
        "{told}"
    );
}
