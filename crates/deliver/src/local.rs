//! What becomes of one waiting recipient: a pure function from what is known today.

use directory::{LocalRecipient, Resolution};
use mail::address::{Mailbox, Path, Utf8};
use mail::ids::AccountId;
use queue::schedule::next_try;
use queue::{EnvelopeParams, Facts, Plan, accept};
use store::contract::{Delivery, Outcome, WaitingRow};
use world::clock::UnixMs;

/// Whom a waiting row is for, as the directory stands now.
#[derive(Debug)]
pub enum Whom {
    /// one of ours
    Here(LocalRecipient),
    /// one of ours who is gone or takes no mail
    Gone,
}

/// Finds the recipient of a row again. The account that was there at the acceptance gets it, whatever the alias says now.
pub fn whom(
    row: &WaitingRow,
    resolve: impl Fn(&Mailbox) -> Resolution,
    main_address: Option<Mailbox>,
) -> Whom {
    let Some(account) = row.account else {
        return Whom::Gone;
    };
    let asked_for = Mailbox::parse(&row.address, Utf8::Allowed).ok();
    let candidates = asked_for.into_iter().chain(main_address);
    candidates
        .filter_map(|address| find(account, &resolve(&address)))
        .next()
        .map_or(Whom::Gone, Whom::Here)
}

fn find(account: AccountId, resolution: &Resolution) -> Option<LocalRecipient> {
    resolution
        .recipients()
        .iter()
        .find(|recipient| recipient.account() == account)
        .cloned()
}

/// The outcome to record. `header` is the message's header block.
pub fn decide(row: &WaitingRow, whom: Whom, header: &[u8], plan: &Plan, now: UnixMs) -> Outcome {
    let recipient = match whom {
        Whom::Here(recipient) => recipient,
        Whom::Gone => {
            let reason = "the account is disabled or gone: enable it, or remove the message".to_owned();
            return Outcome::Retry {
                due: next_try(now, row.attempts),
                deadline: row.deadline,
                reason,
            };
        }
    };
    let facts = Facts {
        header,
        quarantined: EnvelopeParams::read(&row.envelope).quarantined,
    };
    match plan(&recipient, facts) {
        Ok(targets) if !targets.is_empty() => Outcome::DeliveredHere(Delivery {
            recipient: row.recipient,
            account: recipient.account(),
            prefix: accept::prefix(&reverse_path(row), &recipient, &row.queue_prefix),
            targets,
        }),
        Ok(_) => Outcome::Retry {
            due: next_try(now, row.attempts),
            deadline: row.deadline,
            reason: "the plan named no mailbox".to_owned(),
        },
        Err(failed) => Outcome::Retry {
            due: next_try(now, row.attempts),
            deadline: row.deadline,
            reason: failed.reason,
        },
    }
}

fn reverse_path(row: &WaitingRow) -> Path {
    Mailbox::parse(&row.reverse_path, Utf8::Allowed).map_or(Path::Null, Path::Mailbox)
}
