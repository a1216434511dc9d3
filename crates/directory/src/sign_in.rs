//! Signing in with a password, and what somebody who did may do.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use mail::address::{AddressKey, Mailbox, Utf8};
use mail::ids::AccountId;

use crate::directory::Directory;
use crate::events::DirectoryEvent;
use crate::hashing::Busy;
use crate::password::Password;
use crate::sasl::Refusal;
use crate::scram::{ClientFirst, Exchange, Keys};

/// Where a sign-in comes from, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// which door, for example `submission` or `imaps`
    pub door: &'static str,
    /// whose address
    pub peer: IpAddr,
}

/// Why nobody is signed in. The peer learns no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthFailure {
    /// Wrong name or password, or the account is disabled: SMTP 535 5.7.8, IMAP NO [AUTHENTICATIONFAILED].
    Rejected,
    /// Too many sign-ins at once: SMTP 454 4.7.0, IMAP NO [UNAVAILABLE].
    TryLater,
}

/// Somebody who proved who they are: by [`Directory::authenticate`], or to the kernel ([`Directory::local_sender`]).
/// Nothing else makes one.
#[derive(Clone)]
pub struct SignedIn {
    directory: Arc<Directory>,
    account: AccountId,
    address: Mailbox,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedIn({})", self.address)
    }
}

impl SignedIn {
    /// Whose.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The account's main address.
    pub fn address(&self) -> &Mailbox {
        &self.address
    }

    /// Whether this account may send as `address`, as the directory stands now: mail to it reaches this account **and nobody
    /// else** (main address, tagged, alias, catch-all), or it was granted ([`Directory::grant_send_as`]). An address that
    /// several people share is nobody's own, and being `postmaster@` for want of another is no right to send as it. Never
    /// true once the account is disabled or removed.
    pub fn may_send_as(&self, address: &Mailbox) -> bool {
        let tables = self.directory.tables();
        let granted = || {
            let account = tables.accounts.get(&self.account);
            account.is_some_and(|account| account.enabled && tables.is_granted(account, address))
        };
        tables.is_own(self.account, address) || granted()
    }

    /// Whether the account still exists and is enabled. Long sessions ask before they act.
    pub fn still_welcome(&self) -> bool {
        self.directory
            .tables()
            .accounts
            .get(&self.account)
            .is_some_and(|account| account.enabled)
    }
}

impl Directory {
    /// Checks a user name (the main address, in any case) and password. Unknown, disabled and wrong cost one hash each
    /// and cannot be told apart (threat case LOG-2).
    pub async fn authenticate(
        self: &Arc<Self>,
        user: &str,
        password: &Password,
        origin: Origin,
    ) -> Result<SignedIn, AuthFailure> {
        let claim = self.claim(user);
        let checked = self
            .hashing()
            .check(claim.as_ref().ok().map(|claim| &*claim.credential), password)
            .await;
        let outcome = match (checked, claim) {
            (Err(Busy), _) => {
                self.emit(&DirectoryEvent::SignInPostponed {
                    door: origin.door,
                    peer: origin.peer,
                });
                return Err(AuthFailure::TryLater);
            }
            (Ok(true), Ok(claim)) => self.confirm(claim),
            (Ok(false), Ok(_)) => Err("wrong password"),
            (Ok(_), Err(reason)) => Err(reason),
        };
        self.conclude(outcome, user, origin)
    }

    /// Whether SCRAM is worth offering: a client that prefers it must not fail where its password would do.
    pub fn offers_scram(&self) -> bool {
        self.tables().all_have_keys()
    }

    /// Answers a SCRAM client's first message. Who is not there gets an answer like everybody (threat case LOG-2).
    pub fn scram_begin(&self, first: ClientFirst) -> (String, ScramClaim) {
        let claim = self.claim(&first.user);
        let keys = match &claim {
            Ok(claim) => Keys::in_credential(&claim.credential),
            Err(_) => None,
        };
        let claim = match (claim, &keys) {
            (Ok(_), None) => Err("no keys for SCRAM"),
            (claim, _) => claim,
        };
        let secret = self.srs().derived("scram", &one_spelling(&first.user));
        let keys = keys.unwrap_or_else(|| Keys::nobody(secret));
        let user = first.user.clone();
        let (message, exchange) = first.answer(keys, self.doors.chance.as_ref());
        (
            message,
            ScramClaim {
                user,
                claim,
                exchange,
            },
        )
    }

    /// Checks a SCRAM client's last message. With the sign-in comes the server's own proof, which is to be sent before.
    ///
    /// # Errors
    /// `Err(Ok(failure))`: the proof is wrong; `Err(Err(refusal))`: it is none.
    pub fn scram_finish(
        self: &Arc<Self>,
        claim: ScramClaim,
        last: &[u8],
        origin: Origin,
    ) -> Result<(SignedIn, String), Result<AuthFailure, Refusal>> {
        let proof = claim.exchange.check(last).map_err(Err)?;
        let outcome = match (&proof, claim.claim) {
            (Some(_), Ok(claim)) => self.confirm(claim),
            (None, Ok(_)) => Err("wrong password"),
            (_, Err(reason)) => Err(reason),
        };
        let signed_in = self.conclude(outcome, &claim.user, origin).map_err(Ok)?;
        Ok((signed_in, proof.unwrap_or_default()))
    }

    fn conclude(
        &self,
        outcome: Result<SignedIn, &'static str>,
        user: &str,
        origin: Origin,
    ) -> Result<SignedIn, AuthFailure> {
        match outcome {
            Ok(signed_in) => {
                let address = signed_in.address.to_string();
                self.emit(&DirectoryEvent::SignedIn {
                    address,
                    door: origin.door,
                    peer: origin.peer,
                });
                Ok(signed_in)
            }
            Err(reason) => {
                let (door, peer, user) = (origin.door, origin.peer, user.to_owned());
                self.emit(&DirectoryEvent::SignInRefused {
                    user,
                    door,
                    peer,
                    reason,
                });
                Err(AuthFailure::Rejected)
            }
        }
    }

    /// The enabled account of this name and its verifier, or the operator's reason why there is none.
    fn claim(&self, user: &str) -> Result<Claim, &'static str> {
        let address = Mailbox::parse(user, Utf8::Allowed).map_err(|_| "not an address")?;
        let tables = self.tables();
        let account = tables.account_by_address(&address).ok_or("unknown user")?;
        if !account.enabled {
            return Err("disabled");
        }
        let credential = account.credential.clone().ok_or("no password set")?;
        Ok(Claim {
            account: account.id,
            address: account.address.clone(),
            credential,
        })
    }

    /// The enabled account of this main address, for somebody whom the kernel named.
    pub(crate) fn vouch_for(self: &Arc<Self>, address: &Mailbox) -> Option<SignedIn> {
        let tables = self.tables();
        let account = tables.account_by_address(address)?;
        account.enabled.then(|| SignedIn {
            directory: self.clone(),
            account: account.id,
            address: account.address.clone(),
        })
    }

    /// The hash took its time: the account must still be what was checked.
    fn confirm(self: &Arc<Self>, claim: Claim) -> Result<SignedIn, &'static str> {
        let tables = self.tables();
        let same = tables.accounts.get(&claim.account).is_some_and(|account| {
            account.enabled && account.credential.as_deref() == Some(&claim.credential)
        });
        if same {
            Ok(SignedIn {
                directory: self.clone(),
                account: claim.account,
                address: claim.address,
            })
        } else {
            Err("changed meanwhile")
        }
    }
}

/// All spellings of one address have one salt, whether it belongs to somebody or not: the key is the one by which
/// accounts are found.
fn one_spelling(user: &str) -> String {
    Mailbox::parse(user, Utf8::Allowed).map_or_else(
        |_| user.to_lowercase(),
        |address| AddressKey::exact(&address).as_str().to_owned(),
    )
}

/// A SCRAM exchange that waits for the client's proof.
#[derive(Debug)]
pub struct ScramClaim {
    user: String,
    claim: Result<Claim, &'static str>,
    exchange: Exchange,
}

struct Claim {
    account: AccountId,
    address: Mailbox,
    credential: Arc<str>,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({})", self.address)
    }
}
