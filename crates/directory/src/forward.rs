//! Addresses of ours that lead to other servers.

use mail::address::{Mailbox, Path};
use world::clock::UnixMs;

use crate::directory::Directory;
use crate::resolve::Resolution;
use crate::snapshot::Snapshot;
use crate::srs;

/// Somebody on another server to whom an address of ours leads, and the envelope sender under which mail goes there.
/// Only the directory makes one: holding it is the one right by which a stranger's message leaves this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    pub(crate) target: Mailbox,
    pub(crate) via: Mailbox,
    pub(crate) reverse_path: Path,
}

impl Forward {
    /// Where it leads.
    pub fn target(&self) -> &Mailbox {
        &self.target
    }

    /// The address of ours that was asked for: the copy carries it as Delivered-To, so that a loop is seen.
    pub fn via(&self) -> &Mailbox {
        &self.via
    }

    /// The envelope sender of the copy: null stays null, a sender of ours that somebody answers for stays; others are rewritten ([`crate::srs`]).
    pub fn reverse_path(&self) -> &Path {
        &self.reverse_path
    }
}

/// Whether anybody answers for an envelope sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    /// somebody who may use it signed in, or a program of this machine named it
    Yes,
    /// anybody may have written it
    No,
}

impl Directory {
    /// To whom mail from `sender` to `address` goes. In memory: call it as often as needed.
    pub fn resolve_from(&self, address: &Mailbox, sender: &Path, vouched: Vouched) -> Resolution {
        let tables = self.tables();
        let now = self.doors.clock.now();
        let found = match tables.return_address(address) {
            true => self.returned(&tables, address, sender, now),
            false => tables.resolve(address),
        };
        self.with_senders(&tables, found, (sender, vouched), now)
    }

    /// To whom `RCPT TO:<postmaster>`, without a domain, goes from `sender` (RFC 5321 §4.1.1.3).
    pub fn resolve_postmaster_from(&self, sender: &Path, vouched: Vouched) -> Resolution {
        let tables = self.tables();
        let found = tables.resolve_postmaster();
        self.with_senders(&tables, found, (sender, vouched), self.doors.clock.now())
    }

    /// A report about forwarded mail goes to who sent that mail. Reports have the null sender (RFC 3461 §6.1); anything
    /// else would make us a relay for whoever has seen the address once.
    fn returned(&self, tables: &Snapshot, address: &Mailbox, sender: &Path, now: UnixMs) -> Resolution {
        let Ok(target) = self.srs().read(address.local().as_str(), now) else {
            return Resolution::UnknownUser;
        };
        if *sender != Path::Null {
            return Resolution::ReportsOnly;
        }
        match tables.resolve(&target) {
            Resolution::NotOurs => Resolution::local(
                Vec::new(),
                vec![Forward {
                    target,
                    via: address.clone(),
                    reverse_path: Path::Null,
                }],
            ),
            ours => ours,
        }
    }

    fn with_senders(
        &self,
        tables: &Snapshot,
        mut found: Resolution,
        sender: (&Path, Vouched),
        now: UnixMs,
    ) -> Resolution {
        if let Resolution::Local(reached) = &mut found {
            for forward in &mut reached.forwards {
                forward.reverse_path = self.rewritten(tables, forward, sender, now);
            }
        }
        found
    }

    fn rewritten(
        &self,
        tables: &Snapshot,
        forward: &Forward,
        (sender, vouched): (&Path, Vouched),
        now: UnixMs,
    ) -> Path {
        let Path::Mailbox(mailbox) = sender else {
            return Path::Null;
        };
        // Left as it is, an address of ours that a stranger made up would leave with our name on it.
        if vouched == Vouched::Yes && tables.domains.contains_key(mailbox.domain().as_str()) {
            return sender.clone();
        }
        let rewritten = self.srs().rewrite(mailbox, forward.via.domain(), now);
        rewritten.map_or_else(|| sender.clone(), Path::Mailbox)
    }
}

impl Snapshot {
    /// Whether this is a return address at a domain of ours, and nobody's own name.
    fn return_address(&self, address: &Mailbox) -> bool {
        srs::has_form(address.local().as_str())
            && self.domains.contains_key(address.domain().as_str())
            && !self
                .names
                .contains_key(mail::address::AddressKey::exact(address).as_str())
    }
}
