//! Which capabilities are announced when (RFC 3501 §6.1.1): a function of the state and of one table.
//!
//! [`EXTENSIONS`] is the only list: CAPABILITY and ENABLE are made from it, and so is `docs/reference/imap.md`
//! (`cargo xtask reference`), which also tells [`LEFT`]. An extension gets its line in the commit in which it works whole.

use std::num::NonZeroU32;

use crate::state::Stage;

/// How many messages one command takes at most (RFC 9738).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageLimit {
    /// `MESSAGELIMIT`: one that reads, changes or saves messages
    All(NonZeroU32),
    /// `SAVELIMIT`: COPY and APPEND alone
    Saving(NonZeroU32),
}

impl MessageLimit {
    /// Of COPY and APPEND.
    pub const fn of_saving(self) -> u32 {
        match self {
            Self::All(limit) | Self::Saving(limit) => limit.get(),
        }
    }

    /// Of all the other commands, if they have one.
    pub const fn of_all(self) -> Option<u32> {
        match self {
            Self::All(limit) => Some(limit.get()),
            Self::Saving(_) => None,
        }
    }
}

/// What the announcement depends on besides the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// there is a certificate and the connection is in plain text
    pub can_start_tls: bool,
    /// largest message that APPEND takes (octets); RFC 7889
    pub append_limit_bytes: u64,
    /// COMPRESS is active
    pub compressed: bool,
    /// everybody can prove their password by SCRAM
    pub scram: bool,
    /// what the operator set, if anything
    pub message_limit: Option<MessageLimit>,
}

/// When a capability is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// in every state
    Always,
    /// until somebody signed in
    BeforeSignIn,
    /// once somebody signed in
    AfterSignIn,
    /// before sign-in, while TLS can begin
    TlsCanBegin,
    /// before sign-in, without TLS
    NotPrivate,
    /// before sign-in, under TLS (or where the operator permits signing in without)
    Private,
    /// like `Private`, if every account can use it
    PrivateForAll,
    /// once somebody signed in, until it is active
    UntilActive,
    /// once somebody signed in, with the largest message behind it
    WithAppendLimit,
    /// once somebody signed in, with that limit behind it; if the operator set it
    WithMessageLimit,
    /// likewise
    WithSaveLimit,
}

/// Whether ENABLE takes the name (RFC 5161 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enable {
    /// It is there without asking.
    No,
    /// It changes the session; ENABLE switches it on.
    Yes,
    /// It changes the session; ENABLE switches it on, but it is no capability of its own.
    OnlyEnable,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension {
    /// as announced
    pub name: &'static str,
    /// where it is specified
    pub rfc: &'static str,
    /// in which state
    pub when: When,
    /// whether ENABLE takes it
    pub enable: Enable,
    /// a test that shows it, mostly on the wire: in `crates/access`, or in this crate
    pub test: &'static str,
}

const fn extension(
    name: &'static str,
    rfc: &'static str,
    when: When,
    enable: Enable,
    test: &'static str,
) -> Extension {
    Extension {
        name,
        rfc,
        when,
        enable,
        test,
    }
}

/// Every capability, in the order of the announcement.
#[rustfmt::skip] // one line each: it is a table
pub const EXTENSIONS: &[Extension] = &[
    extension("IMAP4rev1", "RFC 3501", When::Always, Enable::No, "status_and_select_agree"),
    extension("IMAP4rev2", "RFC 9051", When::Always, Enable::Yes, "rev2_changes_what_appendix_e_says"),
    extension("LITERAL-", "RFC 7888", When::BeforeSignIn, Enable::No, "literals_follow_the_state"),
    extension("LITERAL+", "RFC 7888", When::AfterSignIn, Enable::No, "literals_follow_the_state"),
    extension("SASL-IR", "RFC 4959", When::BeforeSignIn, Enable::No, "both_mechanisms_work_with_and_without_an_initial_response"),
    extension("ID", "RFC 2971", When::Always, Enable::No, "small_commands_answer"),
    extension("ENABLE", "RFC 5161", When::Always, Enable::No, "small_commands_answer"),
    extension("STARTTLS", "RFC 3501", When::TlsCanBegin, Enable::No, "tls_3_the_state_before_tls_is_forgotten"),
    extension("LOGINDISABLED", "RFC 3501", When::NotPrivate, Enable::No, "signing_in_is_offered_only_in_private"),
    extension("AUTH=PLAIN", "RFC 4616", When::Private, Enable::No, "both_mechanisms_work_with_and_without_an_initial_response"),
    extension("AUTH=LOGIN", "draft-murchison-sasl-login", When::Private, Enable::No, "both_mechanisms_work_with_and_without_an_initial_response"),
    extension("AUTH=SCRAM-SHA-256", "RFC 7677", When::PrivateForAll, Enable::No, "scram_is_offered_when_everybody_can_use_it"),
    extension("NAMESPACE", "RFC 2342", When::AfterSignIn, Enable::No, "small_commands_answer"),
    extension("CHILDREN", "RFC 3348", When::AfterSignIn, Enable::No, "lists_show_the_tree"),
    extension("UNSELECT", "RFC 3691", When::AfterSignIn, Enable::No, "status_and_select_agree"),
    extension("IDLE", "RFC 2177", When::AfterSignIn, Enable::No, "idle_tells_as_it_happens"),
    extension("NOTIFY", "RFC 5465", When::AfterSignIn, Enable::No, "notify_tells_of_the_open_mailbox_between_commands"),
    extension("UIDPLUS", "RFC 4315", When::AfterSignIn, Enable::No, "expunge_renumbers_everybody_in_their_time"),
    extension("MOVE", "RFC 6851", When::AfterSignIn, Enable::No, "copies_and_moves_name_their_uids"),
    extension("MULTIAPPEND", "RFC 3502", When::AfterSignIn, Enable::No, "several_messages_come_in_one_append"),
    extension("CATENATE", "RFC 4469", When::AfterSignIn, Enable::No, "messages_are_put_together_from_others"),
    extension("URLAUTH", "RFC 4467", When::AfterSignIn, Enable::No, "others_have_what_an_authorized_url_names"),
    extension("UIDBATCHES", "RFC 10022", When::AfterSignIn, Enable::No, "batches_of_uids_are_told"),
    extension("REPLACE", "RFC 8508", When::AfterSignIn, Enable::No, "a_draft_is_replaced_in_one_step"),
    extension("COMPRESS=DEFLATE", "RFC 4978", When::UntilActive, Enable::No, "both_directions_are_compressed"),
    extension("INPROGRESS", "RFC 9585", When::AfterSignIn, Enable::No, "long_commands_tell_that_they_go_on"),
    extension("UNAUTHENTICATE", "RFC 8437", When::AfterSignIn, Enable::No, "unauthenticate_forgets_who_it_was"),
    extension("LANGUAGE", "RFC 5255", When::Always, Enable::No, "the_language_is_english"),
    extension("OBJECTID", "RFC 8474", When::AfterSignIn, Enable::No, "objects_keep_their_identifiers"),
    extension("QUOTA", "RFC 9208", When::AfterSignIn, Enable::No, "quotas_are_told_and_not_set"),
    extension("QUOTA=RES-STORAGE", "RFC 9208", When::AfterSignIn, Enable::No, "quotas_are_told_and_not_set"),
    extension("QUOTA=RES-MAILBOX", "RFC 9208", When::AfterSignIn, Enable::No, "quotas_are_told_and_not_set"),
    extension("ACL", "RFC 4314", When::AfterSignIn, Enable::No, "rights_are_given_told_and_taken"),
    extension("RIGHTS=texk", "RFC 4314", When::AfterSignIn, Enable::No, "rights_are_given_told_and_taken"),
    extension("LIST-MYRIGHTS", "RFC 8440", When::AfterSignIn, Enable::No, "mailboxes_of_others_are_listed_where_they_may_be_seen"),
    extension("METADATA", "RFC 5464", When::AfterSignIn, Enable::No, "metadata_is_kept_and_told"),
    extension("LIST-METADATA", "RFC 9590", When::AfterSignIn, Enable::No, "metadata_is_kept_and_told"),
    extension("UTF8=ACCEPT", "RFC 9755", When::AfterSignIn, Enable::Yes, "utf8_accept_takes_names_as_they_are"),
    extension("SPECIAL-USE", "RFC 6154", When::AfterSignIn, Enable::No, "lists_show_the_tree"),
    extension("CREATE-SPECIAL-USE", "RFC 6154", When::AfterSignIn, Enable::No, "lists_show_the_tree"),
    extension("LIST-EXTENDED", "RFC 5258", When::AfterSignIn, Enable::No, "list_extended_selects_and_returns"),
    extension("LIST-STATUS", "RFC 5819", When::AfterSignIn, Enable::No, "status_and_select_agree"),
    extension("STATUS=SIZE", "RFC 8438", When::AfterSignIn, Enable::No, "status_and_select_agree"),
    extension("CONDSTORE", "RFC 7162", When::AfterSignIn, Enable::Yes, "condstore_tells_mod_sequences"),
    extension("QRESYNC", "RFC 7162", When::AfterSignIn, Enable::Yes, "who_comes_back_is_told_only_what_changed"),
    extension("BINARY", "RFC 3516", When::AfterSignIn, Enable::No, "parts_come_decoded"),
    extension("PREVIEW", "RFC 8970", When::AfterSignIn, Enable::No, "previews_are_the_first_words"),
    extension("SAVEDATE", "RFC 8514", When::AfterSignIn, Enable::No, "a_save_date_is_when_it_came_here"),
    extension("UIDONLY", "RFC 9586", When::AfterSignIn, Enable::Yes, "only_uids_are_spoken"),
    extension("WITHIN", "RFC 5032", When::AfterSignIn, Enable::No, "search_finds_what_people_look_for"),
    extension("ESEARCH", "RFC 4731", When::AfterSignIn, Enable::No, "results_come_as_asked_for"),
    extension("SEARCHRES", "RFC 5182", When::AfterSignIn, Enable::No, "a_result_is_kept_and_used"),
    extension("FILTERS", "RFC 5466", When::AfterSignIn, Enable::No, "saved_searches_are_kept_and_used"),
    extension("PARTIAL", "RFC 9394", When::AfterSignIn, Enable::No, "a_window_of_messages_is_counted_from_either_end"),
    extension("I18NLEVEL=1", "RFC 5255", When::AfterSignIn, Enable::No, "texts_are_compared_in_any_charset"),
    extension("MULTISEARCH", "RFC 7377", When::AfterSignIn, Enable::No, "several_mailboxes_are_searched_at_once"),
    extension("SORT", "RFC 5256", When::AfterSignIn, Enable::No, "messages_are_sorted"),
    extension("SORT=DISPLAY", "RFC 5957", When::AfterSignIn, Enable::No, "messages_are_sorted"),
    extension("ESORT", "RFC 5267", When::AfterSignIn, Enable::No, "sorted_results_come_as_asked_for"),
    extension("CONTEXT=SEARCH", "RFC 5267", When::AfterSignIn, Enable::No, "results_are_kept_up_to_date"),
    extension("CONTEXT=SORT", "RFC 5267", When::AfterSignIn, Enable::No, "sorted_results_are_kept_up_to_date"),
    extension("THREAD=ORDEREDSUBJECT", "RFC 5256", When::AfterSignIn, Enable::No, "messages_are_threaded"),
    extension("THREAD=REFERENCES", "RFC 5256", When::AfterSignIn, Enable::No, "messages_are_threaded"),
    extension("MESSAGELIMIT", "RFC 9738", When::WithMessageLimit, Enable::No, "a_command_takes_so_many_messages"),
    extension("SAVELIMIT", "RFC 9738", When::WithSaveLimit, Enable::No, "a_limit_of_saving_leaves_reading_alone"),
    extension("APPENDLIMIT", "RFC 7889", When::WithAppendLimit, Enable::No, "status_and_select_agree"),
];

/// A capability that exists and is not announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// as it would be announced
    pub name: &'static str,
    /// where it is specified
    pub rfc: &'static str,
    /// the day of the reason
    pub since: &'static str,
    /// why it is not here
    pub why: &'static str,
}

const fn left(name: &'static str, rfc: &'static str, since: &'static str, why: &'static str) -> Left {
    Left {
        name,
        rfc,
        since,
        why,
    }
}

/// What is left out, each with its reason; a line goes when its extension comes.
#[rustfmt::skip] // one line each: it is a table
pub const LEFT: &[Left] = &[
    left("ANNOTATE-EXPERIMENT-1", "RFC 5257", "2026-11-26", "an experiment; NOTIFY refuses its event as RFC 5465 says"),
    left("AUTH=OAUTHBEARER", "RFC 7628", "2026-11-26", "nobody here issues tokens"),
    left("AUTH=SCRAM-SHA-256-PLUS", "RFC 7677", "2026-11-26", "channel binding is not built"),
    left("CONVERT", "RFC 5259", "2026-11-26", "would bring converters of hostile content into the server"),
    left("I18NLEVEL=2", "RFC 5255", "2026-11-26", "one collation for all (decision 0029)"),
    left("IMAPSIEVE=", "RFC 6785", "2026-11-26", "there is no Sieve yet"),
    left("JMAPACCESS", "RFC 9698", "2026-11-26", "there is no JMAP yet"),
    left("LOGIN-REFERRALS", "RFC 2221", "2026-11-26", "there is one server"),
    left("MAILBOX-REFERRALS", "RFC 2193", "2026-11-26", "there is one server"),
    left("QUOTA=RES-ANNOTATION-STORAGE", "RFC 9208", "2026-11-26", "notes have limits of their own, the same for everybody"),
    left("QUOTA=RES-MESSAGE", "RFC 9208", "2026-11-26", "nothing limits the number of messages (decision 0027)"),
    left("QUOTASET", "RFC 9208", "2026-11-26", "quotas are the operator's (decision 0027)"),
    left("SEARCH=FUZZY", "RFC 6203", "2026-11-26", "no score here would be honest (decision 0029)"),
    left("URLAUTH=BINARY", "RFC 5524", "2026-11-26", "FETCH has BINARY (decision 0027)"),
    left("URL-PARTIAL", "RFC 5550", "2026-11-26", "PARTIAL is taken in URLs; the name comes when a mail program asks for it"),
    left("UTF8=ONLY", "RFC 9755", "2026-11-26", "would shut out every program that does not know it"),
];

/// The names, separated by single spaces.
pub fn capabilities(stage: Stage, offer: Offer) -> String {
    let names: Vec<String> = EXTENSIONS
        .iter()
        .filter(|extension| extension.enable != Enable::OnlyEnable)
        .filter(|extension| is_announced(extension.when, stage, offer))
        .map(|extension| match extension.when {
            When::WithAppendLimit => format!("{}={}", extension.name, offer.append_limit_bytes),
            When::WithMessageLimit | When::WithSaveLimit => {
                let limit = offer.message_limit.map_or(0, MessageLimit::of_saving);
                format!("{}={limit}", extension.name)
            }
            _ => extension.name.to_owned(),
        })
        .collect();
    names.join(" ")
}

fn is_announced(when: When, stage: Stage, offer: Offer) -> bool {
    let before = matches!(stage, Stage::Plaintext | Stage::Private);
    match when {
        When::Always => true,
        When::BeforeSignIn => before,
        When::AfterSignIn | When::WithAppendLimit => !before,
        When::WithMessageLimit => !before && matches!(offer.message_limit, Some(MessageLimit::All(_))),
        When::WithSaveLimit => !before && matches!(offer.message_limit, Some(MessageLimit::Saving(_))),
        When::UntilActive => !before && !offer.compressed,
        When::TlsCanBegin => before && offer.can_start_tls,
        When::NotPrivate => stage == Stage::Plaintext,
        When::PrivateForAll => stage == Stage::Private && offer.scram,
        When::Private => stage == Stage::Private,
    }
}

/// Names that ENABLE accepts (RFC 5161 §3.1); the driver answers with those of the client's list that are here.
pub fn can_be_enabled() -> impl Iterator<Item = &'static str> {
    let enable = EXTENSIONS
        .iter()
        .filter(|extension| extension.enable != Enable::No);
    enable.map(|extension| extension.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(stage: Stage, can_start_tls: bool) -> Vec<String> {
        let offer = Offer {
            can_start_tls,
            append_limit_bytes: 1000,
            compressed: false,
            scram: false,
            message_limit: None,
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

    #[test]
    fn what_is_left_out_is_not_announced_and_has_its_reason() {
        for left in LEFT {
            assert!(
                EXTENSIONS.iter().all(|extension| extension.name != left.name),
                "{} is here",
                left.name
            );
            assert!(!left.why.is_empty() && left.since.len() == 10, "{}", left.name);
        }
    }

    /// Every line names a test that exists, in the tests of the sessions or beside the code here.
    #[test]
    fn every_extension_is_shown_by_a_test() {
        let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut open = vec![
            crates.join("access/tests"),
            crates.join("access/src"),
            crates.join("imap/src"),
        ];
        let mut texts = String::new();
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    texts.push_str(&std::fs::read_to_string(path).unwrap());
                }
            }
        }
        for extension in EXTENSIONS {
            let wanted = format!("fn {}(", extension.test);
            assert!(
                texts.contains(&wanted),
                "{} of {}",
                extension.test,
                extension.name
            );
        }
    }
}
