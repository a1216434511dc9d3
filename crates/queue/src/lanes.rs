//! Names of lanes: one destination for one sender, so that lanes can take turns. Pure.

use mail::address::Mailbox;
use mail::ids::AccountId;

/// The lane of recipients of ours.
pub const LOCAL: &str = "local";

/// The lane of a destination (a domain or a route's name, without spaces) for the account that sends.
pub fn lane(destination: &str, account: Option<AccountId>) -> String {
    match account {
        Some(account) => format!("{destination} {account}"),
        None => format!("{destination} -"),
    }
}

/// The destination of a recipient without a route of its own: its domain.
pub fn domain_of(mailbox: &Mailbox) -> String {
    mailbox.domain().as_str().to_ascii_lowercase()
}

/// The destination a lane leads to; `None` for [`LOCAL`].
pub fn destination(lane: &str) -> Option<&str> {
    lane.split_once(' ').map(|(destination, _)| destination)
}

#[cfg(test)]
mod tests {
    use mail::address::Utf8;
    use mail::ids::Id;

    use super::*;

    #[test]
    fn lanes_are_named_by_destination_and_sender() {
        let account = AccountId::from_raw(5 << 21);
        let table = [
            ("eve@Victim.Example", None, "victim.example -".to_owned()),
            (
                "eve@victim.example",
                Some(account),
                format!("victim.example {account}"),
            ),
            ("eve@[192.0.2.1]", None, "[192.0.2.1] -".to_owned()),
            ("\"a@b\"@victim.example", None, "victim.example -".to_owned()),
        ];
        for (address, account, want) in table {
            let mailbox = Mailbox::parse(address, Utf8::Refused).expect("an address");
            let name = lane(&domain_of(&mailbox), account);
            assert_eq!(name, want);
            assert_eq!(destination(&name), Some(domain_of(&mailbox).as_str()));
        }
        assert_eq!(destination(LOCAL), None);
    }
}
