//! Which socket serves which door: those that systemd bound for us, and those that we bind.
//!
//! 1. A socket with a door's name belongs to that door; such a door binds nothing itself.
//! 2. A socket with another name belongs to the door whose settings have its address.
//! 3. What no door asks for is an error: nothing listens that was not asked for.

use std::net::SocketAddr;

use world_real::systemd::{self, Inherited};
use world_real::tcp::Bound;

use crate::exit::{Failure, Outcome};
use crate::server::Kind;

/// What the service manager hands over. Call it before anything that could inherit it.
pub fn handed() -> Outcome<Vec<Inherited>> {
    systemd::inherited().map_err(|error| {
        Failure::Usage(format!(
            "a socket of the service manager cannot be used: {error}. Look at the socket unit."
        ))
    })
}

/// Opens every door: with sockets that were handed over where they fit, with new ones elsewhere. With `any_port` a taken
/// address becomes any free port.
pub fn open(
    handed: Vec<Inherited>,
    doors: &[(Kind, SocketAddr)],
    any_port: bool,
) -> Outcome<Vec<(Kind, Bound)>> {
    let addresses: Vec<_> = handed
        .iter()
        .map(|socket| (socket.name.as_str(), socket.bound.local_addr()))
        .collect();
    let plan = assign(doors, &addresses).map_err(Failure::Usage)?;
    let mut handed: Vec<Option<Inherited>> = handed.into_iter().map(Some).collect();
    let mut bound = Vec::with_capacity(plan.len());
    for (kind, source) in plan {
        let socket = match source {
            Source::Bind(address) => bind(kind, address, any_port)?,
            Source::Handed(index) => handed[index].take().expect("each socket is assigned once").bound,
        };
        bound.push((kind, socket));
    }
    Ok(bound)
}

/// Where a door's socket comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// we bind it
    Bind(SocketAddr),
    /// the socket of this position
    Handed(usize),
}

fn assign(
    doors: &[(Kind, SocketAddr)],
    handed: &[(&str, SocketAddr)],
) -> Result<Vec<(Kind, Source)>, String> {
    let mut plan = Vec::new();
    for (index, (name, address)) in handed.iter().enumerate() {
        let named = doors.iter().find(|(kind, _)| kind.name() == *name);
        let placed = doors.iter().find(|(_, wanted)| wanted == address);
        match named.or(placed) {
            Some((kind, _)) => plan.push((*kind, Source::Handed(index))),
            None => {
                return Err(format!(
                    "the service manager hands over the socket {address} ({name}), which no door asks for. Add its address to the \
                     door's setting, or take it out of the socket unit."
                ));
            }
        }
    }
    for (kind, address) in doors {
        let is_named = handed.iter().any(|(name, _)| *name == kind.name());
        let is_placed = handed.iter().any(|(_, handed)| handed == address);
        if !is_named && !is_placed {
            plan.push((*kind, Source::Bind(*address)));
        }
    }
    Ok(plan)
}

fn bind(kind: Kind, address: SocketAddr, any_port: bool) -> Outcome<Bound> {
    let opened = match Bound::bind(address) {
        Err(error) if any_port && error.kind() == std::io::ErrorKind::AddrInUse => {
            Bound::bind(SocketAddr::new(address.ip(), 0))
        }
        other => other,
    };
    opened.map_err(|error| cannot_bind(kind, address, &error))
}

fn cannot_bind(kind: Kind, address: SocketAddr, error: &std::io::Error) -> Failure {
    let next_step = match error.kind() {
        std::io::ErrorKind::AddrInUse => "Another program listens there: stop it, or change the address.",
        std::io::ErrorKind::PermissionDenied => {
            "Ports below 1024 need root, the capability CAP_NET_BIND_SERVICE, or a socket unit."
        }
        std::io::ErrorKind::AddrNotAvailable => "This machine has no such address.",
        _ => "Check the address.",
    };
    Failure::Usage(format!(
        "the door {} cannot listen on {address}: {error}. {next_step}",
        kind.name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use receive::DoorKind;

    #[test]
    fn sockets_go_to_their_doors_by_name_or_by_address() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (mx, imap) = (Kind::Mail(DoorKind::Mx), Kind::Imap);
        let doors = [
            (mx, address("0.0.0.0:25")),
            (mx, address("[::]:25")),
            (imap, address("0.0.0.0:143")),
        ];
        type Row = (&'static [(&'static str, &'static str)], Vec<(Kind, Source)>);
        let table: [Row; 3] = [
            (
                &[],
                vec![
                    (mx, Source::Bind(doors[0].1)),
                    (mx, Source::Bind(doors[1].1)),
                    (imap, Source::Bind(doors[2].1)),
                ],
            ),
            (
                &[("smtp", "[::]:25")],
                vec![(mx, Source::Handed(0)), (imap, Source::Bind(doors[2].1))],
            ),
            (
                &[("hearthpost.socket", "0.0.0.0:143"), ("", "[::]:25")],
                vec![
                    (imap, Source::Handed(0)),
                    (mx, Source::Handed(1)),
                    (mx, Source::Bind(doors[0].1)),
                ],
            ),
        ];
        for (handed, want) in table {
            let handed: Vec<_> = handed.iter().map(|(name, text)| (*name, address(text))).collect();
            assert_eq!(assign(&doors, &handed).unwrap(), want, "{handed:?}");
        }
        for handed in [("imaps", "0.0.0.0:993"), ("x", "127.0.0.1:25")] {
            let said = assign(&doors, &[(handed.0, address(handed.1))]).unwrap_err();
            assert!(said.contains("which no door asks for"), "{said}");
        }
    }
}
