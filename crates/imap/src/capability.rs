//! Which capabilities are announced when (RFC 3501 §6.1.1): a function of the state.

use crate::state::Stage;

/// What the announcement depends on besides the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// there is a certificate and the connection is in plain text
    pub can_start_tls: bool,
    /// largest message that APPEND takes (octets); RFC 7889
    pub append_limit_bytes: u64,
}

const BEFORE_SIGN_IN: &str = "IMAP4rev1 LITERAL- SASL-IR ID ENABLE";
const AFTER_SIGN_IN: &str = "IMAP4rev1 LITERAL+ ID ENABLE NAMESPACE CHILDREN UNSELECT IDLE UIDPLUS MOVE SPECIAL-USE \
     CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE CONDSTORE WITHIN";

/// The names, separated by single spaces.
pub fn capabilities(stage: Stage, offer: Offer) -> String {
    let start_tls = if offer.can_start_tls { " STARTTLS" } else { "" };
    match stage {
        Stage::Plaintext => format!("{BEFORE_SIGN_IN}{start_tls} LOGINDISABLED"),
        Stage::Private => format!("{BEFORE_SIGN_IN}{start_tls} AUTH=PLAIN AUTH=LOGIN"),
        Stage::Authenticated | Stage::Selected | Stage::Logout => {
            format!("{AFTER_SIGN_IN} APPENDLIMIT={}", offer.append_limit_bytes)
        }
    }
}

/// Names that ENABLE accepts (RFC 5161 §3.1); the driver answers with those of the client's list that are here.
pub const CAN_BE_ENABLED: [&str; 1] = ["CONDSTORE"];

#[cfg(test)]
mod tests {
    use super::*;

    fn words(stage: Stage, can_start_tls: bool) -> Vec<String> {
        let offer = Offer {
            can_start_tls,
            append_limit_bytes: 1000,
        };
        capabilities(stage, offer).split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn signing_in_is_offered_only_in_private() {
        let plain = words(Stage::Plaintext, true);
        assert!(plain.contains(&"LOGINDISABLED".to_owned()) && plain.contains(&"STARTTLS".to_owned()));
        assert!(!plain.iter().any(|word| word.starts_with("AUTH=")));
        let private = words(Stage::Private, false);
        assert!(private.contains(&"AUTH=PLAIN".to_owned()) && private.contains(&"AUTH=LOGIN".to_owned()));
        assert!(!private.contains(&"LOGINDISABLED".to_owned()) && !private.contains(&"STARTTLS".to_owned()));
    }

    #[test]
    fn literals_follow_the_state() {
        assert!(words(Stage::Private, false).contains(&"LITERAL-".to_owned()));
        for stage in [Stage::Authenticated, Stage::Selected] {
            let names = words(stage, false);
            assert!(names.contains(&"LITERAL+".to_owned()) && !names.contains(&"LITERAL-".to_owned()));
            assert!(names.contains(&"APPENDLIMIT=1000".to_owned()));
            assert!(!names.contains(&"STARTTLS".to_owned()));
        }
    }

    #[test]
    fn no_name_twice() {
        for stage in Stage::ALL {
            let mut names = words(stage, true);
            names.sort();
            let before = names.len();
            names.dedup();
            assert_eq!(names.len(), before);
            assert!(names.iter().all(|name| !name.is_empty()));
        }
    }
}
