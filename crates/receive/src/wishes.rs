//! What the sender asked for, in the queue's words: pure functions.

use mail::header::Header;
use queue::params::{
    BodyType, ByMode, DeliverBy, EnvelopeParams, Notify, Orcpt, RecipientParams, Ret, TlsWish, When,
};
use smtp::timing::DeliverByMode;
use smtp::{MailFrom, Wishes};
use world::clock::UnixMs;

/// What the message asks of TLS (RFC 8689): the parameter outweighs the header field, which counts in a submission only. In a
/// stranger's message the field is left as it is and not acted on, because anybody could have written it there.
pub(crate) fn of_tls(mail: &MailFrom, header: &[u8], is_submission: bool) -> TlsWish {
    if mail.requiretls {
        return TlsWish::RequireTls;
    }
    let says_no = is_submission
        && Header::scan(header).is_ok_and(|header| {
            // Several fields, or another value, mean nothing (RFC 8689 §3 knows one field with one value).
            let mut fields = header.all("TLS-Required");
            let first = fields.next();
            first.is_some_and(|field| field.value().trim_ascii().eq_ignore_ascii_case(b"no"))
                && fields.next().is_none()
        });
    if says_no {
        TlsWish::NotRequired
    } else {
        TlsWish::Nothing
    }
}

/// The whole message's parameters. `eight_bit`: whether it holds octets above 127, whatever BODY said.
pub(crate) fn of_message(
    mail: &MailFrom,
    received_at: UnixMs,
    eight_bit: bool,
    tls: TlsWish,
) -> EnvelopeParams {
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
        tls,
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
            requiretls: false,
        }
    }

    #[test]
    fn tls_12_the_header_field_counts_in_a_submission_and_the_parameter_outweighs_it() {
        let (no, nothing, must) = (TlsWish::NotRequired, TlsWish::Nothing, TlsWish::RequireTls);
        let table = [
            // header, of a submission, of a stranger, of a submission with REQUIRETLS
            ("From: a@b.test\r\n\r\n", nothing, nothing, must),
            ("TLS-Required: No\r\n\r\n", no, nothing, must),
            ("From: a@b.test\r\ntls-required:no \r\n\r\n", no, nothing, must),
            ("TLS-Required: Yes\r\n\r\n", nothing, nothing, must),
            ("TLS-Required: No, really\r\n\r\n", nothing, nothing, must),
            (
                "TLS-Required: No\r\nTLS-Required: No\r\n\r\n",
                nothing,
                nothing,
                must,
            ),
            ("X-TLS-Required: No\r\n\r\n", nothing, nothing, must),
        ];
        for (header, submission, stranger, required) in table {
            let plain = |is_submission| of_tls(&mail(), header.as_bytes(), is_submission);
            assert_eq!((plain(true), plain(false)), (submission, stranger), "{header:?}");
            let asked = MailFrom {
                requiretls: true,
                ..mail()
            };
            assert_eq!(of_tls(&asked, header.as_bytes(), true), required, "{header:?}");
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
            let params = of_message(&asked, CAME, false, TlsWish::Nothing);
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
        let params = of_message(&asked, CAME, true, TlsWish::Nothing);
        assert_eq!((params.body, params.smtputf8), (BodyType::EightBit, true));
        assert_eq!(
            (params.ret, params.envid.as_deref()),
            (Some(Ret::Hdrs), Some("a b"))
        );
        let plain = of_message(&asked, CAME, false, TlsWish::Nothing);
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
