//! Names that are slow: a name server in front of the story's own hands every question on, and some after a while.
//!
//! Over UDP only: what stories ask fits into one packet. It ends with the process of the story.

use super::net::{self, DNS, SLOW_DNS};
use crate::report::Outcome;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// Octets of the longest packet.
const PACKET_BYTES: usize = 4096;
/// Octets in front of the question (RFC 1035 §4.1.1).
const HEADER_BYTES: usize = 12;
/// How long the story's own name server may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The port of names.
const PORT: u16 = 53;

/// Names of a domain, and all below it, that are slow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slow {
    /// the domain
    pub domain: String,
    /// how long a question takes
    pub takes: Duration,
}

/// Stands in front of the name server from now on.
///
/// # Errors
/// The address is not to be had.
pub fn start(slow: &[Slow]) -> Outcome<()> {
    let slow: Arc<[Slow]> = slow.into();
    for (here, behind) in SLOW_DNS.into_iter().zip(DNS) {
        net::add_to_the_middle(here)?;
        let socket = Arc::new(UdpSocket::bind(SocketAddr::new(here, PORT))?);
        let slow = slow.clone();
        std::thread::spawn(move || serve(&socket, behind, &slow));
    }
    Ok(())
}

fn serve(socket: &Arc<UdpSocket>, behind: IpAddr, slow: &Arc<[Slow]>) {
    let mut packet = [0; PACKET_BYTES];
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        let (question, socket, slow) = (packet[..length].to_vec(), socket.clone(), slow.clone());
        std::thread::spawn(move || {
            std::thread::sleep(pause(&question, &slow));
            if let Ok(answer) = ask(&question, behind) {
                // Whoever asked may be gone by now.
                let _ = socket.send_to(&answer, from);
            }
        });
    }
}

fn ask(question: &[u8], behind: IpAddr) -> io::Result<Vec<u8>> {
    let any: IpAddr = if behind.is_ipv6() {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    } else {
        std::net::Ipv4Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(SocketAddr::new(behind, PORT))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(question)?;
    let mut packet = [0; PACKET_BYTES];
    let length = socket.recv(&mut packet)?;
    Ok(packet[..length].to_vec())
}

/// How long a question takes.
fn pause(question: &[u8], slow: &[Slow]) -> Duration {
    let name = name_of(question);
    let below = |one: &&Slow| {
        let rest = name.strip_suffix(&one.domain);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    slow.iter().find(below).map_or(Duration::ZERO, |one| one.takes)
}

/// The name that is asked for, lower case; as far as it can be read.
fn name_of(question: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = question.get(HEADER_BYTES..).unwrap_or_default();
    while let Some((length, more)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let Some((label, after)) = more.split_at_checked(usize::from(*length)) else {
            break;
        };
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        rest = after;
    }
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_and_all_below_it_are_slow_and_nothing_else() {
        let slow = [Slow {
            domain: "s.test".to_owned(),
            takes: Duration::from_secs(2),
        }];
        let question = |name: &str| {
            let mut packet = vec![0; HEADER_BYTES];
            for label in name.split('.') {
                packet.push(u8::try_from(label.len()).unwrap());
                packet.extend(label.as_bytes());
            }
            packet.extend([0, 0, 1, 0, 1]);
            packet
        };
        for (name, seconds) in [
            ("s.test", 2),
            ("_25._tcp.mx.S.teSt", 2),
            ("ss.test", 0),
            ("test", 0),
            ("a.test", 0),
        ] {
            assert_eq!(pause(&question(name), &slow).as_secs(), seconds, "{name}");
        }
        for bad in [&[][..], &[0; HEADER_BYTES], &[200; 40]] {
            assert_eq!(pause(bad, &slow), Duration::ZERO);
        }
    }
}
