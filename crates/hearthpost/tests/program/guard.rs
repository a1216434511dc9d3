//! Limits for each address, from many addresses: in a network namespace of the test's own, where a whole block of addresses is
//! this machine's and none of them is loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::path::Path;
use std::process::Command;

use rustix::net::{AddressFamily, SocketType};

use crate::help::{Server, this_user, with_input};

/// Runs the ignored test `name` of this binary in a namespace with 198.18.0.0/16 (RFC 2544) on its loopback.
fn in_a_network_of_its_own(name: &str) {
    if this_user() != 0 {
        eprintln!("SKIPPED: {name} needs root for a network namespace");
        return;
    }
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c"])
        .arg("ip link set lo up && ip address add 198.18.0.1/16 dev lo && exec \"$0\" --exact --ignored --nocapture \"$1\"")
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn serve(dir: &Path) -> Server {
    let made = certs::demo::provide(dir).unwrap();
    drop(made);
    let file = dir.join("hearthpost.toml");
    let text = format!(
        "data_dir = \"{dir}/data\"\nhostname = \"mail.example.org\"\ndomains = [\"example.org\"]\n[process]\nuser = \"{user}\"\n\
         [doors]\nsmtp = \"198.18.0.1:25\"\nimap = \"198.18.0.1:143\"\n[limits]\nconnections = 1000\n\
         [tls]\ncertificate = \"{dir}/server.pem\"\nkey = \"{dir}/server.key\"\n[log]\nstderr = \"json\"\n",
        dir = dir.display(),
        user = this_user(),
    );
    std::fs::write(&file, text).unwrap();
    Server::serving(&file)
}

/// A connection from one address of the block.
struct From(BufReader<TcpStream>);

impl From {
    fn connect(source: u16, port: u16) -> Self {
        let [high, low] = source.to_be_bytes();
        let source = SocketAddr::from(SocketAddrV4::new(Ipv4Addr::new(198, 18, high, low), 0));
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &source).unwrap();
        rustix::net::connect(&socket, &SocketAddr::from(([198, 18, 0, 1], port))).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(crate::help::PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    /// The last line of the answer.
    fn ask(&mut self, line: &str) -> String {
        self.0
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
        loop {
            let line = self.line();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }
}

#[test]
fn smt_5_floods_from_one_and_from_many_addresses_leave_users_their_places() {
    in_a_network_of_its_own("guard::floods");
}

#[test]
#[ignore = "run by smt_5_floods_from_one_and_from_many_addresses_leave_users_their_places"]
fn floods() {
    let dir = tempfile::tempdir().unwrap();
    let _server = serve(dir.path());
    let mut inside = Vec::new();
    let mut sent_away = 0;
    for _ in 0..60 {
        let mut from = From::connect(7, 25);
        match from.line() {
            line if line.starts_with("220 ") => inside.push(from),
            line => {
                assert!(
                    line.starts_with("421 4.7.0 Too many connections from your address"),
                    "{line}"
                );
                sent_away += 1;
            }
        }
    }
    assert_eq!((inside.len(), sent_away), (50, 10), "one address");
    for source in 1000..2000 {
        let mut from = From::connect(source, 25);
        match from.line() {
            line if line.starts_with("220 ") => inside.push(from),
            line => assert!(line.starts_with("421 4.3.2 Too many connections"), "{line}"),
        }
    }
    assert_eq!(inside.len(), 750, "a quarter of the house is for users");
    let mut user = From::connect(3000, 143);
    assert!(user.line().starts_with("* OK"), "a user finds a place");
    assert!(
        inside[0].ask("EHLO client.test").starts_with("250 "),
        "whoever is inside goes on"
    );
    drop(inside);
    let mut next = (0..200)
        .map(|_| From::connect(8, 25).line())
        .filter(|line| line.starts_with("220 "));
    assert!(next.next().is_some(), "places come back");
}

#[test]
fn smt_7_guesses_are_counted_over_sessions() {
    in_a_network_of_its_own("guard::guesses");
}

#[test]
#[ignore = "run by smt_7_guesses_are_counted_over_sessions"]
fn guesses() {
    let dir = tempfile::tempdir().unwrap();
    let _server = serve(dir.path());
    let added = with_input(
        &dir.path().join("data"),
        &["account", "add", "ann@example.org", "--password-stdin"],
        "a good password\n",
    );
    assert!(added.status.success());
    let rcpt = |source: u16, name: &str| {
        let mut from = From::connect(source, 25);
        assert!(from.line().starts_with("220 "));
        from.ask("EHLO client.test");
        from.ask("MAIL FROM:<you@example.net>");
        from.ask(&format!("RCPT TO:<{name}@example.org>"))
    };
    for number in 0..10 {
        let said = rcpt(9, &format!("guess{number}"));
        assert!(said.starts_with("550 5.1.1"), "{said}");
    }
    assert!(rcpt(9, "guess10").starts_with("421 "), "one too many");
    assert!(rcpt(9, "ann").starts_with("421 "), "it learns nothing more");
    assert!(rcpt(10, "ann").starts_with("250 "), "others do not suffer");
}
