//! What the sender asked for, in the queue's words: pure functions.

use queue::params::{BodyType, ByMode, DeliverBy, EnvelopeParams, Notify, Orcpt, RecipientParams, Ret, When};
use smtp::timing::DeliverByMode;
use smtp::{MailFrom, Wishes};
use world::clock::UnixMs;

/// The whole message's parameters. `eight_bit`: whether it holds octets above 127, whatever BODY said.
pub(crate) fn of_message(mail: &MailFrom, received_at: UnixMs, eight_bit: bool) -> EnvelopeParams {
    let now_s = received_at.0 / 1000;
    let hold_until_unix_ms = mail
        .hold
        .map(|hold| hold.until(now_s).saturating_mul(1000))
        .filter(|until| *until > received_at.0);
    let released = hold_until_unix_ms.unwrap_or(received_at.0);
    EnvelopeParams {
        body: if eight_bit {
            BodyType::EightBit
        } else {
            BodyType::SevenBit
        },
        // Many clients say SMTPUTF8 always; a message of ASCII needs none (its addresses speak for themselves).
        smtputf8: mail.smtputf8 && eight_bit,
        ret: mail.ret.map(|ret| match ret {
            smtp::dsn::Ret::Full => Ret::Full,
            smtp::dsn::Ret::Headers => Ret::Hdrs,
        }),
        envid: mail.envid.as_ref().map(|envid| envid.as_str().to_owned()),
        deliver_by: mail.deliver_by.map(|by| DeliverBy {
            // A message that is held has its time from its release on.
            until_unix_ms: released.saturating_add_signed(i64::from(by.seconds) * 1000),
            mode: match by.mode {
                DeliverByMode::Notify => ByMode::Notify,
                DeliverByMode::Return => ByMode::Return,
            },
            trace: by.trace,
        }),
        hold_until_unix_ms,
        hold_for_s: match mail.hold {
            Some(smtp::timing::Hold::For(seconds)) => Some(seconds),
            Some(smtp::timing::Hold::Until(_)) | None => None,
        },
        ..EnvelopeParams::default()
    }
}

/// One recipient's parameters.
pub(crate) fn of_recipient(wishes: &Wishes) -> RecipientParams {
    RecipientParams {
        notify: wishes.notify.map(|notify| match notify {
            smtp::dsn::Notify::Never => Notify::Never,
            smtp::dsn::Notify::On {
                success,
                failure,
                delay,
            } => Notify::On(When {
                success,
                failure,
                delay,
            }),
        }),
        orcpt: wishes.orcpt.as_ref().map(|orcpt| Orcpt {
            kind: orcpt.kind().to_owned(),
            address: orcpt.address().to_owned(),
        }),
        ..RecipientParams::default()
    }
}

#[cfg(test)]
mod tests {
    use mail::address::Path;
    use smtp::dsn::{EnvId, OriginalRecipient};
    use smtp::timing::{DeliverBy as By, Hold};

    use super::*;

    const CAME: UnixMs = UnixMs(1_000_000_500);

    fn mail() -> MailFrom {
        MailFrom {
            reverse_path: Path::Null,
            size_bytes: None,
            body: smtp::BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
            hold: None,
            deliver_by: None,
        }
    }

    #[test]
    fn times_count_from_the_arrival_and_deadlines_from_the_release() {
        let by = |seconds, mode| By {
            seconds,
            mode,
            trace: true,
        };
        let (notify, back) = (DeliverByMode::Notify, DeliverByMode::Return);
        let table = [
            (None, None, None, None),
            (Some(Hold::For(60)), None, Some(1_000_060_000), None),
            (Some(Hold::Until(1_000_100)), None, Some(1_000_100_000), None),
            (Some(Hold::Until(999)), None, None, None),
            (None, Some(by(120, back)), None, Some(1_000_120_500)),
            (None, Some(by(-1, notify)), None, Some(999_999_500)),
            (
                Some(Hold::For(60)),
                Some(by(120, back)),
                Some(1_000_060_000),
                Some(1_000_180_000),
            ),
        ];
        for (hold, deliver_by, held_until, until) in table {
            let asked = MailFrom {
                hold,
                deliver_by,
                ..mail()
            };
            let params = of_message(&asked, CAME, false);
            let got = (
                params.hold_until_unix_ms,
                params.deliver_by.map(|by| by.until_unix_ms),
            );
            assert_eq!(got, (held_until, until), "{hold:?} {deliver_by:?}");
        }
    }

    #[test]
    fn what_was_asked_for_is_kept_and_what_the_text_shows_counts() {
        let asked = MailFrom {
            smtputf8: true,
            ret: Some(smtp::dsn::Ret::Headers),
            envid: EnvId::new("a b"),
            ..mail()
        };
        let params = of_message(&asked, CAME, true);
        assert_eq!((params.body, params.smtputf8), (BodyType::EightBit, true));
        assert_eq!(
            (params.ret, params.envid.as_deref()),
            (Some(Ret::Hdrs), Some("a b"))
        );
        let plain = of_message(&asked, CAME, false);
        assert_eq!((plain.body, plain.smtputf8), (BodyType::SevenBit, false));

        let wishes = Wishes {
            notify: smtp::dsn::Notify::parse("SUCCESS,DELAY"),
            orcpt: OriginalRecipient::new("rfc822", "a@example.org"),
        };
        let params = of_recipient(&wishes);
        let tells = params.tells();
        assert_eq!((tells.success, tells.failure, tells.delay), (true, false, true));
        assert_eq!(
            params.orcpt.map(|orcpt| orcpt.address),
            Some("a@example.org".to_owned())
        );
        assert_eq!(of_recipient(&Wishes::default()), RecipientParams::default());
    }
}
