//! The finished [`Config`], from values without a problem.

use crate::table::Values;
use crate::value::{MX, ROOT};
use crate::{
    Authenticity, BareNewlines, Config, Deliver, Dns, Doors, Fallback, FallbackTo, ListPower, LocalDoor,
    LogStderr, Login, OthersTls, QueueTimes, Road, Route, RouteTls, Serves, Smarthost, TlsFiles, Validation,
};

/// Port of TLS from the first byte (RFC 8314 §3.3).
const IMPLICIT_PORT: u16 = 465;
/// Port of web servers (RFC 9110 §4.2.2).
const HTTPS_PORT: u16 = 443;
/// Port where one signs in (RFC 6409 §3.1).
const SUBMISSION_PORT: u16 = 587;
/// Port of servers among themselves (RFC 5321 §4.5.4.2).
const SMTP_PORT: u16 = 25;
/// Failed attempts before a fallback is taken, when nothing is said.
const AFTER_ATTEMPTS: u32 = 3;

/// Called when there is no problem, so every value is there and of its kind.
pub(crate) fn build(values: &Values) -> Config {
    let hostname = values.name("hostname").unwrap_or_default();
    Config {
        data_dir: values.path("data_dir").unwrap_or_default(),
        domains: values.names("domains").unwrap_or_default().to_vec(),
        user: values.name("process.user"),
        doors: doors(values),
        local: LocalDoor {
            socket: values.path("doors.local"),
            users: local_users(values),
        },
        tls: values
            .path("tls.certificate")
            .zip(values.path("tls.key"))
            .map(|(certificate, key)| TlsFiles { certificate, key }),
        next_certificate: values.path("tls.next_certificate"),
        extra_roots: values.path("tls.extra_roots"),
        message_bytes: values.number("limits.message_size").unwrap_or_default(),
        connections: values.number("limits.connections").unwrap_or_default(),
        message_limit: values
            .number("imap.message_limit")
            .and_then(|limit| limit.try_into().ok()),
        save_limit: values
            .number("imap.save_limit")
            .and_then(|limit| limit.try_into().ok()),
        bare_newlines: match values.word("smtp.bare_newlines") {
            "normalise" => BareNewlines::Normalise,
            _ => BareNewlines::Refuse,
        },
        authenticity: match values.word("smtp.authenticity") {
            "enforce" => Authenticity::Enforce,
            "note" => Authenticity::Note,
            _ => Authenticity::Off,
        },
        arc_sealers: values.names("smtp.arc_sealers").unwrap_or_default().to_vec(),
        lenient_domains: values.names("smtp.lenient_domains").unwrap_or_default().to_vec(),
        refused_domains: values.names("smtp.refused_domains").unwrap_or_default().to_vec(),
        own_servers: values.networks("smtp.own_servers").to_vec(),
        public_suffixes: values.path("smtp.public_suffixes"),
        dkim_keys: (values.names("dkim.keys").unwrap_or_default().iter())
            .map(Into::into)
            .collect(),
        dkim_rotate: values.duration("dkim.rotate_every"),
        queue: queue(values),
        deliver: deliver(values, &hostname),
        others_tls: others_tls(values),
        dns: Dns {
            servers: values.servers("dns.servers").to_vec(),
            validation: validation(values),
        },
        routes: values.tables("routes").iter().map(route).collect(),
        log_stderr: match values.word("log.stderr") {
            "json" => LogStderr::Json,
            "off" => LogStderr::Off,
            _ => LogStderr::Human,
        },
        log_dir: values.path("log.dir"),
        hostname,
    }
}

fn doors(values: &Values) -> Doors {
    let listen = |name: &str| values.addresses(name).to_vec();
    Doors {
        smtp: listen("doors.smtp"),
        submission: listen("doors.submission"),
        submissions: listen("doors.submissions"),
        lmtp: listen("doors.lmtp"),
        imap: listen("doors.imap"),
        imaps: listen("doors.imaps"),
        pop3: listen("doors.pop3"),
        pop3s: listen("doors.pop3s"),
    }
}

fn local_users(values: &Values) -> Vec<(String, String)> {
    let pairs = values.names("doors.local_users").unwrap_or_default();
    let parts = pairs.iter().filter_map(|pair| pair.split_once(": "));
    parts
        .map(|(user, address)| (user.to_owned(), address.to_owned()))
        .collect()
}

fn queue(values: &Values) -> QueueTimes {
    let time = |name: &str| values.duration(name).unwrap_or_default();
    QueueTimes {
        retry_first: time("queue.retry_first"),
        retry_longest: time("queue.retry_longest"),
        delay_notice: time("queue.delay_notice"),
        give_up: time("queue.give_up"),
    }
}

fn validation(values: &Values) -> Validation {
    match values.path("dns.trust_anchor") {
        _ if values.flag("dns.trust_ad") => Validation::Servers,
        None => Validation::Off,
        Some(path) if path.as_os_str() == ROOT => Validation::Root,
        Some(path) => Validation::File(path),
    }
}

fn port(values: &Values, name: &str) -> Option<u16> {
    values.number(name).and_then(|port| u16::try_from(port).ok())
}

fn deliver(values: &Values, hostname: &str) -> Deliver {
    let ehlo_name = values
        .name("deliver.ehlo_name")
        .unwrap_or_else(|| hostname.to_owned());
    Deliver {
        port: port(values, "deliver.port").unwrap_or(SMTP_PORT),
        allow_private: values.flag("deliver.allow_private"),
        source_v4: values.ip("deliver.source_v4"),
        source_v6: values.ip("deliver.source_v6"),
        ehlo_name_v6: values
            .name("deliver.ehlo_name_v6")
            .unwrap_or_else(|| ehlo_name.clone()),
        ehlo_name,
        connections: values.number("deliver.connections").unwrap_or_default(),
        connections_per_destination: values
            .number("deliver.connections_per_destination")
            .unwrap_or_default(),
    }
}

fn others_tls(values: &Values) -> OthersTls {
    let power = |name: &str| match values.word(name) {
        "observe" => ListPower::Observe,
        "warn" => ListPower::Warn,
        "require" => ListPower::Require,
        _ => ListPower::Off,
    };
    let days = |name: &str| {
        let number = values.number(name).unwrap_or_default();
        u32::try_from(number).unwrap_or(u32::MAX)
    };
    OthersTls {
        mta_sts: values.flag("mta_sts.enabled"),
        mta_sts_port: port(values, "mta_sts.port").unwrap_or(HTTPS_PORT),
        domains: values.names("mandatory_tls.domains").unwrap_or_default().to_vec(),
        shipped_list: power("mandatory_tls.shipped_list"),
        learning: power("mandatory_tls.learning"),
        observe_days: days("mandatory_tls.observe_days"),
        warn_days: days("mandatory_tls.warn_days"),
        require_days: days("mandatory_tls.require_days"),
        sessions: values.number("mandatory_tls.sessions").unwrap_or_default(),
    }
}

fn route(row: &Values) -> Route {
    let serves = match (row.names("to"), row.names("from")) {
        (Some(to), _) => Serves::To(to.to_vec()),
        (None, Some(from)) => Serves::From(from.to_vec()),
        (None, None) => Serves::Everything,
    };
    let host = row.name("host").unwrap_or_default();
    let road = if host == MX {
        Road::Mx
    } else {
        Road::Smarthost(smarthost(row, host))
    };
    let after = row
        .number("after_attempts")
        .and_then(|number| u32::try_from(number).ok());
    Route {
        name: row.name("name").unwrap_or_default(),
        serves,
        road,
        fallback: row.name("fallback").map(|to| Fallback {
            to: if to == MX {
                FallbackTo::Mx
            } else {
                FallbackTo::Route(to)
            },
            after_attempts: after.unwrap_or(AFTER_ATTEMPTS),
        }),
    }
}

fn smarthost(row: &Values, host: String) -> Smarthost {
    let tls = match row.word("tls") {
        "starttls" => RouteTls::StartTls,
        "implicit" => RouteTls::Implicit,
        "opportunistic" => RouteTls::Opportunistic,
        "none" => RouteTls::None,
        _ => RouteTls::Dane,
    };
    let login = row
        .name("user")
        .zip(row.path("password_file"))
        .map(|(user, password_file)| Login { user, password_file });
    let usual = match (tls, &login) {
        (RouteTls::Implicit, _) => IMPLICIT_PORT,
        (_, Some(_)) => SUBMISSION_PORT,
        (_, None) => SMTP_PORT,
    };
    Smarthost {
        host,
        port: port(row, "port").unwrap_or(usual),
        tls,
        login,
    }
}
