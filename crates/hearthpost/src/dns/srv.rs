//! What SRV records say of a door, held against the doors that are open (RFC 6186, RFC 8314 §5.1). Pure.
//!
//! A record that is missing costs people typing; one that leads elsewhere costs them their mail, or hands their password to somebody.

use msgauth::evidence::printable;
use world::dns::Record as Answer;

use super::judge::{Found, Said, good, note, wrong};
use super::records::Record;
use crate::control::dns::Server;

/// Services that mail programs look for, with our doors for them.
const SERVICES: [(&str, &str); 6] = [
    ("_submissions", "submissions"),
    ("_submission", "submission"),
    ("_imaps", "imaps"),
    ("_imap", "imap"),
    ("_pop3s", "pop3s"),
    ("_pop3", "pop3"),
];

/// The host that means that there is no such service (RFC 2782).
const NONE: &str = ".";

/// The name and the value of each record of a domain.
pub fn wanted(domain: &str, server: &Server) -> Vec<(String, String)> {
    let one = |(service, door): &(&str, &str)| {
        let value = match ports(server, door).first() {
            Some(port) => format!("0 1 {port} {}.", server.hostname),
            None => "0 0 0 .".to_owned(),
        };
        (format!("{service}._tcp.{domain}"), value)
    };
    SERVICES.iter().map(one).collect()
}

/// The rule of one of them.
pub fn judge(server: &Server, record: &Record, found: &Found<'_>) -> Said {
    let services: Vec<(u16, &str)> = found
        .records
        .iter()
        .filter_map(|one| match one {
            Answer::Srv(_, _, port, host) => Some((*port, host.as_str())),
            _ => None,
        })
        .collect();
    match open_ports(server, record) {
        ports if ports.is_empty() => closed(server, &services),
        ports => open(server, &ports, &services),
    }
}

fn open(server: &Server, ports: &[u16], services: &[(u16, &str)]) -> Said {
    let ours = |host: &str| host.eq_ignore_ascii_case(&server.hostname);
    let elsewhere = services.iter().find(|(_, host)| !ours(host));
    let other_port = services
        .iter()
        .find(|(port, host)| ours(host) && !ports.contains(port));
    let denied = services.iter().any(|(_, host)| *host == NONE);
    let led = services
        .iter()
        .any(|(port, host)| ours(host) && ports.contains(port));
    match (services, denied, other_port, elsewhere) {
        ([], ..) => note("Publish it, so that nobody has to type the server's name and port"),
        (_, true, ..) => wrong("Replace it: a point says that there is no such door, and there is one"),
        (_, _, Some((port, _)), _) => wrong(&format!(
            "Correct its port: programs are sent to {port}, where this server has no such door"
        )),
        (_, _, _, Some((port, host))) if led => note(&format!(
            "Programs are also sent to {} (port {port}): it must know the same people, or they cannot sign in there",
            printable(host.as_bytes())
        )),
        (_, _, _, Some((port, host))) => wrong(&format!(
            "Name this server: programs are sent to {} (port {port}), and say their passwords there",
            printable(host.as_bytes())
        )),
        (_, _, None, None) => good(),
    }
}

/// There is no such door here; another server may have it.
fn closed(server: &Server, services: &[(u16, &str)]) -> Said {
    let offered = services.iter().find(|(_, host)| *host != NONE);
    match (services, offered) {
        ([], _) => note("Publish it, so that programs do not look for a door that there is not"),
        (_, None) => good(),
        (_, Some((port, host))) if host.eq_ignore_ascii_case(&server.hostname) => wrong(&format!(
            "Replace it, or open the door: programs are sent to port {port} of this server, where nobody answers"
        )),
        (_, Some((port, host))) => note(&format!(
            "Programs are sent to {} (port {port}), and say their passwords there: leave it only if that server is yours",
            printable(host.as_bytes())
        )),
    }
}

fn open_ports(server: &Server, record: &Record) -> Vec<u16> {
    let service = record.name.split('.').next().unwrap_or_default();
    let door = SERVICES.iter().find(|(name, _)| *name == service);
    door.map_or_else(Vec::new, |(_, door)| ports(server, door))
}

fn ports(server: &Server, door: &str) -> Vec<u16> {
    let doors = server.doors.iter().filter(|(name, _)| name == door);
    doors.map(|(_, port)| *port).collect()
}
