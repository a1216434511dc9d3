//! The one list of settings.

use crate::value::{Kind, Value};

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// dotted name, as in `hearthpost.toml`
    pub name: &'static str,
    /// its type, unit and bounds
    pub kind: Kind,
    /// what holds when it is not given, as it would be written; `None`: nothing
    pub default: Option<&'static str>,
    /// whether the server cannot start without it
    pub required: bool,
    /// what it takes for another value to count
    pub takes: Takes,
    /// what it means, in a few sentences
    pub doc: &'static str,
    /// an example value, as written
    pub example: &'static str,
}

/// What it takes for another value to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// `hearthpost reload`
    Reload,
    /// a new start
    Restart,
}

impl Setting {
    /// The default as a value.
    pub fn default_value(&self) -> Option<Value> {
        let text = self.default?;
        let value = toml::de::DeValue::parse(text).expect("defaults are TOML values");
        Some(self.kind.read(&value).expect("defaults pass their own checks"))
    }

    /// What stands before the names of a table's own settings when they are spoken of.
    pub(crate) fn fields_prefix(&self) -> &'static str {
        match self.name {
            "routes" => "routes.",
            _ => "",
        }
    }

    const fn new(name: &'static str, kind: Kind, doc: &'static str, example: &'static str) -> Self {
        Self {
            name,
            kind,
            default: None,
            required: false,
            takes: Takes::Reload,
            doc,
            example,
        }
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn at_start(mut self) -> Self {
        self.takes = Takes::Restart;
        self
    }
}

const fn door(name: &'static str, doc: &'static str, example: &'static str) -> Setting {
    Setting::new(name, Kind::Addresses, doc, example)
        .or("\"off\"")
        .at_start()
}

/// Bytes in a MiB.
const MIB: u64 = 1024 * 1024;
/// Seconds in an hour.
const HOUR: u64 = 60 * 60;
/// Seconds in a day.
const DAY: u64 = 24 * HOUR;

/// How many days of good TLS.
const LEARN_DAYS: Kind = Kind::Number {
    least: 1,
    most: 3_650,
};

/// All settings, in the order of the reference.
pub const SETTINGS: &[Setting] = &[
    Setting::new(
        "data_dir",
        Kind::AbsolutePath,
        "The directory that holds all mail, accounts and the control socket. Only the server's user may read it.",
        "\"/var/lib/hearthpost\"",
    )
    .required()
    .at_start(),
    Setting::new(
        "hostname",
        Kind::Hostname,
        "The full name of this server, as other servers find it in DNS. It stands in greetings and in Received lines.",
        "\"mail.example.org\"",
    )
    .required()
    .at_start(),
    Setting::new(
        "domains",
        Kind::Domains,
        "Domains whose mail is ours. Missing ones are made at the start and at a reload; removing one here removes nothing.",
        "[\"example.org\"]",
    )
    .or("[]"),
    Setting::new(
        "process.user",
        Kind::User,
        "Whom the server becomes when it is started as root, after binding its doors and reading its keys. Without it that is \
         hearthpost. \"root\" stays root without its rights, which is for containers and tests.",
        "\"hearthpost\"",
    )
    .at_start(),
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
    door(
        "doors.pop3",
        "Where users collect mail by POP3 after STLS and signing in (port 110), for programs that know nothing better. Needs the TLS \
         files.",
        "[\"0.0.0.0:110\", \"[::]:110\"]",
    ),
    door(
        "doors.pop3s",
        "Where users collect mail by POP3 under TLS from the first byte (port 995). Needs the TLS files.",
        "[\"0.0.0.0:995\", \"[::]:995\"]",
    ),
    Setting::new(
        "doors.local",
        Kind::SocketPath,
        "The socket where programs on this machine hand in mail with `hearthpost sendmail`; the kernel says which user calls. \
         Without it that is submit.sock in the data directory, which only root and the server's user reach. For all users: a path \
         outside of it, like /run/hearthpost/submit.sock.",
        "\"/run/hearthpost/submit.sock\"",
    )
    .at_start(),
    Setting::new(
        "doors.local_users",
        Kind::LocalUsers,
        "Which users of this machine may send by doors.local, and as whom. Root and the server's user need no line: they may send \
         as any address of ours.",
        "[\"backup: ops@example.org\"]",
    )
    .or("[]")
    .at_start(),
    Setting::new(
        "tls.certificate",
        Kind::AbsolutePath,
        "PEM file with the certificate for the host name, followed by those between it and its root.",
        "\"/etc/hearthpost/fullchain.pem\"",
    ),
    Setting::new(
        "tls.key",
        Kind::AbsolutePath,
        "PEM file with the private key of the certificate. Only the server's user may read it.",
        "\"/etc/hearthpost/privkey.pem\"",
    ),
    Setting::new(
        "tls.next_certificate",
        Kind::AbsolutePath,
        "PEM file with the certificate that will be served next, or its public key alone. Its TLSA record is listed by hearthpost dns records \
         and missed by hearthpost dns check, so that it is in DNS before the certificate is used.",
        "\"/etc/hearthpost/next.pem\"",
    ),
    Setting::new(
        "tls.extra_roots",
        Kind::AbsolutePath,
        "PEM file with further root certificates that other servers' certificates may lead to, beside the public ones.",
        "\"/etc/hearthpost/roots.pem\"",
    ),
    Setting::new(
        "limits.message_size",
        Kind::Size {
            least: 64 * 1024,
            most: 1024 * MIB,
        },
        "The largest message taken, announced by SMTP's SIZE. A new value counts for new sessions.",
        "\"100 MiB\"",
    )
    .or("\"50 MiB\""),
    Setting::new(
        "limits.connections",
        Kind::Number {
            least: 10,
            most: 100_000,
        },
        "The most connections at once, over all doors. One more is greeted with a temporary refusal.",
        "20000",
    )
    .or("20000")
    .at_start(),
    Setting::new(
        "imap.message_limit",
        Kind::Number {
            least: 1000,
            most: 4_000_000_000,
        },
        "How many messages one IMAP command reads or changes at most (MESSAGELIMIT, RFC 9738); it takes the newest and says so. Without it nothing is \
         limited, and nothing here needs it: some mail programs do not know it.",
        "10000",
    )
    .at_start(),
    Setting::new(
        "imap.save_limit",
        Kind::Number {
            least: 1000,
            most: 4_000_000_000,
        },
        "How many messages one COPY takes at most (SAVELIMIT, RFC 9738). Not beside imap.message_limit, which says it too.",
        "10000",
    )
    .at_start(),
    Setting::new(
        "smtp.bare_newlines",
        Kind::Choice(&["refuse", "normalise"]),
        "What happens to CR and LF that do not stand together in incoming mail: refused with 550 5.6.0, or each made CRLF. \
         Only CRLF.CRLF ends a message either way.",
        "\"normalise\"",
    )
    .or("\"refuse\""),
    Setting::new(
        "smtp.authenticity",
        Kind::Choice(&["off", "note", "enforce"]),
        "What is done about mail from other servers that is not from whom it says (SPF, DKIM, DMARC, ARC). off: nothing is asked. note: the \
         results are written into the message, everything is taken. enforce: also refused is what the author's domain wants refused, what \
         claims to be from a domain here, and what names no author or several; what is to be kept apart goes to Junk; while DNS does not answer \
         the sender is to try again.",
        "\"enforce\"",
    )
    .or("\"off\""),
    Setting::new(
        "smtp.arc_sealers",
        Kind::Domains,
        "Domains whose ARC seals are believed when they say that the author was vouched for: mailing lists and forwarders that you know.",
        "[\"lists.example.net\"]",
    )
    .or("[]"),
    Setting::new(
        "smtp.lenient_domains",
        Kind::Domains,
        "Domains whose wish to have failing mail refused or kept apart (DMARC) is noted and not followed: those that you know to publish more than \
         they keep. Each name counts for itself and for what its DMARC record decides about.",
        "[\"careless.example\"]",
    )
    .or("[]"),
    Setting::new(
        "smtp.refused_domains",
        Kind::Domains,
        "Domains whose mail is refused, with everything below them, whoever vouches for it: the domain in From counts. Only where \
         smtp.authenticity is \"enforce\".",
        "[\"spam.example\"]",
    )
    .or("[]"),
    Setting::new(
        "smtp.own_servers",
        Kind::Networks,
        "Networks of servers of your own that bring mail of others: a filter in front of this server, a second MX. Their mail is examined and \
         taken whatever comes out, but for mail without one clear author; they have to refuse what is forged themselves.",
        "[\"192.0.2.0/28\"]",
    )
    .or("[]"),
    Setting::new(
        "smtp.public_suffixes",
        Kind::AbsolutePath,
        "The list of public suffixes (publicsuffix.org): a name on it is never the organization of those below it. Without this setting it is \
         Debian's, /usr/share/publicsuffix/public_suffix_list.dat, where that is installed.",
        "\"/usr/share/publicsuffix/public_suffix_list.dat\"",
    ),
    Setting::new(
        "dkim.keys",
        Kind::AbsolutePaths,
        "Private keys (PEM, PKCS#8; RSA or Ed25519) that sign what users submit. Each is for mail from one domain; its file is named like the \
         DNS record of its public key, with .pem behind it. A domain may have several: every one of them signs.",
        "[\"/etc/hearthpost/h1._domainkey.example.org.pem\"]",
    )
    .or("[]"),
    Setting::new(
        "dkim.rotate_every",
        Kind::Duration {
            least_s: 7 * DAY,
            most_s: 3650 * DAY,
        },
        "How old the keys that the server made may get before it makes others. Without it, it makes others only when told to: hearthpost dkim \
         rotate. The records of new keys must be published by hand each time; until then the old ones sign.",
        "\"180 days\"",
    ),
    Setting::new(
        "queue.retry_first",
        Kind::Duration {
            least_s: 1,
            most_s: DAY,
        },
        "How long a recipient waits after its first failed attempt. Each further wait is twice as long, up to queue.retry_longest.",
        "\"5 min\"",
    )
    .or("\"1 min\""),
    Setting::new(
        "queue.retry_longest",
        Kind::Duration {
            least_s: 1,
            most_s: 7 * DAY,
        },
        "The longest wait between two attempts.",
        "\"2 h\"",
    )
    .or("\"4 h\""),
    Setting::new(
        "queue.delay_notice",
        Kind::Duration {
            least_s: 10,
            most_s: 30 * DAY,
        },
        "After how long a sender is told that a message still waits.",
        "\"12 h\"",
    )
    .or("\"4 h\""),
    Setting::new(
        "queue.give_up",
        Kind::Duration {
            least_s: 10,
            most_s: 30 * DAY,
        },
        "After how long a message that could not be delivered goes back to its sender.",
        "\"2 days\"",
    )
    .or("\"5 days\""),
    Setting::new(
        "deliver.port",
        Kind::Number {
            least: 1,
            most: 65_535,
        },
        "The port of other servers that are found by MX. Another one than 25 is for test networks.",
        "2525",
    )
    .or("25"),
    Setting::new(
        "deliver.allow_private",
        Kind::Flag,
        "Whether mail may go to servers whose addresses are private, loopback or link-local. For test networks: on the \
         Internet such addresses in DNS are mistakes or attacks.",
        "true",
    )
    .or("false"),
    Setting::new(
        "deliver.source_v4",
        Kind::SourceV4,
        "The address that IPv4 connections to other servers come from. Without it the system chooses.",
        "\"192.0.2.25\"",
    ),
    Setting::new(
        "deliver.source_v6",
        Kind::SourceV6,
        "The address that IPv6 connections to other servers come from. Without it the system chooses.",
        "\"2001:db8::25\"",
    ),
    Setting::new(
        "deliver.ehlo_name",
        Kind::Hostname,
        "The name said in EHLO to other servers. It should lead to the source address, and that address back to it. Without it \
         it is hostname.",
        "\"out.example.org\"",
    ),
    Setting::new(
        "deliver.ehlo_name_v6",
        Kind::Hostname,
        "The same for connections over IPv6, when that source address leads to another name. Without it it is deliver.ehlo_name.",
        "\"out6.example.org\"",
    ),
    Setting::new(
        "deliver.connections",
        Kind::Number {
            least: 1,
            most: 10_000,
        },
        "The most connections to other servers at once.",
        "200",
    )
    .or("100"),
    Setting::new(
        "deliver.connections_per_destination",
        Kind::Number {
            least: 1,
            most: 1_000,
        },
        "The most connections to one destination at once. It starts with 2 and grows while all goes well.",
        "10",
    )
    .or("20"),
    Setting::new(
        "mta_sts.enabled",
        Kind::Flag,
        "Whether the MTA-STS policies of other domains are looked for and honoured: where one says \"enforce\", mail goes only to the \
         servers that it names, under TLS with a certificate that verifies.",
        "false",
    )
    .or("true"),
    Setting::new(
        "mta_sts.port",
        Kind::Number {
            least: 1,
            most: 65_535,
        },
        "The port of the web servers that serve these policies. Another one than 443 is for test networks.",
        "8443",
    )
    .or("443"),
    Setting::new(
        "mandatory_tls.domains",
        Kind::Domains,
        "Domains that get mail only under TLS with a certificate that verifies; otherwise it waits, and goes back in the end. More of them, \
         without a reload: hearthpost tls require.",
        "[\"example.net\"]",
    )
    .or("[]"),
    Setting::new(
        "mandatory_tls.shipped_list",
        Kind::Choice(&["require", "warn", "off"]),
        "What the list of large domains that comes with the program does: require TLS as for the domains above, warn when one of them \
         does not have it, or nothing. Two years after its day it only warns.",
        "\"warn\"",
    )
    .or("\"require\""),
    Setting::new(
        "mandatory_tls.learning",
        Kind::Choice(&["off", "observe", "warn", "require"]),
        "How far domains climb that have always shown TLS with a certificate that verifies: observe lists them as proposed, warn tells when \
         one of them no longer does, require lets mail wait then.",
        "\"require\"",
    )
    .or("\"warn\""),
    Setting::new(
        "mandatory_tls.observe_days",
        LEARN_DAYS,
        "On how many days such a domain must have had mail to be proposed.",
        "14",
    )
    .or("7"),
    Setting::new(
        "mandatory_tls.warn_days",
        LEARN_DAYS,
        "On how many days, to be warned of.",
        "60",
    )
    .or("30"),
    Setting::new(
        "mandatory_tls.require_days",
        LEARN_DAYS,
        "On how many days, to be required.",
        "180",
    )
    .or("90"),
    Setting::new(
        "mandatory_tls.sessions",
        Kind::Number {
            least: 1,
            most: 1_000_000,
        },
        "How many connections under such TLS it takes besides.",
        "50",
    )
    .or("10"),
    Setting::new(
        "dns.servers",
        Kind::Servers,
        "The name servers that are asked. A name like localhost:5353 is looked up in /etc/hosts and then in the system's DNS, at the \
         start and at each reload. Without it they are those of /etc/resolv.conf.",
        "[\"127.0.0.1:53\"]",
    ),
    Setting::new(
        "dns.trust_anchor",
        Kind::Anchor,
        "What DNSSEC is checked with here: \"root\" for the Internet's own trust anchors, or a file with others (DNSKEY records as in \
         a zone file). The name servers must pass signatures on. Without it nothing is checked here.",
        "\"root\"",
    ),
    Setting::new(
        "dns.trust_ad",
        Kind::Flag,
        "Whether the name servers check DNSSEC for us, so that their word (the AD bit) is taken. Only with dns.servers that \
         are all on this machine: the word of others could be forged on the way.",
        "true",
    )
    .or("false"),
    Setting::new(
        "routes",
        Kind::Tables(ROUTE),
        "Other roads than DNS for mail that leaves. A route serves the recipient domains in to, or the sender domains in from; with \
         neither it is the default. to goes before from, and from before the default; whatever no route serves goes by MX.",
        "[{ name = \"smarthost\", host = \"smtp.example.net\" }]",
    )
    .or("[]"),
    Setting::new(
        "log.dir",
        Kind::AbsolutePath,
        "The directory of the log files (JSON lines, rotated at 64 MiB). Without it they are in <data_dir>/log.",
        "\"/var/log/hearthpost\"",
    )
    .at_start(),
    Setting::new(
        "log.stderr",
        Kind::Choice(&["human", "json", "off"]),
        "What of the log also goes to standard error: lines for people, the JSON lines, or nothing.",
        "\"off\"",
    )
    .or("\"human\"")
    .at_start(),
];

/// The settings of one route.
pub const ROUTE: &[Setting] = &[
    Setting::new(
        "name",
        Kind::Label,
        "What the route is called in fallback, in the log and in the queue.",
        "\"smarthost\"",
    )
    .required(),
    Setting::new(
        "to",
        Kind::Domains,
        "The recipient domains it serves. An empty list makes it a route that is only a fallback.",
        "[\"example.net\"]",
    ),
    Setting::new(
        "from",
        Kind::Domains,
        "The sender domains it serves.",
        "[\"example.org\"]",
    ),
    Setting::new(
        "host",
        Kind::NextHost,
        "The server that takes the mail; \"mx\" asks DNS for each domain's own servers.",
        "\"smtp.example.net\"",
    )
    .required(),
    Setting::new(
        "port",
        Kind::Number {
            least: 1,
            most: 65_535,
        },
        "Its port. Without it: 465 when tls is \"implicit\", else 587 with a user, else 25.",
        "587",
    ),
    Setting::new(
        "tls",
        Kind::Choice(&["dane", "starttls", "implicit", "opportunistic", "none"]),
        "How the connection is protected. \"dane\": STARTTLS, with a certificate that fits the TLSA records of the host's name where DNSSEC \
         vouches for some, else with one that verifies for the host. STARTTLS or TLS from the first byte, both with a certificate that verifies, \
         whatever DNS says; STARTTLS when it is offered, with any certificate; not at all.",
        "\"implicit\"",
    )
    .or("\"dane\""),
    Setting::new(
        "user",
        Kind::Line,
        "Whom to sign in as there. Needs password_file, and a tls that verifies.",
        "\"relay@example.org\"",
    ),
    Setting::new(
        "password_file",
        Kind::AbsolutePath,
        "A file whose first line is the password. Only the server's user may read it.",
        "\"/etc/hearthpost/smarthost.password\"",
    ),
    Setting::new(
        "fallback",
        Kind::Line,
        "The route that is taken instead, or \"mx\": after after_attempts failed attempts, while this one cannot be reached, and at once \
         when its server refuses us and not the message (an answer to our connection, greeting, STARTTLS or sign-in).",
        "\"mx\"",
    ),
    Setting::new(
        "after_attempts",
        Kind::Number { least: 1, most: 100 },
        "After how many failed attempts a recipient takes the fallback. Without it: 3.",
        "5",
    ),
];

/// The reference of all settings, in Markdown.
pub fn reference() -> String {
    let mut text = String::from(
        "# Settings of hearthpost.toml\n\nMade by `hearthpost config reference` from the list in `crates/config/src/setting.rs`. \
         A new value counts after `hearthpost reload`, unless its entry says that it takes a restart.\n",
    );
    for setting in SETTINGS {
        text.push_str(&entry("##", "", setting));
        if let Kind::Tables(fields) = setting.kind {
            for field in fields {
                text.push_str(&entry("###", setting.fields_prefix(), field));
            }
        }
    }
    text
}

fn entry(level: &str, prefix: &str, setting: &Setting) -> String {
    let default = match (setting.default, setting.required) {
        (Some(default), _) => format!("default `{default}`"),
        (None, true) => "required".to_owned(),
        (None, false) => "no default".to_owned(),
    };
    let restart = match setting.takes {
        Takes::Reload => "",
        Takes::Restart => "; a change takes a restart",
    };
    let Setting { name, doc, .. } = setting;
    format!(
        "\n{level} {prefix}{name}\n\n{doc}\n\n{}; {default}{restart}. Example: `{}`\n",
        setting.kind.describe(),
        written(name, setting.example)
    )
}

fn written(name: &str, example: &str) -> String {
    match name.split_once('.') {
        Some((section, key)) => format!("[{section}] {key} = {example}"),
        None => format!("{name} = {example}"),
    }
}
