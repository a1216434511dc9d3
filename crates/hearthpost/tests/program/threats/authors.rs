//! AUT-4: one message, one author, on every road: the door's verdict, our Authentication-Results, `check message`, ENVELOPE, SORT, SEARCH,
//! and what a signed-in user may submit. Where programs could differ nobody passes.

use std::net::SocketAddr;

use serde_json::Value;
use testkit::hostile_dns::HostileDns;
use testkit::talk::Talk;

use crate::help::{Demo, program};

/// The client may speak for evil.example and for nobody else.
const ZONE: &str = r#"
evil.example             300 TXT "v=spf1 ip4:127.0.0.1 -all"
_dmarc.evil.example      300 TXT "v=DMARC1; p=reject"
victim.example           300 TXT "v=spf1 -all"
_dmarc.victim.example    300 TXT "v=DMARC1; p=reject"
"#;

/// What may come of a message whose envelope is evil.example's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// its author is somebody at evil.example, and everybody sees that
    Evil,
    /// its author is somebody of a third domain, which says nothing; nobody vouches for it
    Unvouched,
    /// it is not taken
    Refused,
}
use Read::{Evil, Refused, Unvouched};

/// Header fields, and how they are read. `{v}` and `{e}` stand for the addresses of the victim and of the sender.
const FIELDS: &[(&str, Read)] = &[
    ("From: {e}", Evil),
    ("FROM: e@evil.exAMPLe", Evil),
    ("From:{e}", Evil),
    ("From: Ann <{e}>", Evil),
    // Names that look like addresses are names when they are quoted or encoded.
    ("From: \"{v}\" <{e}>", Evil),
    ("From: \"<{v}>\" <{e}>", Evil),
    ("From: \"{v},\" <{e}>", Evil),
    ("From: \"\" <{e}>", Evil),
    ("From: \"x\\\" <{v}>\" <{e}>", Evil),
    ("From: =?utf-8?q?v=40victim.example?= <{e}>", Evil),
    ("From: =?utf-8?q?=3Cv=40victim.example=3E?= <{e}>", Evil),
    ("From: =?utf-8?b?PHZAdmljdGltLmV4YW1wbGU+LA==?= <{e}>", Evil),
    ("From: \"{v}\"\r\n <{e}>", Evil),
    ("From: {v} <{e}>", Refused),
    ("From: <{v}> <{e}>", Refused),
    ("From: <{e}> <{v}>", Refused),
    ("From: <{e}>{v}", Refused),
    ("From: <{e}>,{v}", Refused),
    ("From: <{v} {e}>", Refused),
    ("From: <{v},{e}>", Refused),
    ("From: <{e},{v}>", Refused),
    ("From: <{v}\r\n ,{e}>", Refused),
    ("From: {v}:{e}", Refused),
    ("From: {e}\\,{v}", Refused),
    // Several mailboxes: of one domain they are one author.
    ("From: {e}, x@evil.example", Evil),
    ("From: {e}, {v}", Refused),
    ("From: {v}, {e}", Refused),
    ("From: {v},\r\n {e}", Refused),
    ("From: Ann <{e}>, \"Bob\" <{v}>", Refused),
    ("From: {e}; {v}", Refused),
    ("From: ,,{e},,", Evil),
    // Groups.
    ("From: Team: {e}, x@evil.example;", Evil),
    ("From: Team: {v};, {e}", Refused),
    ("From: Team: {e};, {v}", Refused),
    ("From: {v}: {e};", Refused),
    ("From: \"{v}\": {e};", Evil),
    ("From: undisclosed-recipients:;", Refused),
    ("From: Team: {e}", Evil),
    // Nobody.
    ("From: <>", Refused),
    ("From:", Refused),
    ("From: ", Refused),
    ("From: \"{v}\"", Refused),
    ("From: ({v})", Refused),
    ("From: v@", Refused),
    ("From: @victim.example", Refused),
    ("From: =?utf-8?q?v=40victim.example?=", Refused),
    ("Sender: {e}", Refused),
    ("X-From: {e}\r\nSender: {e}", Refused),
    // Routes.
    ("From: <@victim.example:{e}>", Refused),
    ("From: <@evil.example,@victim.example:{e}>", Refused),
    ("From: <@evil.example:{v}>", Refused),
    ("From: @evil.example:{v}", Refused),
    // Two at signs.
    ("From: {v}@evil.example", Refused),
    ("From: <{v}@evil.example>", Refused),
    ("From: \"{v}\"@evil.example", Evil),
    ("From: v%victim.example@evil.example", Evil),
    ("From: victim.example!v@evil.example", Evil),
    // Comments.
    ("From: ({v}) {e}", Refused),
    ("From: {e} ({v})", Refused),
    ("From: {v} ({e})", Refused),
    ("From: v(@evil.example)@victim.example", Refused),
    ("From: e@evil({v}).example", Refused),
    ("From: {e} (", Refused),
    ("From: {e} (x", Refused),
    ("From: (<{v}>) <{e}>", Refused),
    ("From: e@(x)evil.example", Evil),
    // Folds and white space.
    ("From:\r\n {e}", Evil),
    ("From: Ann\r\n\t<{e}>", Evil),
    ("From: <\r\n {e}>", Evil),
    ("From: e @ evil . example", Evil),
    ("From: {v}\r\n {e}", Refused),
    ("From: v@victim\r\n .example", Refused),
    ("From: <{v} \r\n>", Refused),
    // Names of domains.
    ("From: e@evil.example.", Refused),
    ("From: e@.evil.example", Refused),
    ("From: e@evil..example", Refused),
    ("From: e@[127.0.0.1]", Refused),
    ("From: e@x.evil.example", Evil),
    ("From: e@victim.example.evil.example", Evil),
    ("From: e@evil.example.victim.example", Refused),
    ("From: e@xn--vctim-2sa.example", Unvouched),
    ("From: e@v\u{ed}ctim.example", Unvouched),
    ("From: e@evil\u{3002}example", Evil),
    ("From: e@\u{ff45}vil.example", Evil),
    // More than one field, and what some take for one.
    ("From: {e}\r\nFrom: {v}", Refused),
    ("From: {v}\r\nFrom: {e}", Refused),
    ("From: {e}\r\nFROM: {e}", Refused),
    ("From: {e}\r\nFrom : {v}", Refused),
    ("From : {v}\r\nFrom: {e}", Refused),
    ("From\t: {e}", Refused),
    ("From : {e}", Refused),
    ("X: x\r\n From: {v}\r\nFrom: {e}", Refused),
    ("From: {e}\r\n From: {v}", Refused),
    ("From:\r\nFrom: {v}", Refused),
    ("From: {e}\r\nFrom:", Refused),
    ("From: {v}\r\nSender: {e}", Refused),
    ("From: {e}\r\nSender: {v}", Evil),
    ("From: {e}\r\nResent-From: {v}", Evil),
    ("From: {e}\r\nReply-To: {v}", Evil),
    // Controls.
    ("From: \u{1}{e}", Refused),
    ("From: {v}\u{b}, {e}", Refused),
    ("From: e@evil.example\u{7f}", Refused),
];

fn fields(template: &str) -> String {
    template
        .replace("{v}", "v@victim.example")
        .replace("{e}", "e@evil.example")
}

struct Field {
    demo: Demo,
    dns: SocketAddr,
    _dir: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
    _server: HostileDns,
}

impl Field {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(HostileDns::start(ZONE)).unwrap();
        let dns = server.addr();
        let dir = tempfile::tempdir().unwrap();
        let demo = Demo::start(dir.path(), &["--insecure-auth", "--dns", &dns.to_string()]);
        Self {
            demo,
            dns,
            _dir: dir,
            _runtime: runtime,
            _server: server,
        }
    }

    /// Brings it as a stranger; the reply.
    fn bring(&self, message: &str) -> String {
        let mut talk = Talk::connect(self.demo.port("smtp"));
        talk.reply();
        talk.ask("EHLO mx.evil.example");
        talk.ask("MAIL FROM:<e@evil.example> SMTPUTF8");
        talk.ask("RCPT TO:<alice@example.test>");
        talk.ask("DATA");
        talk.ask(&format!("{message}\r\n."))
    }

    /// What `check message` says of it: the verdict, DMARC's word, the author.
    fn checked(&self, message: &str) -> (String, String, Option<String>) {
        let file = self.demo.dir.join("checked.eml");
        std::fs::write(&file, message).unwrap();
        let output = program()
            .args(["check", "message"])
            .arg(&file)
            .args([
                "--ip",
                "127.0.0.1",
                "--helo",
                "mx.evil.example",
                "--mail-from",
                "e@evil.example",
            ])
            .args(["--dns", &self.dns.to_string(), "--json"])
            .output()
            .unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let word = |key: &str| told[key].as_str().map(str::to_owned);
        (word("verdict").unwrap(), word("dmarc").unwrap(), word("author"))
    }

    fn mailbox(&self) -> Talk {
        let mut talk = self
            .demo
            .imaps("alice@example.test", &self.demo.password("alice"));
        talk.imap("c", "CREATE Authors");
        talk
    }
}

fn message(template: &str, number: usize) -> String {
    format!("{}\r\nSubject: n{number}\r\n\r\nbody\r\n", fields(template))
}

/// An address of ENVELOPE: what stands at its third and fourth place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shown {
    name: Option<String>,
    local: Option<String>,
    host: Option<String>,
}

/// The addresses of From in `* n FETCH (ENVELOPE ("date" "subject" ((name route local host) …) …`.
fn shown(lines: &[String]) -> Vec<Shown> {
    let text = lines.join("\r\n");
    let mut rest = text.split_once("ENVELOPE (").expect("an envelope").1;
    let (_, after_date) = string(rest);
    let (_, after_subject) = string(after_date);
    rest = after_subject.trim_start();
    let Some(mut list) = rest.strip_prefix('(') else {
        return Vec::new();
    };
    let mut found = Vec::new();
    while let Some(address) = list.trim_start().strip_prefix('(') {
        let (name, next) = string(address);
        let (_route, next) = string(next);
        let (local, next) = string(next);
        let (host, next) = string(next);
        list = next.trim_start().strip_prefix(')').expect("an address ends");
        found.push(Shown { name, local, host });
    }
    found
}

/// NIL, a quoted string or a literal, and what follows.
fn string(text: &str) -> (Option<String>, &str) {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix("NIL") {
        return (None, rest);
    }
    if let Some(rest) = text.strip_prefix('{') {
        let (length, rest) = rest.split_once("}\r\n").expect("a literal");
        let (literal, rest) = rest.split_at(length.parse().expect("a length"));
        return (Some(literal.to_owned()), rest);
    }
    let mut read = String::new();
    let mut letters = text.strip_prefix('"').expect("a string").char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (Some(read), &text[at + 2..]),
            '\\' => read.extend(letters.next().map(|(_, letter)| letter)),
            other => read.push(other),
        }
    }
    panic!("a string has no end: {text}")
}

/// A host as DNS knows it.
fn canonical(host: &str) -> Option<String> {
    mail::address::Domain::parse(host)
        .ok()
        .map(|domain| domain.as_str().to_owned())
}

fn is_evils(host: &str) -> bool {
    canonical(host).is_some_and(|host| host == "evil.example" || host.ends_with(".evil.example"))
}

fn numbers(lines: &[String], word: &str) -> Vec<usize> {
    let line = lines.iter().find(|line| line.starts_with(&format!("* {word}")));
    let line = line.unwrap_or_else(|| panic!("{lines:?}"));
    line.split(' ').filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn aut_4_the_door_and_check_message_agree_and_only_the_displayed_author_passes() {
    let field = Field::start();
    let mut taken = Vec::new();
    let mut wrong = Vec::new();
    for (number, (template, want)) in FIELDS.iter().enumerate() {
        let message = message(template, number);
        let reply = field.bring(&message);
        let taken_here = reply.starts_with("250 ");
        let (verdict, dmarc, author) = field.checked(&message);
        let got = match (taken_here, dmarc.as_str()) {
            (true, "pass") => Evil,
            (true, "none") => Unvouched,
            _ => Refused,
        };
        if got != *want || (verdict == "accept") != taken_here {
            wrong.push(format!("{template:?}: {reply} {verdict} {dmarc} {author:?}"));
        }
        let known = author.as_deref();
        if taken_here && (known == Some("victim.example") || known.is_some_and(is_evils) != (got == Evil)) {
            wrong.push(format!("{template:?}: the author is {author:?}"));
        }
        if got == Evil {
            taken.push((number, author));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut talk = field.mailbox();
    talk.imap("s", "EXAMINE INBOX");
    for (number, author) in taken {
        let template = FIELDS[number].0;
        let found = numbers(
            &talk.imap("f", &format!("SEARCH SUBJECT \"n{number}\"")),
            "SEARCH",
        );
        let envelopes = found.iter().filter_map(|place| {
            let lines = talk.imap(
                "e",
                &format!("FETCH {place} (ENVELOPE BODY.PEEK[HEADER.FIELDS (Authentication-Results)])"),
            );
            let whole = lines.join("\r\n");
            whole
                .contains(&format!("\"n{number}\""))
                .then(|| (shown(&lines), whole))
        });
        let (addresses, whole) = envelopes
            .last()
            .unwrap_or_else(|| panic!("{template:?} is not there"));
        let hosts: Vec<String> = addresses.into_iter().filter_map(|one| one.host).collect();
        assert!(
            !hosts.is_empty() && hosts.iter().all(|host| is_evils(host)),
            "{template:?}: {hosts:?}"
        );
        let author = author.expect("who passes has a name");
        assert!(
            hosts.iter().all(|host| canonical(host).as_ref() == Some(&author)),
            "{template:?}: {hosts:?} {author}"
        );
        let told = whole.contains(" dmarc=pass") && whole.contains(&format!(" header.from={author};"));
        assert!(told, "{template:?}: {whole}");
    }
}

#[test]
fn aut_4_sort_search_and_the_index_see_whom_the_envelope_shows() {
    let field = Field::start();
    let mut talk = field.mailbox();
    for (number, (template, _)) in FIELDS.iter().enumerate() {
        let message = message(template, number);
        talk.say(format!(
            "p APPEND Authors {{{}+}}\r\n{message}\r\n",
            message.len()
        ));
        let answer = talk.imap_answer("p");
        assert!(
            answer.last().is_some_and(|line| line.starts_with("p OK")),
            "{template:?}: {answer:?}"
        );
    }
    talk.imap("s", "SELECT Authors");
    let addresses: Vec<Vec<Shown>> = (1..=FIELDS.len())
        .map(|place| shown(&talk.imap("f", &format!("FETCH {place} (ENVELOPE)"))))
        .collect();
    // What is verified is what is shown, also where mail came in without a verdict: nobody's ENVELOPE hides a second author.
    for ((template, want), addresses) in FIELDS.iter().zip(&addresses) {
        let hosts: Vec<&str> = addresses.iter().filter_map(|one| one.host.as_deref()).collect();
        assert!(
            *want != Evil || hosts.iter().all(|host| is_evils(host)),
            "{template:?}: {hosts:?}"
        );
    }
    let folded = |text: &str| mail::collation::fold(&mail::decode::text(text.as_bytes()));
    let by_local = |place: &usize| {
        let first = addresses[place - 1].first();
        folded(first.and_then(|one| one.local.as_deref()).unwrap_or_default())
    };
    let displayed = |place: &usize| {
        let first = addresses[place - 1].first().cloned().unwrap_or_default();
        let name = folded(first.name.as_deref().unwrap_or_default());
        let local = first.local.unwrap_or_default();
        match first.host {
            _ if !name.is_empty() => name,
            Some(host) => folded(&local) + "@" + &mail::collation::fold(&host),
            None => folded(&local),
        }
    };
    for (criterion, key) in [
        ("FROM", &by_local as &dyn Fn(&usize) -> String),
        ("DISPLAYFROM", &displayed),
    ] {
        let order = numbers(&talk.imap("o", &format!("SORT ({criterion}) UTF-8 ALL")), "SORT");
        assert_eq!(order.len(), FIELDS.len());
        let keys: Vec<String> = order.iter().map(key).collect();
        for (pair, places) in keys.windows(2).zip(order.windows(2)) {
            let ordered = pair[0] < pair[1] || (pair[0] == pair[1] && places[0] < places[1]);
            assert!(
                ordered,
                "{criterion}: {pair:?} {:?}",
                [places[0], places[1]].map(|place| FIELDS[place - 1].0)
            );
        }
    }
    // SEARCH FROM finds exactly those whose envelope shows the words (RFC 9051 §6.4.4): by the index, and by reading when nothing is indexed.
    for host in ["victim.example", "evil.example"] {
        let found = numbers(&talk.imap("h", &format!("SEARCH FROM \"@{host}\"")), "SEARCH");
        for (place, addresses) in addresses.iter().enumerate() {
            let shows = addresses.iter().any(|one| {
                let whole = format!(
                    "{}@{}",
                    one.local.as_deref().unwrap_or_default(),
                    one.host.as_deref().unwrap_or_default()
                );
                folded(&whole).contains(&folded(&format!("@{host}")))
            });
            let is_found = found.contains(&(place + 1));
            // Obsolete white space and comments inside an address are searched as they stand (decision 0038).
            let shows = shows && fields(FIELDS[place].0).contains(&format!("@{host}"));
            assert!(
                is_found || !shows,
                "{host}: {:?} is shown and not found",
                FIELDS[place].0
            );
        }
    }
}

#[test]
fn aut_4_nobody_submits_as_somebody_whom_another_reader_would_see() {
    let field = Field::start();
    let password = field.demo.password("alice");
    for (template, _) in FIELDS {
        // Alice in the place of the sender; the victim is still another.
        let own = template
            .replace("{v}", "v@victim.example")
            .replace("{e}", "alice@example.test")
            .replace("e@evil", "alice@evil")
            .replace("evil.example", "example.test");
        let mut talk = Talk::connect_tls(field.demo.port("submissions"), &field.demo.tls());
        talk.reply();
        talk.ask("EHLO client.test");
        let secret = crate::cli::base64(format!("\0alice@example.test\0{password}").as_bytes());
        assert!(talk.ask(&format!("AUTH PLAIN {secret}")).starts_with("235 "));
        talk.ask("MAIL FROM:<alice@example.test> SMTPUTF8");
        talk.ask("RCPT TO:<bob@example.test>");
        talk.ask("DATA");
        let reply = talk.ask(&format!("{own}\r\nSubject: x\r\n\r\nbody\r\n."));
        if !reply.starts_with("250 ") {
            continue;
        }
        let header = format!("{own}\r\n\r\n");
        let shown = mail::envelope::Envelope::parse(header.as_bytes()).from;
        let hosts: Vec<String> = shown
            .into_iter()
            .filter_map(|one| one.host)
            .map(|host| String::from_utf8_lossy(&host).into_owned())
            .collect();
        let alone = hosts
            .iter()
            .all(|host| canonical(host).as_deref() == Some("example.test"));
        assert!(!hosts.is_empty() && alone, "{template:?}: {hosts:?}");
    }
}
