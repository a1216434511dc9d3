//! Tokens that let somebody else have one message or a part of it by its URL (RFC 4467): what a mailbox's access key is, and whose URL it is.
//!
//! No key is stored: each is derived from the directory's own secret, the mailbox and two texts that its owner changes to make all
//! earlier URLs worthless (RESETKEY). A token is the HMAC-SHA-256 of the URL under that key, and is compared in constant time.

use std::sync::Arc;

use mail::address::{Mailbox, Utf8};
use mail::ids::{AccountId, Id, MailboxId};
use ring::hmac;

use crate::directory::Directory;

/// What a mailbox's access key depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlKey<'a> {
    /// whose
    pub account: AccountId,
    /// which; identifiers are never reused
    pub mailbox: MailboxId,
    /// what the owner set last for all mailboxes, and for this one
    pub resets: (&'a [u8], &'a [u8]),
}

/// A URL's token was right: its bearer may have what it names. Nothing but [`Directory::check_url`] makes one.
#[derive(Debug)]
pub struct UrlProof(AccountId, MailboxId);

impl UrlProof {
    /// Whose mail.
    pub fn account(&self) -> AccountId {
        self.0
    }

    /// In which mailbox.
    pub fn mailbox(&self) -> MailboxId {
        self.1
    }
}

impl Directory {
    /// The token of a URL, written up to the colon of its verifier.
    pub fn url_token(&self, key: UrlKey<'_>, rump: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.url_key(key), rump);
        let mut octets = [0; 32];
        octets.copy_from_slice(tag.as_ref());
        octets
    }

    /// Whether the token is that of the URL.
    pub fn check_url(&self, key: UrlKey<'_>, rump: &[u8], token: &[u8]) -> Option<UrlProof> {
        hmac::verify(&self.url_key(key), rump, token).ok()?;
        Some(UrlProof(key.account, key.mailbox))
    }

    /// The account that signs in under this name, while it may.
    pub fn account_named(self: &Arc<Self>, user: &str) -> Option<AccountId> {
        let address = Mailbox::parse(user, Utf8::Allowed).ok()?;
        Some(self.vouch_for(&address)?.account())
    }

    fn url_key(&self, key: UrlKey<'_>) -> hmac::Key {
        let UrlKey {
            account,
            mailbox,
            resets: (all, one),
        } = key;
        // Lengths stand before the texts, so that none can pass for another pair.
        let text = format!("{} {} {} {}", account.raw(), mailbox.raw(), all.len(), one.len());
        let secret = self.srs().derived("urlauth", &text);
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &secret));
        context.update(all);
        context.update(one);
        hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Place;

    #[tokio::test]
    async fn a_token_fits_one_url_of_one_mailbox_until_a_reset() {
        let place = Place::new();
        let directory = place.with_people().await;
        let key = |account: u64, mailbox: u64, resets: (&'static [u8], &'static [u8])| UrlKey {
            account: AccountId::from_raw(account),
            mailbox: MailboxId::from_raw(mailbox),
            resets,
        };
        let own = key(1, 2, (b"", b""));
        let token = directory.url_token(own, b"imap://a@h/x/;UID=1;URLAUTH=anonymous");
        let check = |key, url: &[u8], token: &[u8]| directory.check_url(key, url, token).is_some();
        assert!(check(own, b"imap://a@h/x/;UID=1;URLAUTH=anonymous", &token));
        assert!(!check(own, b"imap://a@h/x/;UID=2;URLAUTH=anonymous", &token));
        assert!(!check(
            own,
            b"imap://a@h/x/;UID=1;URLAUTH=anonymous",
            &token[..16]
        ));
        for other in [
            key(2, 2, (b"", b"")),
            key(1, 3, (b"", b"")),
            key(1, 2, (b"a", b"")),
            key(1, 2, (b"", b"a")),
        ] {
            assert!(
                !check(other, b"imap://a@h/x/;UID=1;URLAUTH=anonymous", &token),
                "{other:?}"
            );
        }
        let [one, two] =
            [key(1, 2, (b"ab", b"c")), key(1, 2, (b"a", b"bc"))].map(|key| directory.url_token(key, b"u"));
        assert_ne!(one, two);
    }
}
