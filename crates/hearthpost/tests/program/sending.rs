//! Mail that leaves: the demo's roads, a server's routes, and what a reload changes of them.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use serde_json::Value;
use testkit::hostile_dns::HostileDns;
use testkit::sink::{Authority, Script, Sink};
use testkit::talk::{Talk, TlsClient};

use crate::help::{Demo, Server, done, program, refused, run, this_user, until, with_input};

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Signs in and sends one message.
fn submit(talk: &mut Talk, from: &str, password: &str, to: &str) {
    talk.ask("EHLO client.test");
    let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0{from}\0{password}"));
    assert!(talk.ask(&format!("AUTH PLAIN {plain}")).starts_with("235 "));
    assert!(talk.ask(&format!("MAIL FROM:<{from}>")).starts_with("250 "));
    assert!(talk.ask(&format!("RCPT TO:<{to}>")).starts_with("250 "));
    assert!(talk.ask("DATA").starts_with("354 "));
    let message = format!("From: {from}\r\nTo: {to}\r\nSubject: far\r\n\r\nHello.\r\n.");
    assert!(talk.ask(&message).starts_with("250 "));
}

fn alice_sends(demo: &Demo, to: &str) {
    let mut talk = Talk::connect(demo.port("submission"));
    talk.reply();
    submit(&mut talk, "alice@example.test", &demo.password("alice"), to);
}

/// Until the queue of `data` is empty.
fn until_empty(data: &Path) {
    until("the queue is empty", || {
        done(data, &["queue", "list"]) == Value::Array(vec![])
    });
}

#[test]
fn a_demo_with_a_relay_sends_everything_there() {
    let sink = Sink::start(anywhere(), Script::good()).unwrap();
    let relay = format!("localhost:{}", sink.address().port());
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--insecure-auth", "--relay", &relay]);
    assert_eq!(
        demo.json["elsewhere"],
        format!("goes to 127.0.0.1 port {}", sink.address().port())
    );
    alice_sends(&demo, "far@elsewhere.test");
    until_empty(&demo.dir);
    let accepted = sink.accepted();
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].reverse_path, "alice@example.test");
    assert_eq!(accepted[0].recipients[0].0, "far@elsewhere.test");
    assert_eq!(sink.statistics().violations, Vec::<String>::new());
}

#[test]
fn ops_4_a_road_out_makes_no_open_relay() {
    let sink = Sink::start(anywhere(), Script::good()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--relay", &sink.address().to_string()]);
    assert!(demo.send("far@elsewhere.test", "x").starts_with("550 "));
    let mut talk = Talk::connect(demo.port("lmtp"));
    talk.reply();
    talk.ask("LHLO client.test");
    talk.ask("MAIL FROM:<alice@example.test>");
    assert!(talk.ask("RCPT TO:<far@elsewhere.test>").starts_with("550 "));
    let mut talk = Talk::connect_tls(demo.port("submissions"), &demo.tls());
    talk.reply();
    talk.ask("EHLO client.test");
    assert!(
        talk.ask("MAIL FROM:<alice@example.test>").starts_with("530 "),
        "nobody signed in"
    );
    assert_eq!(sink.statistics().connections, 0);
}

#[test]
fn a_demo_with_a_dns_goes_by_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sink = Sink::start(anywhere(), Script::good()).unwrap();
    let names = "elsewhere.test 300 MX 10 mx.elsewhere.test\nmx.elsewhere.test 300 A 127.0.0.1\n";
    let dns = runtime.block_on(HostileDns::start(names)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (server, port) = (
        format!("localhost:{}", dns.addr().port()),
        sink.address().port().to_string(),
    );
    let demo = Demo::start(
        dir.path(),
        &["--insecure-auth", "--dns", &server, "--deliver-port", &port],
    );
    alice_sends(&demo, "far@elsewhere.test");
    until_empty(&demo.dir);
    assert_eq!(sink.accepted().len(), 1);
}

#[test]
fn a_demo_without_a_road_keeps_mail_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--insecure-auth"]);
    assert!(demo.json["elsewhere"].as_str().unwrap().starts_with("waits here"));
    alice_sends(&demo, "far@elsewhere.test");
    let waiting = done(&demo.dir, &["queue", "list"]);
    let reason = waiting[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("--relay HOST:PORT or --dns HOST:PORT"),
        "{reason}"
    );
    let status = done(&demo.dir, &["status"]);
    assert_eq!(
        status["queue"]["destinations"][0]["destination"],
        "elsewhere.test"
    );
    for (args, said) in [
        (&["--relay", "nowhere"][..], "is not a server and its port"),
        (
            &["--relay", "a:1", "--dns", "127.0.0.1:53"],
            "cannot be used with",
        ),
        (&["--deliver-port", "25"], "--dns"),
        (&["--dns", "localhost"], "is not a name server and its port"),
        (&["--dns", "nowhere.invalid:53"], "leads to no name server"),
    ] {
        let output = run(&[&["demo", "--dir", "/nonexistent/x"], args].concat());
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn status_names_a_destination_that_cannot_be_reached() {
    let sink = Sink::start(anywhere(), Script::good()).unwrap();
    let gone = sink.address().port();
    drop(sink);
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(
        dir.path(),
        &["--insecure-auth", "--relay", &format!("127.0.0.1:{gone}")],
    );
    alice_sends(&demo, "far@elsewhere.test");
    // It is left alone first, and the outcome is on disk a moment later.
    until("it is left alone, and why", || {
        let status = done(&demo.dir, &["status"]);
        let reason = status["queue"]["destinations"][0]["reason"].as_str();
        status["parked"] != Value::Array(vec![]) && reason.is_some_and(|reason| reason.contains("127.0.0.1"))
    });
    let status = done(&demo.dir, &["status"]);
    assert_eq!(status["parked"][0]["destination"], "route:relay");
    assert_eq!(status["queue"]["destinations"][0]["destination"], "route:relay");
}

#[test]
fn a_name_server_may_have_a_name_at_the_start_and_at_a_reload() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sink = Sink::start(anywhere(), Script::good()).unwrap();
    let zone = |domain: &str| format!("{domain} 300 MX 10 mx.{domain}\nmx.{domain} 300 A 127.0.0.1\n");
    let first = runtime.block_on(HostileDns::start(&zone("first.test"))).unwrap();
    let second = runtime.block_on(HostileDns::start(&zone("second.test"))).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let made = certs::demo::provide(dir.path()).unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let settings = |server: &str| {
        format!(
            "data_dir = \"{data}\"\nhostname = \"mail.example.org\"\ndomains = [\"example.org\"]\n\
             doors.submissions = \"127.0.0.1:0\"\ntls.certificate = \"{cert}\"\ntls.key = \"{key}\"\n\
             process.user = \"{user}\"\nlog.stderr = \"json\"\ndeliver.allow_private = true\ndeliver.port = {port}\n\
             dns.servers = [\"{server}\"]\n",
            data = at("data"),
            cert = at("server.pem"),
            key = at("server.key"),
            user = this_user(),
            port = sink.address().port(),
        )
    };
    let (file, data) = (at("hearthpost.toml"), dir.path().join("data"));
    let write = |server: &str| std::fs::write(&file, settings(server)).unwrap();
    let serve = || {
        let mut command = program();
        command.arg("serve").arg("--config").arg(&file);
        command
    };
    write("nowhere.invalid:53");
    let said = "line 11: dns.servers: nowhere.invalid:53 leads to no name server: neither /etc/hosts nor DNS knows the name nowhere.invalid.";
    let output = serve().output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && text.contains(said), "{text}");

    write(&format!("localhost:{}", first.addr().port()));
    let _server = Server::serving(&file);
    with_input(
        &data,
        &["account", "add", "ann@example.org", "--password-stdin"],
        "a good password\n",
    );
    let door = done(&data, &["status"])["doors"]["submissions"][0]
        .as_str()
        .unwrap()
        .to_owned();
    let door: SocketAddr = door.parse().unwrap();
    let send = |to: &str| {
        let mut talk = Talk::connect_tls(door.port(), &TlsClient::trusting(&made.ca_file));
        talk.reply();
        submit(&mut talk, "ann@example.org", "a good password", to);
        until_empty(&data);
    };
    send("far@first.test");
    assert_eq!(sink.accepted().len(), 1);

    write("nowhere.invalid:53");
    let check = run(&["config", "check", "--config", &file]);
    let text = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(check.status.code() == Some(2) && text.contains(said), "{text}");
    let (code, text) = refused(&data, &["reload"]);
    assert!(code == 2 && text.contains(said), "{text}");
    send("far@first.test");
    assert_eq!(sink.accepted().len(), 2, "the old one is asked as before");

    write(&format!("localhost:{}", second.addr().port()));
    assert_eq!(
        done(&data, &["reload"])["changed"],
        serde_json::json!(["dns.servers"])
    );
    send("far@second.test");
    assert_eq!(sink.accepted().len(), 3);
}

#[test]
fn a_route_signs_in_under_tls_and_a_reload_moves_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let authority = Authority::new();
    std::fs::write(at("roots.pem"), authority.pem()).unwrap();
    std::fs::write(at("password"), "open sesame\n").unwrap();
    std::fs::set_permissions(at("password"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let script = "offer: PIPELINING SIZE=100000 8BITMIME STARTTLS AUTH=PLAIN\ncredentials: me open sesame\n";
    let sink =
        |certificates| Sink::start_with_tls(anywhere(), Script::read(script).unwrap(), certificates).unwrap();
    let first = sink(authority.certificates(&["127.0.0.1"]));
    let second = sink(authority.certificates(&["127.0.0.1"]));
    let made = certs::demo::provide(dir.path()).unwrap();
    let settings = |sink: &Sink| {
        format!(
            "data_dir = \"{data}\"\nhostname = \"mail.example.org\"\ndomains = [\"example.org\"]\n\
             doors.submissions = \"127.0.0.1:0\"\ntls.certificate = \"{cert}\"\ntls.key = \"{key}\"\n\
             tls.extra_roots = \"{roots}\"\nprocess.user = \"{user}\"\nlog.stderr = \"json\"\ndeliver.allow_private = true\n\
             [[routes]]\nname = \"house\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"me\"\npassword_file = \"{password}\"\n",
            data = at("data"),
            cert = at("server.pem"),
            key = at("server.key"),
            roots = at("roots.pem"),
            password = at("password"),
            port = sink.address().port(),
            user = this_user(),
        )
    };
    std::fs::write(at("hearthpost.toml"), settings(&first)).unwrap();
    let _server = Server::serving(at("hearthpost.toml"));
    let data = dir.path().join("data");
    with_input(
        &data,
        &["account", "add", "ann@example.org", "--password-stdin"],
        "a good password\n",
    );
    let door = done(&data, &["status"])["doors"]["submissions"][0]
        .as_str()
        .unwrap()
        .to_owned();
    let door: SocketAddr = door.parse().unwrap();
    let send = || {
        let mut talk = Talk::connect_tls(door.port(), &TlsClient::trusting(&made.ca_file));
        talk.reply();
        submit(
            &mut talk,
            "ann@example.org",
            "a good password",
            "far@elsewhere.test",
        );
        until_empty(&data);
    };
    send();
    let accepted = first.accepted();
    assert_eq!(accepted.len(), 1);
    assert!(accepted[0].secure);
    assert_eq!(accepted[0].user.as_deref(), Some("me"));

    std::fs::write(at("hearthpost.toml"), settings(&second)).unwrap();
    assert_eq!(done(&data, &["reload"])["changed"], serde_json::json!(["routes"]));
    send();
    assert_eq!((first.accepted().len(), second.accepted().len()), (1, 1));
    let secret = "open sesame";
    let shown = run(&["config", "show", "--config", &at("hearthpost.toml")]);
    assert!(!String::from_utf8_lossy(&shown.stdout).contains(secret));
    let log = std::fs::read_to_string(data.join("log/hearthpost.jsonl")).unwrap();
    assert!(!log.contains(secret), "ops_3: the log holds no secret");
}
