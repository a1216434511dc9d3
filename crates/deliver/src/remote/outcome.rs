//! What an answer, or its absence, means: pure functions from (stage, what happened) to a [`Judgement`]. Threat cases Q-1 to
//!
//!
//! | happened | the recipients it concerns | another host? |
//! |---|---|---|
//! | 2xx after the dot | delivered | – |
//! | 4xx at any stage, 421 included | later | yes |
//! | 5xx to the message or a recipient (MAIL, RCPT, DATA, after the dot) | failed, at once | never |
//! | 5xx to us (banner, greeting) | failed when every host says so | yes |
//! | any of these that refuses us, not the message ([`refuses_us`]) | later, at once on the second way, if the route has one | yes |
//! | 5xx to our sign-in, or to STARTTLS where TLS is needed | later: our operator must act | yes |
//! | cannot be reached, broken off, timed out, nonsense | later | yes, but not once the final dot was sent |
//!
//! After the final dot a silent server may have the message: asking another host could double it, and a bounce could be a lie.

use std::fmt;

use msgauth::tls::policy::{Reason, Refusal, Rule, Wish};
use smtp::client::{Answer, Reply, Stage};

use super::connect::Target;
use super::status::{Fate, Said, Status, Trouble};

/// How a conversation ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// the peer closed the connection
    Closed,
    /// the network did
    Lost(String),
    /// nothing came, or too little, before the stage's deadline
    TimedOut,
    /// something came that is no reply
    Nonsense(String),
}

/// What an event means for the recipients it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// what becomes of them, unless another host says better
    pub fate: Fate,
    /// whether another host may be asked for them in this attempt
    pub next: Next,
    /// what the destination's concurrency learns
    pub signal: Signal,
}

/// Whether the next host is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// another host may know better
    Host,
    /// it is decided
    Stop,
}

/// What a destination is like; the better of two counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// it cannot be used now: not before a pause
    Down,
    /// it has enough of us: fewer connections
    Busy,
    /// it took a message, or answered one by one: all is well
    Well,
}

/// Judges a reply that is no success. `host` said it; `answer` is what it means at `stage` ([`Stage::judge`]).
pub fn refused(stage: Stage, answer: Answer, reply: &Reply, host: &str) -> Judgement {
    let to_us = matches!(
        stage,
        Stage::Banner | Stage::Hello | Stage::StartTls | Stage::Auth | Stage::Reset
    );
    let ours_to_mend = matches!(stage, Stage::StartTls | Stage::Auth | Stage::Reset);
    let fails = answer.is_permanent() && !ours_to_mend;
    // An answer to the final dot that means nothing: the server may have the message.
    let may_have_it = stage == Stage::Final && answer == Answer::Fault;
    let trouble = Trouble {
        status: status_of(answer, reply, fails),
        said: Said::Server {
            host: host.to_owned(),
            stage,
            reply: Box::new(reply.clone()),
        },
    };
    Judgement {
        next: if (fails && !to_us) || may_have_it {
            Next::Stop
        } else {
            Next::Host
        },
        signal: match answer {
            Answer::Closing => Signal::Busy,
            Answer::Fault => Signal::Down,
            _ if to_us => Signal::Down,
            _ => Signal::Well,
        },
        fate: trouble.fate(),
    }
}

/// Judges a conversation that broke off while `stage` was waited for.
pub fn broken(stage: Stage, how: &Broken, host: &str) -> Judgement {
    let ((subject, detail), signal) = match how {
        Broken::Closed | Broken::Lost(_) if stage == Stage::Banner => ((4, 2), Signal::Down),
        Broken::Closed | Broken::Lost(_) => ((4, 2), Signal::Busy),
        Broken::TimedOut => ((4, 2), Signal::Down),
        Broken::Nonsense(_) => ((5, 0), Signal::Down),
    };
    let reason = match stage {
        Stage::Final => format!("{host} {how} after the whole message was sent: it may have it"),
        _ => format!("{host} {how} {}", waiting_for(stage)),
    };
    Judgement {
        fate: Fate::Later(Trouble::later(subject, detail, reason).about(host)),
        // whoever has seen the final dot may have the message.
        next: if stage == Stage::Final {
            Next::Stop
        } else {
            Next::Host
        },
        signal,
    }
}

/// Judges a host that no connection could be made to.
pub fn unreachable(host: &str, why: &str) -> Judgement {
    let trouble = Trouble::later(4, 1, format!("{host} cannot be reached: {why}"));
    Judgement {
        fate: Fate::Later(trouble.about(host)),
        next: Next::Host,
        signal: Signal::Down,
    }
}

/// Judges a host that could not be looked up now, beside others that could: it may be the one that takes the mail.
pub fn not_found(why: Trouble) -> Judgement {
    Judgement {
        fate: why.fate(),
        next: Next::Host,
        signal: Signal::Down,
    }
}

/// Judges a host that turned out to be ourselves: it is ours to deliver and not a domain of ours, so no other host will know better (RFC
/// 5321 §5.1). A better one that only was not there keeps the mail waiting.
pub fn ourselves(host: &str, name: &str) -> Judgement {
    let text = format!("{host} is this server, as its greeting {name} shows: the mail would run in a circle");
    Judgement {
        fate: Trouble::never(CIRCLE.0, CIRCLE.1, text).about(host).fate(),
        next: Next::Stop,
        signal: Signal::Well,
    }
}

/// RFC 3463 §3.5: routing loop detected.
const CIRCLE: (u16, u16) = (4, 6);

/// Judges a connection on which something is missing that is ours or our operator's to mend.
pub fn insecure(host: &str, why: &str) -> Judgement {
    let trouble = Trouble::later(7, 5, format!("no secure connection to {host}: {why}"));
    Judgement {
        fate: Fate::Later(trouble.about(host)),
        next: Next::Host,
        signal: Signal::Down,
    }
}

/// Judges a host with which TLS did not come about as the rule wants it. `lasting`: the host itself is so, it was no mishap of this
/// connection.
pub fn held_back(target: &Target, why: &str, lasting: bool) -> Judgement {
    let why = match &target.rule.reason {
        Reason::Nobody => why.to_owned(),
        reason => format!("{why}. Mail to it needs {}: {reason}", target.rule.demand),
    };
    let judged = insecure(&target.host, &why);
    if target.wish != Wish::RequireTls {
        return judged;
    }
    // RFC 8689 §4.2.1: the sender is told at once; other mail for this destination is none the worse.
    let text = format!("no secure connection to {}: {why}", target.host);
    Judgement {
        fate: match lasting {
            true => Trouble::never(ENCRYPTION_NEEDED.0, ENCRYPTION_NEEDED.1, text)
                .about(&target.host)
                .fate(),
            false => judged.fate,
        },
        signal: Signal::Well,
        ..judged
    }
}

/// Judges a host that the rule refuses before any connection.
pub fn forbidden(host: &str, rule: &Rule, refusal: Refusal, wish: Wish) -> Judgement {
    let text = format!("no mail is sent to {host} now: {}", rule.reason);
    let trouble = match refusal {
        Refusal::Later => Trouble::later(7, 5, text),
        Refusal::Never => Trouble::never(
            ENCRYPTION_NEEDED.0,
            ENCRYPTION_NEEDED.1,
            format!("no mail is sent to {host}: {}", rule.reason),
        ),
    };
    Judgement {
        fate: trouble.about(host).fate(),
        next: Next::Host,
        signal: match wish {
            Wish::RequireTls => Signal::Well,
            Wish::Nothing | Wish::RequireTlsReport | Wish::NotRequired => Signal::Down,
        },
    }
}

/// RFC 8689 §4.2.1: TLS could not be had as the sender requires it.
const ENCRYPTION_NEEDED: (u16, u16) = (7, 10);
/// RFC 8689 §4.2.1: the server does not promise it for the way beyond.
pub const REQUIRETLS_NEEDED: (u16, u16) = (7, 30);

/// What several hosts said of one recipient: who may still take it later outweighs who will never take anything from us.
pub fn among_hosts(earlier: Option<Fate>, now: Fate) -> Fate {
    match (earlier, now) {
        (Some(Fate::Later(trouble)), Fate::Failed(failed)) if is_about_us(&failed) => Fate::Later(trouble),
        (_, now) => now,
    }
}

fn is_about_us(trouble: &Trouble) -> bool {
    match &trouble.said {
        Said::Server { stage, .. } => matches!(stage, Stage::Banner | Stage::Hello),
        Said::Ours { .. } => [CIRCLE, ENCRYPTION_NEEDED, REQUIRETLS_NEEDED].contains(&trouble.status.rest()),
    }
}

/// Whether an answer refuses us, not the message or its recipient: another way may do better at once. A 5xx to the sender, the
/// recipient or the message never is such an answer; a 4xx is one when it speaks of policy (RFC 3463 §3.8), before any recipient
/// is named.
pub fn refuses_us(trouble: &Trouble) -> bool {
    let Said::Server { stage, reply, .. } = &trouble.said else {
        return false;
    };
    let permanent = reply.code >= 500;
    let policy = matches!(reply.code, 421 | 450) && matches!(reply.enhanced, Some((_, 7, _)));
    match stage {
        Stage::Banner | Stage::Hello => permanent || policy,
        Stage::StartTls | Stage::Auth => permanent,
        // RFC 4954 §6: 530 asks for a sign-in.
        Stage::Mail => reply.code == 530 || policy,
        Stage::Reset | Stage::Rcpt | Stage::Data | Stage::Final | Stage::Quit => false,
    }
}

/// The reply's own code; when it is acted on as temporary, of that class.
fn status_of(answer: Answer, reply: &Reply, fails: bool) -> Status {
    if answer == Answer::Fault {
        return Status::new(4, 5, 0);
    }
    let class = if fails { 5 } else { 4 };
    let (subject, detail) = match (reply.enhanced, reply.code) {
        (Some((_, subject, detail)), _) => (subject, detail),
        (None, 421) => (3, 2),
        (None, 452 | 552) => (3, 1),
        (None, 454 | 530 | 534 | 535) => (7, 0),
        (None, 551) => (1, 6),
        (None, 553) => (1, 3),
        (None, 555 | 500..=504) => (5, 0),
        (None, _) => (0, 0),
    };
    Status::new(class, subject, detail)
}

fn waiting_for(stage: Stage) -> &'static str {
    match stage {
        Stage::Banner => "before its greeting",
        Stage::Hello => "after our greeting",
        Stage::StartTls => "after STARTTLS",
        Stage::Auth => "during our sign-in",
        Stage::Reset => "after RSET",
        Stage::Mail => "after MAIL",
        Stage::Rcpt => "after RCPT",
        Stage::Data => "during the message",
        Stage::Final => "after the message",
        Stage::Quit => "after QUIT",
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed the connection"),
            Self::Lost(why) => write!(f, "was lost ({why})"),
            Self::TimedOut => f.write_str("did not answer in time"),
            Self::Nonsense(what) => write!(f, "said something that is no answer ({what})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 8] = [
        Stage::Banner,
        Stage::Hello,
        Stage::StartTls,
        Stage::Auth,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Data,
        Stage::Final,
    ];

    fn judged(stage: Stage, line: &str) -> Judgement {
        let reply = Reply::read(format!("{line}\r\n").as_bytes()).unwrap();
        refused(stage, stage.judge(&reply), &reply, "mx")
    }

    fn code_of(fate: &Fate) -> String {
        fate.trouble()
            .map_or_else(|| "2.0.0".to_owned(), |trouble| trouble.status.to_string())
    }

    #[test]
    fn q_1_silence_after_the_dot_is_neither_delivered_nor_bounced_nor_sent_elsewhere() {
        for how in [
            Broken::Closed,
            Broken::TimedOut,
            Broken::Lost("reset".to_owned()),
            Broken::Nonsense("?".to_owned()),
        ] {
            let judged = broken(Stage::Final, &how, "mx");
            assert!(matches!(judged.fate, Fate::Later(_)), "{how:?}");
            assert_eq!(judged.next, Next::Stop, "{how:?}");
            for stage in &STAGES[..7] {
                let judged = broken(*stage, &how, "mx");
                assert!(matches!(judged.fate, Fate::Later(_)), "{stage:?} {how:?}");
                assert_eq!(judged.next, Next::Host, "{stage:?} {how:?}");
            }
        }
    }

    #[test]
    fn q_1_an_answer_to_the_dot_that_is_none_sends_the_message_to_no_other_host() {
        for line in ["354 go on", "334 words"] {
            let told = judged(Stage::Final, line);
            assert!(matches!(told.fate, Fate::Later(_)), "{line}");
            assert_eq!(told.next, Next::Stop, "{line}");
        }
    }

    #[test]
    fn q_2_a_temporary_answer_is_temporary_at_every_stage() {
        for stage in STAGES {
            for code in [421, 450, 451, 452] {
                let judged = judged(stage, &format!("{code} words"));
                assert!(matches!(judged.fate, Fate::Later(_)), "{stage:?} {code}");
                assert_eq!(judged.next, Next::Host, "{stage:?} {code}");
            }
        }
    }

    #[test]
    fn q_3_a_permanent_answer_to_the_message_is_final_and_one_to_us_is_not() {
        for line in ["550 no", "552 5.3.4 large", "554 no", "571 no"] {
            for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Final] {
                let judged = judged(stage, line);
                assert!(matches!(judged.fate, Fate::Failed(_)), "{stage:?} {line}");
                assert_eq!(judged.next, Next::Stop, "{stage:?} {line}");
            }
            for stage in [Stage::Banner, Stage::Hello] {
                let judged = judged(stage, line);
                assert!(matches!(judged.fate, Fate::Failed(_)), "{stage:?} {line}");
                assert_eq!(judged.next, Next::Host, "{stage:?} {line}");
            }
            for stage in [Stage::StartTls, Stage::Auth] {
                assert!(
                    matches!(judged(stage, line).fate, Fate::Later(_)),
                    "{stage:?} {line}"
                );
            }
        }
    }

    #[test]
    fn who_refuses_us_is_told_from_who_refuses_the_message() {
        let table = [
            (Stage::Banner, "554 5.7.1 listed", true),
            (Stage::Banner, "421 4.7.0 too much from your network", true),
            (Stage::Banner, "421 4.3.2 going down", false),
            (Stage::Banner, "421 busy", false),
            (Stage::Hello, "550 no", true),
            (Stage::StartTls, "501 no", true),
            (Stage::StartTls, "454 4.7.0 not now", false),
            (Stage::Auth, "535 5.7.8 wrong", true),
            (Stage::Auth, "530 no", true),
            (Stage::Auth, "454 4.7.0 not now", false),
            (Stage::Mail, "530 5.7.0 sign in", true),
            (Stage::Mail, "450 4.7.1 rate", true),
            (Stage::Mail, "451 4.3.0 rate", false),
            (Stage::Mail, "550 5.7.1 sender", false),
            (Stage::Rcpt, "550 5.7.1 no", false),
            (Stage::Rcpt, "450 4.7.1 greylisted", false),
            (Stage::Rcpt, "530 no", false),
            (Stage::Data, "554 no", false),
            (Stage::Final, "554 5.7.1 spam", false),
        ];
        for (stage, line, want) in table {
            let fate = judged(stage, line).fate;
            assert_eq!(fate.trouble().is_some_and(refuses_us), want, "{stage:?} {line}");
        }
        assert!(!refuses_us(&Trouble::later(4, 1, "nobody there")));
    }

    #[test]
    fn q_4_each_recipient_is_judged_by_its_own_reply() {
        let table = [
            ("450 x", "4.0.0"),
            ("452 x", "4.3.1"),
            ("550 x", "5.0.0"),
            ("551 x", "5.1.6"),
            ("553 x", "5.1.3"),
            ("552 5.2.2 full", "5.2.2"),
            ("552 too many", "4.3.1"),
            ("552 5.5.3 too many", "4.5.3"),
            ("550 5.1.1 nobody", "5.1.1"),
            ("550 4.1.1 nobody", "5.0.0"),
            ("354 what", "4.5.0"),
        ];
        for (line, want) in table {
            assert_eq!(code_of(&judged(Stage::Rcpt, line).fate), want, "{line}");
        }
    }

    #[test]
    fn q_7_a_reply_that_is_none_is_temporary() {
        let judged = broken(
            Stage::Hello,
            &Broken::Nonsense("64 KiB without an end".to_owned()),
            "mx",
        );
        assert_eq!(code_of(&judged.fate), "4.5.0");
    }

    #[test]
    fn what_one_host_may_take_later_is_not_failed_by_another_s_closed_door() {
        let later = || Fate::Later(Trouble::later(4, 1, "a"));
        let closed_door = || judged(Stage::Banner, "554 no").fate;
        let no_such_user = || judged(Stage::Rcpt, "550 no").fate;
        let taken = || Fate::Delivered { reports: true };
        assert_eq!(among_hosts(Some(later()), closed_door()), later());
        assert_eq!(among_hosts(Some(closed_door()), later()), later());
        assert_eq!(among_hosts(None, closed_door()), closed_door());
        assert_eq!(among_hosts(Some(later()), no_such_user()), no_such_user());
        assert_eq!(among_hosts(Some(later()), taken()), taken());
    }
}
