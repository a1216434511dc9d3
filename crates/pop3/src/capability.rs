//! What CAPA lists (RFC 2449 §6).

use crate::reply::Out;
use crate::state::Stage;

/// What there is to offer, beside what is always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// SCRAM-SHA-256 is worth trying
    pub scram: bool,
}

/// The mechanisms of AUTH, in the order they are announced.
pub fn mechanisms(offer: Offer) -> Vec<&'static str> {
    let scram = offer.scram.then_some("SCRAM-SHA-256");
    scram.into_iter().chain(["PLAIN"]).collect()
}

/// Writes the whole answer. What is not possible yet is not listed: a password without TLS, STLS under TLS.
pub fn write(out: &mut Out, stage: Stage, offer: Offer) {
    out.ok("This is what there is");
    let (private, can_start_tls) = match stage {
        Stage::Authorization {
            private,
            can_start_tls,
        } => (private, can_start_tls),
        Stage::Transaction => (true, false),
    };
    if private {
        out.line("USER");
        out.line(&format!("SASL {}", mechanisms(offer).join(" ")));
    }
    if can_start_tls {
        out.line("STLS");
    }
    for word in [
        "TOP",
        "UIDL",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
        "EXPIRE NEVER",
        "UTF8 USER",
        "LANG",
    ] {
        out.line(word);
    }
    if stage == Stage::Transaction {
        // RFC 2449 §6.9: a stranger need not know.
        out.line("IMPLEMENTATION Hearthpost");
    }
    out.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stage: Stage, scram: bool) -> String {
        let mut out = Out::default();
        write(&mut out, stage, Offer { scram });
        String::from_utf8(out.take()).expect("ASCII")
    }

    #[test]
    fn log_4_no_password_is_asked_for_in_the_open() {
        let open = said(
            Stage::Authorization {
                private: false,
                can_start_tls: true,
            },
            true,
        );
        assert!(
            open.contains("\r\nSTLS\r\n") && !open.contains("SASL") && !open.contains("\r\nUSER\r\n"),
            "{open}"
        );
        let secure = said(
            Stage::Authorization {
                private: true,
                can_start_tls: false,
            },
            true,
        );
        assert!(
            secure.contains("\r\nSASL SCRAM-SHA-256 PLAIN\r\n") && secure.contains("\r\nUSER\r\n"),
            "{secure}"
        );
        assert!(
            !secure.contains("STLS") && !secure.contains("IMPLEMENTATION"),
            "{secure}"
        );
        let signed_in = said(Stage::Transaction, false);
        assert!(
            signed_in.contains("\r\nSASL PLAIN\r\n")
                && signed_in.ends_with("IMPLEMENTATION Hearthpost\r\n.\r\n")
        );
    }
}
