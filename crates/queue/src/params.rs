//! What the sender asked for, kept beside the message as JSON: for the whole envelope, and for each recipient.
//!
//! Reading is tolerant: a missing field has its default, an unknown one is ignored, and a text that is not JSON reads as
//! defaults, so that a row of another version is still delivered.

use mail::ids::AccountId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use world::clock::UnixMs;

/// What the sender asked for the whole message, and where it came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnvelopeParams {
    /// the origin's stable name ([`crate::Origin::name`]); set at the acceptance
    pub origin: String,
    /// the account that answers for it; set at the acceptance
    #[serde(with = "account_text", skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// whether copies here are kept apart, in Junk ([`crate::Facts::quarantined`])
    #[serde(skip_serializing_if = "is_false")]
    pub quarantined: bool,
    /// what the sender said of the body (RFC 6152)
    pub body: BodyType,
    /// whether the message needs SMTPUTF8 (RFC 6531)
    pub smtputf8: bool,
    /// RET: how much of the message a report of failure returns (RFC 3461 §4.3)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ret: Option<Ret>,
    /// ENVID, decoded from xtext (RFC 3461 §4.4)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envid: Option<String>,
    /// DELIVERBY (RFC 2852)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver_by: Option<DeliverBy>,
    /// FUTURERELEASE: not before this time, in milliseconds since 1970 (RFC 4865)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_until_unix_ms: Option<u64>,
    /// what it asks of TLS (RFC 8689)
    #[serde(skip_serializing_if = "TlsWish::is_nothing")]
    pub tls: TlsWish,
    /// the seconds of HOLDFOR, when that was asked for and not HOLDUNTIL
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_for_s: Option<u32>,
}

/// What a message asks of TLS (RFC 8689).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsWish {
    /// nothing
    #[default]
    Nothing,
    /// REQUIRETLS: TLS that is verified, all the way
    RequireTls,
    /// `TLS-Required: No`: rather in the clear than not at all
    NotRequired,
}

impl TlsWish {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
    fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// BODY= (RFC 6152). When nothing is known the bytes may have the eighth bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyType {
    /// octets below 128 only
    #[serde(rename = "7bit")]
    SevenBit,
    /// any octets but NUL, in lines
    #[default]
    #[serde(rename = "8bit")]
    EightBit,
}

/// RET= (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ret {
    /// the whole message
    Full,
    /// its header
    Hdrs,
}

/// BY= (RFC 2852 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverBy {
    /// the time, in milliseconds since 1970
    pub until_unix_ms: u64,
    /// what happens when it has passed
    pub mode: ByMode,
    /// whether the sender wants to be told when the message is relayed to a server without DELIVERBY
    #[serde(default)]
    pub trace: bool,
}

/// What happens when the time of DELIVERBY has passed (RFC 2852 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ByMode {
    /// `N`: the sender is told of the delay, and delivery goes on
    Notify,
    /// `R`: the message is given up
    Return,
}

/// What the sender asked for one recipient, and how it became a recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecipientParams {
    /// NOTIFY (RFC 3461 §4.1); `None` when not given
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// ORCPT (RFC 3461 §4.2)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orcpt: Option<Orcpt>,
    /// the envelope sender for this recipient, when it is not the message's own: a rewritten one (SRS) or a list's owner.
    /// Wire form; empty for `<>`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverse_path: Option<String>,
    /// addresses of ours through which it was forwarded, in order
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<String>,
    /// whether the sender was told that it takes longer
    #[serde(skip_serializing_if = "is_false")]
    pub delayed_told: bool,
    /// whether only the report of a failure is missing: a server refused it for good and there was no room for a report, or it was
    /// never to leave ([`crate::Envelope::keep_forwards_back`])
    #[serde(skip_serializing_if = "is_false")]
    pub refused: bool,
    /// whether the address that the sender named stands for several, and this recipient's delivery is told as that (RFC 3464 §2.3.3)
    #[serde(skip_serializing_if = "is_false")]
    pub expanded: bool,
    /// whether the first way's server refused us, so that it goes the second way from now on
    #[serde(skip_serializing_if = "is_false")]
    pub second_way: bool,
    /// since when it counts as waiting, when the message was taken under a clock that was ahead
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_from_unix_ms: Option<u64>,
}

/// NOTIFY= (RFC 3461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notify {
    /// nothing is ever told
    Never,
    /// these are told
    On(When),
}

/// Of what the sender is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct When {
    /// it was delivered, or handed to a server that cannot tell
    pub success: bool,
    /// it was given up
    pub failure: bool,
    /// it takes longer
    pub delay: bool,
}

/// ORCPT= (RFC 3461 §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orcpt {
    /// the address type, such as `rfc822` or `utf-8`
    pub kind: String,
    /// the address, decoded from xtext
    pub address: String,
}

impl EnvelopeParams {
    /// From a row ([`store::contract::WaitingRow::envelope`]).
    pub fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// For a row.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("plain values are always JSON")
    }

    /// The earliest time at which it may leave.
    pub fn not_before(&self, received_at: UnixMs) -> UnixMs {
        UnixMs(self.hold_until_unix_ms.unwrap_or(0).max(received_at.0))
    }
}

impl RecipientParams {
    /// From a row ([`store::contract::WaitingRow::params`]).
    pub fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// For a row.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("plain values are always JSON")
    }

    /// The same, but that nobody is told of a success.
    pub fn without_success(&self) -> Self {
        let notify = self.notify.map(|notify| match notify {
            Notify::On(When {
                success: true,
                failure: false,
                delay: false,
            }) => Notify::Never,
            Notify::On(when) => Notify::On(When {
                success: false,
                ..when
            }),
            Notify::Never => Notify::Never,
        });
        Self {
            notify,
            ..self.clone()
        }
    }

    /// Of what the sender is told about this recipient; failure and delay unless NOTIFY says otherwise (RFC 3461 §4.1).
    pub fn tells(&self) -> When {
        match self.notify {
            None => When {
                success: false,
                failure: true,
                delay: true,
            },
            Some(Notify::Never) => When::default(),
            Some(Notify::On(when)) => when,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_false(value: &bool) -> bool {
    !*value
}

/// An account as its text. A text that is none reads as no account.
mod account_text {
    use super::{AccountId, Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(account: &Option<AccountId>, to: S) -> Result<S::Ok, S::Error> {
        match account {
            Some(account) => to.collect_str(account),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<AccountId>, D::Error> {
        let text: Option<String> = Option::deserialize(from)?;
        Ok(text.and_then(|text| text.parse().ok()))
    }
}

#[cfg(test)]
mod tests {
    use mail::ids::Id;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_version_1_wrote_is_read() {
        let account = AccountId::from_raw(77 << 21);
        let json = format!(r#"{{"origin":"submitted","account":"{account}"}}"#);
        let want = EnvelopeParams {
            origin: "submitted".to_owned(),
            account: Some(account),
            ..EnvelopeParams::default()
        };
        assert_eq!(EnvelopeParams::read(&json), want);
        assert_eq!(RecipientParams::read("{}"), RecipientParams::default());
    }

    #[test]
    fn missing_and_unknown_fields_do_no_harm() {
        let table = [
            ("{}", EnvelopeParams::default()),
            ("not json", EnvelopeParams::default()),
            (r#"{"moon":"full","account":"nobody"}"#, EnvelopeParams::default()),
            (
                r#"{"body":"7bit","ret":"hdrs","envid":"a b","deliver_by":{"until_unix_ms":5,"mode":"return"}}"#,
                EnvelopeParams {
                    body: BodyType::SevenBit,
                    ret: Some(Ret::Hdrs),
                    envid: Some("a b".to_owned()),
                    deliver_by: Some(DeliverBy {
                        until_unix_ms: 5,
                        mode: ByMode::Return,
                        trace: false,
                    }),
                    ..EnvelopeParams::default()
                },
            ),
        ];
        for (json, want) in table {
            assert_eq!(EnvelopeParams::read(json), want, "{json}");
        }
    }

    #[test]
    fn failure_and_delay_are_told_unless_the_sender_says_otherwise() {
        let told = |notify| {
            RecipientParams {
                notify,
                ..RecipientParams::default()
            }
            .tells()
        };
        let when = |success, failure, delay| When {
            success,
            failure,
            delay,
        };
        assert_eq!(told(None), when(false, true, true));
        assert_eq!(told(Some(Notify::Never)), when(false, false, false));
        assert_eq!(
            told(Some(Notify::On(when(true, false, false)))),
            when(true, false, false)
        );
    }

    #[test]
    fn without_success_the_rest_is_told() {
        let on = |success, failure, delay| {
            Some(Notify::On(When {
                success,
                failure,
                delay,
            }))
        };
        let table = [
            (None, None),
            (Some(Notify::Never), Some(Notify::Never)),
            (on(true, false, false), Some(Notify::Never)),
            (on(true, true, false), on(false, true, false)),
            (on(false, false, true), on(false, false, true)),
        ];
        for (notify, want) in table {
            let params = RecipientParams {
                notify,
                ..RecipientParams::default()
            };
            assert_eq!(params.without_success().notify, want, "{notify:?}");
        }
    }

    fn notify() -> impl Strategy<Value = Option<Notify>> {
        let when = any::<(bool, bool, bool)>().prop_map(|(success, failure, delay)| When {
            success,
            failure,
            delay,
        });
        prop_oneof![
            Just(None),
            Just(Some(Notify::Never)),
            when.prop_map(|when| Some(Notify::On(when)))
        ]
    }

    proptest! {
        #[test]
        fn recipient_params_come_back(
            notify in notify(),
            orcpt in proptest::option::of((".{0,10}", ".{0,30}")),
            reverse_path in proptest::option::of(".{0,30}"),
            via in proptest::collection::vec(".{0,20}", 0..3),
            delayed_told: bool,
        ) {
            let orcpt = orcpt.map(|(kind, address)| Orcpt { kind, address });
            let params = RecipientParams {
                notify,
                orcpt,
                reverse_path,
                via,
                delayed_told,
                ..RecipientParams::default()
            };
            prop_assert_eq!(RecipientParams::read(&params.json()), params);
        }

        #[test]
        fn envelope_params_come_back(
            account in proptest::option::of(1u64..1 << 62),
            bits: (bool, bool, Option<bool>),
            envid in proptest::option::of(".{0,100}"),
            by in proptest::option::of(any::<(u64, bool, bool)>()),
            hold_until_unix_ms: Option<u64>,
            tls in prop_oneof![Just(TlsWish::Nothing), Just(TlsWish::RequireTls), Just(TlsWish::NotRequired)],
        ) {
            let params = EnvelopeParams {
                origin: "generated".to_owned(),
                account: account.map(AccountId::from_raw),
                body: if bits.0 { BodyType::SevenBit } else { BodyType::EightBit },
                smtputf8: bits.1,
                ret: bits.2.map(|full| if full { Ret::Full } else { Ret::Hdrs }),
                envid,
                deliver_by: by.map(|(until_unix_ms, notify, trace)| DeliverBy {
                    until_unix_ms,
                    mode: if notify { ByMode::Notify } else { ByMode::Return },
                    trace,
                }),
                hold_until_unix_ms, tls, ..EnvelopeParams::default() };
            prop_assert_eq!(EnvelopeParams::read(&params.json()), params);
        }

        #[test]
        fn any_text_is_read(json in ".{0,200}") {
            EnvelopeParams::read(&json);
            RecipientParams::read(&json);
        }
    }
}
