//! The one list of settings.

use crate::value::{Kind, Value};

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// dotted name, as in `hearthpost.toml`
    pub name: &'static str,
    /// its type, unit and bounds
    pub kind: Kind,
    /// what holds when it is not given, as it would be written; `None`: nothing
    pub default: Option<&'static str>,
    /// whether the server cannot start without it
    pub required: bool,
    /// what it means, in one or two sentences
    pub doc: &'static str,
    /// an example value, as written
    pub example: &'static str,
}

impl Setting {
    /// The default as a value.
    pub fn default_value(&self) -> Option<Value> {
        let text = self.default?;
        let value = toml::de::DeValue::parse(text).expect("defaults are TOML values");
        Some(self.kind.read(&value).expect("defaults pass their own checks"))
    }
}

const fn door(name: &'static str, doc: &'static str, example: &'static str) -> Setting {
    Setting {
        name,
        kind: Kind::Addresses,
        default: Some("\"off\""),
        required: false,
        doc,
        example,
    }
}

/// Bytes in a MiB.
const MIB: u64 = 1024 * 1024;

/// All settings, in the order of the reference.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "data_dir",
        kind: Kind::AbsolutePath,
        default: None,
        required: true,
        doc: "The directory that holds all mail, accounts and the control socket. Only the server's user may read it.",
        example: "\"/var/lib/hearthpost\"",
    },
    Setting {
        name: "hostname",
        kind: Kind::Hostname,
        default: None,
        required: true,
        doc: "The full name of this server, as other servers find it in DNS. It stands in greetings and in Received lines.",
        example: "\"mail.example.org\"",
    },
    Setting {
        name: "domains",
        kind: Kind::Domains,
        default: Some("[]"),
        required: false,
        doc: "Domains whose mail is ours. Missing ones are made at the start; removing one here removes nothing.",
        example: "[\"example.org\"]",
    },
    door(
        "doors.smtp",
        "Where mail from other servers arrives (port 25). Nobody signs in here.",
        "[\"0.0.0.0:25\", \"[::]:25\"]",
    ),
    door(
        "doors.submission",
        "Where users send mail after STARTTLS and signing in (port 587). Needs the TLS files.",
        "[\"0.0.0.0:587\", \"[::]:587\"]",
    ),
    door(
        "doors.submissions",
        "Where users send mail under TLS from the first byte (port 465). Needs the TLS files.",
        "[\"0.0.0.0:465\", \"[::]:465\"]",
    ),
    door(
        "doors.lmtp",
        "Where local programs hand over mail by LMTP. Loopback addresses only, because nobody signs in.",
        "[\"127.0.0.1:24\"]",
    ),
    door(
        "doors.imap",
        "Where users read mail after STARTTLS and signing in (port 143). Needs the TLS files.",
        "[\"0.0.0.0:143\", \"[::]:143\"]",
    ),
    door(
        "doors.imaps",
        "Where users read mail under TLS from the first byte (port 993). Needs the TLS files.",
        "[\"0.0.0.0:993\", \"[::]:993\"]",
    ),
    Setting {
        name: "tls.certificate",
        kind: Kind::AbsolutePath,
        default: None,
        required: false,
        doc: "PEM file with the certificate for the host name, followed by those between it and its root.",
        example: "\"/etc/hearthpost/fullchain.pem\"",
    },
    Setting {
        name: "tls.key",
        kind: Kind::AbsolutePath,
        default: None,
        required: false,
        doc: "PEM file with the private key of the certificate. Nobody but the server's user should read it.",
        example: "\"/etc/hearthpost/privkey.pem\"",
    },
    Setting {
        name: "limits.message_size",
        kind: Kind::Size {
            least: 64 * 1024,
            most: 1024 * MIB,
        },
        default: Some("\"50 MiB\""),
        required: false,
        doc: "The largest message taken, announced by SMTP's SIZE.",
        example: "\"100 MiB\"",
    },
    Setting {
        name: "limits.connections",
        kind: Kind::Number {
            least: 10,
            most: 100_000,
        },
        default: Some("20000"),
        required: false,
        doc: "The most connections at once, over all doors. One more is greeted with a temporary refusal.",
        example: "20000",
    },
    Setting {
        name: "smtp.bare_newlines",
        kind: Kind::Choice(&["refuse", "normalise"]),
        default: Some("\"refuse\""),
        required: false,
        doc: "What happens to CR and LF that do not stand together in incoming mail: refused with 550 5.6.0, or each made CRLF. \
              Only CRLF.CRLF ends a message either way.",
        example: "\"normalise\"",
    },
    Setting {
        name: "log.dir",
        kind: Kind::AbsolutePath,
        default: None,
        required: false,
        doc: "The directory of the log files (JSON lines, rotated at 64 MiB). Without it they are in <data_dir>/log.",
        example: "\"/var/log/hearthpost\"",
    },
    Setting {
        name: "log.stderr",
        kind: Kind::Choice(&["human", "json", "off"]),
        default: Some("\"human\""),
        required: false,
        doc: "What of the log also goes to standard error: lines for people, the JSON lines, or nothing.",
        example: "\"off\"",
    },
];

/// The reference of all settings, in Markdown.
pub fn reference() -> String {
    let mut text = String::from(
        "# Settings of hearthpost.toml\n\nMade by `hearthpost config reference` from the list in `crates/config/src/setting.rs`.\n",
    );
    for setting in SETTINGS {
        let default = match (setting.default, setting.required) {
            (Some(default), _) => format!("default `{default}`"),
            (None, true) => "required".to_owned(),
            (None, false) => "no default".to_owned(),
        };
        let (name, kind, doc, example) = (
            setting.name,
            setting.kind.describe(),
            setting.doc,
            setting.example,
        );
        text.push_str(&format!(
            "\n## {name}\n\n{doc}\n\n{kind}; {default}. Example: `{}`\n",
            written(name, example)
        ));
    }
    text
}

fn written(name: &str, example: &str) -> String {
    match name.split_once('.') {
        Some((section, key)) => format!("[{section}] {key} = {example}"),
        None => format!("{name} = {example}"),
    }
}
