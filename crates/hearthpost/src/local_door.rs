//! The door for programs on this machine (`doors.local`): a Unix socket for everybody, where the kernel says who calls.
//!
//! 1. A caller gets a place like any connection.
//! 2. The directory says what their user may send; who may send nothing is told so, and the door closes.
//! 3. Then they speak SMTP with `receive`, by the same decisions as every submission.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use directory::{Directory, LocalCaller, LocalRules, LocalSender};
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use world::clock::{BoxFuture, Clock, Monotonic};
use world::net::{BoxWire, Peer};
use world_real::confine::user;
use world_real::unix::{BoundControl, Caller, ControlDoor};

use crate::control::client::SocketPath;
use crate::doors::{self, Gate};
use crate::limits::DRAIN;

/// Its name in logs.
const NAME: &str = "local";

/// Serves one caller to their end.
pub type ServeLocal = Arc<dyn Fn(BoxWire, Peer, LocalSender) -> BoxFuture<'static, ()> + Send + Sync>;

/// What the door needs.
pub struct LocalDoor {
    /// who may send what
    pub rules: LocalRules,
    /// who is here
    pub directory: Arc<Directory>,
    /// what happens to a caller
    pub serve: ServeLocal,
    /// places
    pub gate: Arc<Gate>,
    /// time
    pub clock: Arc<dyn Clock>,
}

/// Binds `socket`, whose directory must exist. Only with the store's lock in hand: a socket in the way is a dead server's.
pub fn bind(socket: &Path) -> std::io::Result<(ControlDoor, SocketPath)> {
    let (Some(dir), Some(name)) = (socket.parent(), socket.file_name().and_then(|name| name.to_str())) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let path = SocketPath::named(dir, name)?;
    let door = BoundControl::bind_for_all(&path.path)?.listen()?;
    Ok((door, path))
}

/// Takes callers until the stop, then lets them finish.
pub async fn run(local: LocalDoor, listener: (ControlDoor, SocketPath), mut stop: watch::Receiver<bool>) {
    let known: Vec<LocalCaller> = local.rules.trusted.iter().map(|uid| named(*uid, &[])).collect();
    let mut callers = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stopping| *stopping) => break,
            Some(how) = callers.join_next() => local.gate.ended(NAME, how),
            accepted = listener.0.accept() => if let Ok((wire, caller)) = accepted {
                admit((&local, &known), &mut callers, wire, caller);
            },
        }
    }
    drop(listener);
    let deadline = Monotonic(local.clock.monotonic().0 + DRAIN);
    doors::drain(NAME, &local.gate, callers, deadline).await;
}

fn admit(
    (local, known): (&LocalDoor, &[LocalCaller]),
    callers: &mut JoinSet<()>,
    mut wire: BoxWire,
    caller: Caller,
) {
    let sender = local
        .directory
        .local_sender(&named(caller.uid, known), &local.rules);
    let place = local.gate.place_here();
    let answer = match (sender, place) {
        (Some(sender), Some(place)) => {
            let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let peer = Peer {
                addr: here,
                local: here,
            };
            let served = (local.serve)(wire, peer, sender);
            callers.spawn(async move {
                served.await;
                drop(place);
            });
            return;
        }
        (Some(_), None) => "421 4.3.2 Too many connections, try again in a minute\r\n".to_owned(),
        (None, _) => format!(
            "554 5.7.1 The user {} of this machine may not send here: ask for a line in doors.local_users\r\n",
            caller.uid
        ),
    };
    // It fits into the empty socket buffer, so this does not wait; a caller that is gone needs no answer.
    callers.spawn(async move { drop(wire.write_all(answer.as_bytes()).await) });
}

/// By a name from the start where there is one: `/etc/passwd` is out of reach once another file has taken its place.
fn named(uid: u32, known: &[LocalCaller]) -> LocalCaller {
    let before = known.iter().find(|caller| caller.uid == uid).cloned();
    before.unwrap_or_else(|| LocalCaller {
        uid,
        name: user::of_uid(uid).map_or_else(|| uid.to_string(), |user| user.name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_keeps_the_name_it_had_at_the_start() {
        let known = [LocalCaller {
            uid: 4_000_000_000,
            name: "root".to_owned(),
        }];
        assert_eq!(named(4_000_000_000, &known).name, "root");
        assert_eq!(named(4_000_000_000, &[]).name, "4000000000");
    }
}
