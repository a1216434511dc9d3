//! The matrix: what each sink does, and what may become of the recipients meanwhile.

/// What has become of a recipient while its sink is sick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// arrived
    Arrived,
    /// waits in the queue, nobody was told of a failure
    Waits,
    /// the sender has one report of its failure
    Bounced,
}

use Fate::{Arrived, Bounced, Waits};

/// One cell.
pub struct Cell {
    /// stage and behaviour
    pub name: String,
    /// the sink's script
    pub script: String,
    /// what DNS does for it beside its records: `@` stands for the domain, `mx` for its server
    pub dns: String,
    /// for each recipient the fates that are right
    pub recipients: Vec<&'static [Fate]>,
    /// taken over a route that demands a verified certificate and signs in
    pub guarded: bool,
    /// whether the sink can tell that it misbehaved
    pub visible: bool,
}

/// Stages at which a connection can be broken off, in order.
const BREAKABLE: [&str; 10] = [
    "connect",
    "banner",
    "ehlo",
    "starttls",
    "tls",
    "mail",
    "rcpt",
    "data",
    "body",
    "after-dot",
];
/// Stages at which something is said.
const SPEAKING: [&str; 6] = ["banner", "ehlo", "mail", "rcpt", "data", "after-dot"];

/// All cells, or the more telling half.
pub fn all(short: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    replies(&mut cells);
    for stage in BREAKABLE {
        for behaviour in ["close", "reset", "silence"] {
            // A failed handshake may be followed by a connection in the clear, as long as no policy forbids it; the sink then
            // behaves well.
            let fates: &'static [Fate] = match (stage, behaviour) {
                ("tls", _) => &[Arrived, Waits],
                ("starttls", "close" | "reset") => &[Arrived, Waits],
                _ => &[Waits],
            };
            cells.push(cell(stage, behaviour, fates));
        }
    }
    for behaviour in ["drip 1", "endless", "flood", "garbage"] {
        for stage in SPEAKING {
            cells.push(cell(stage, behaviour, &[Waits]));
        }
    }
    oddities(&mut cells);
    guarded(&mut cells);
    names(&mut cells);
    if short {
        // What is left out are second and third codes of one kind.
        cells.retain(|cell| {
            cell.recipients.len() > 1
                || !["450", "452", "571"]
                    .iter()
                    .any(|code| cell.script.contains(code))
        });
    }
    cells
}

fn cell(stage: &str, behaviour: &str, fates: &'static [Fate]) -> Cell {
    Cell {
        name: format!("{stage}: {behaviour}"),
        script: format!("{stage}: {behaviour}"),
        dns: String::new(),
        recipients: vec![fates],
        guarded: false,
        visible: true,
    }
}

/// codes by stage.
fn replies(cells: &mut Vec<Cell>) {
    for (stage, codes) in [
        ("banner", &["421 4.3.2", "450 4.3.2"][..]),
        ("ehlo", &["421 4.3.2", "451 4.3.0"]),
        ("mail", &["421 4.3.2", "450 4.7.1", "451 4.3.0", "452 4.3.1"]),
        ("rcpt", &["421 4.3.2", "450 4.2.1", "451 4.7.1", "452 4.2.2"]),
        ("data", &["421 4.3.2", "451 4.3.0"]),
        ("after-dot", &["421 4.3.2", "450 4.7.1", "451 4.3.0", "452 4.3.1"]),
    ] {
        for code in codes {
            cells.push(cell(stage, &format!("reply {code} not now"), &[Waits]));
        }
    }
    for (stage, codes) in [
        ("mail", &["550 5.7.1", "552 5.3.4", "554 5.7.1"][..]),
        ("rcpt", &["550 5.1.1", "553 5.1.3", "554 5.7.1", "571 5.7.1"]),
        ("data", &["550 5.7.1", "554 5.3.0"]),
        ("after-dot", &["550 5.7.1", "552 5.3.4", "554 5.6.0"]),
    ] {
        for code in codes {
            cells.push(cell(stage, &format!("reply {code} never"), &[Bounced]));
        }
    }
    // 5xx to us, not to the message: whether that is final for one host alone is policy.
    cells.push(cell("banner", "reply 554 5.7.1 go away", &[Bounced, Waits]));
    // RFC 5321 §3.2: after a refused EHLO comes HELO; after a refused STARTTLS it goes on in the clear.
    cells.push(cell("ehlo", "reply 502 5.5.1 what is that", &[Arrived]));
    cells.push(cell("starttls", "reply 454 4.7.0 not now", &[Arrived, Waits]));
    cells.push(cell("starttls", "reply 502 5.5.1 no", &[Arrived, Waits]));
    cells.push(Cell {
        name: "mixed recipients: 250 450 550".into(),
        script:
            "rcpt 2: reply 450 4.2.1 busy\nrcpt 3: reply 550 5.1.1 nobody\nrcpt x2@*: reply 450 4.2.1 busy\n\
                 rcpt x3@*: reply 550 5.1.1 nobody"
                .into(),
        dns: String::new(),
        recipients: vec![&[Arrived], &[Waits], &[Bounced]],
        guarded: false,
        visible: true,
    });
    cells.push(Cell {
        name: "all recipients refused".into(),
        script: "rcpt: reply 550 5.1.1 nobody".into(),
        dns: String::new(),
        recipients: vec![&[Bounced], &[Bounced]],
        guarded: false,
        visible: true,
    });
}

fn oddities(cells: &mut Vec<Cell>) {
    for (stage, behaviour, fates) in [
        ("ehlo", "reply 354 wrong", &[Waits][..]),
        ("mail", "reply 354 wrong", &[Waits]),
        ("rcpt", "reply 354 wrong", &[Waits]),
        ("data", "reply 250 wrong", &[Waits]),
        ("after-dot", "reply 354 wrong", &[Waits]),
        ("mail", "reply 999 what", &[Waits]),
        ("rcpt", "reply 25 short", &[Waits]),
        ("after-dot", "reply 25 short", &[Waits]),
        ("rcpt", "twice 250 2.1.5 yes", &[Waits]),
        ("after-dot", "twice 250 2.0.0 yes", &[Arrived]),
        ("mail", "late-close 0", &[Waits]),
        ("after-dot", "late-close 0", &[Arrived]),
        ("tls", "abort", &[Arrived, Waits]),
        ("tls", "garbage", &[Arrived, Waits]),
        ("tls", "drip 1", &[Arrived, Waits]),
        ("tls", "certificate wrong-name", &[Arrived]),
        ("tls", "certificate expired", &[Arrived]),
        ("tls", "certificate unknown", &[Arrived]),
    ] {
        cells.push(cell(stage, behaviour, fates));
    }
    for behaviour in [
        "close",
        "reset",
        "silence",
        "reply 554 5.0.0 never",
        "garbage",
        "endless",
    ] {
        cells.push(Cell {
            // Some senders keep a connection for a while before they say QUIT.
            visible: false,
            ..cell("quit", behaviour, &[Arrived])
        });
    }
    for behaviour in ["refuse", "black-hole"] {
        cells.push(Cell {
            visible: false,
            ..cell("connect", behaviour, &[Waits])
        });
    }
    // Whatever the certificate is worth, the sink shows it without misbehaving.
    for cell in cells
        .iter_mut()
        .filter(|cell| cell.script.contains("certificate"))
    {
        cell.visible = false;
    }
}

/// Over a route with a password: never in the clear, never without a certificate that verifies.
fn guarded(cells: &mut Vec<Cell>) {
    let offer = "offer: PIPELINING STARTTLS AUTH=PLAIN\ncredentials: joe secret";
    for (name, rule, fates) in [
        ("good", "", &[Arrived][..]),
        ("wrong password", "credentials: joe another", &[Waits]),
        ("auth: 454", "auth: reply 454 4.7.0 later", &[Waits]),
        ("auth: close", "auth: close", &[Waits]),
        ("auth: silence", "auth: silence", &[Waits]),
        ("no STARTTLS", "offer: PIPELINING AUTH=PLAIN", &[Waits]),
        ("certificate wrong-name", "tls: certificate wrong-name", &[Waits]),
        ("certificate expired", "tls: certificate expired", &[Waits]),
        ("certificate unknown", "tls: certificate unknown", &[Waits]),
        ("tls: abort", "tls: abort", &[Waits]),
    ] {
        cells.push(Cell {
            name: format!("route with password, {name}"),
            script: format!("{offer}\n{rule}"),
            dns: String::new(),
            recipients: vec![fates],
            guarded: true,
            visible: name.contains(": "),
        });
    }
}

/// R9: what DNS says of the domain (Q-10: only a proven absence is one). A server that stops in the middle of a TCP message is not
/// among them: it harms whoever asks over the same connection, which no domain can do behind a resolver of one's own.
fn names(cells: &mut Vec<Cell>) {
    let mut add = |dns: &str, fates: &'static [Fate]| {
        cells.push(Cell {
            name: format!("dns: {dns}"),
            script: String::new(),
            dns: dns.into(),
            recipients: vec![fates],
            guarded: false,
            visible: false,
        });
    };
    for fault in [
        "servfail",
        "refused",
        "formerr",
        "notimp",
        "silent",
        "referral",
        "garbage",
        "short",
        "counts",
        "loop",
        "forward",
        "endless",
        "wrong-name",
        "wrong-id",
        "wrong-question",
        "no-question",
        "tcp-hangs",
        "tcp-closes",
        "truncated-always",
    ] {
        add(&format!("@ !{fault}"), &[Waits]);
    }
    for fault in ["servfail", "silent", "garbage"] {
        add(&format!("mx A !{fault}"), &[Waits]);
    }
    for fault in ["truncated", "forged", "poison", "ad", "delay 2s"] {
        add(&format!("@ !{fault}"), &[Arrived]);
    }
    add("@ !nxdomain", &[Bounced]);
    // A host name with NUL and CR LF in it is nobody's.
    add("@ !nul", &[Waits, Bounced]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_enough_cells_and_every_script_is_one() {
        for short in [true, false] {
            let cells = all(short);
            assert!(cells.len() >= 80, "{}", cells.len());
            for cell in &cells {
                assert!(testkit::sink::Script::read(&cell.script).is_ok(), "{}", cell.name);
            }
        }
    }
}
