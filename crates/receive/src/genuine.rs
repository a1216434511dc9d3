//! Step 6: whom a stranger's message is really from. Asks, tells the log, and makes a refusal or the field with the results.

use std::net::IpAddr;

use mail::address::Domain;
use mail::ids::QueueId;
use msgauth::arc::ArcResult;
use msgauth::examine::{Doors, Envelope, Evidence, Examination};
use msgauth::policy::{self, Decision, Reason, Verdict};
use msgauth::results::{self, Results};
use msgauth::spf::{Identity, SpfResult};
use smtp::Refusal;
use smtp::refusal::codes;

use crate::context::{Context, Door, GenuineMode};
use crate::events::ReceiveEvent;
use crate::examining::Crowded;
use crate::limits;
use crate::talk::Talk;
use crate::transaction::Transaction;

/// Everything that is needed of a session while DNS is waited for.
pub(crate) struct Inquiry<'a> {
    context: &'a Context,
    door: &'a Door,
    client: IpAddr,
    hello: String,
    reverse_path: String,
    queue_id: QueueId,
    leads: Leads,
}

/// Whom the message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leads {
    /// mailboxes here alone
    Here,
    /// addresses that lead to other servers alone
    Elsewhere,
    /// both
    Both,
}

/// What an examined message is taken with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// the Authentication-Results field; empty where there are no results
    pub results: Vec<u8>,
    /// copies here go to Junk
    pub quarantined: bool,
    /// copies for other servers do not leave; why
    pub kept_back: Option<String>,
}

impl<'a> Inquiry<'a> {
    /// About the message of a transaction.
    pub fn of(talk: &Talk<'a>, transaction: &Transaction) -> Self {
        let sender = transaction.mail.reverse_path.mailbox();
        Self {
            context: talk.context,
            door: talk.door,
            client: talk.peer(),
            hello: talk.hello.clone().unwrap_or_default(),
            reverse_path: sender
                .map(|sender| format!("{}@{}", sender.local().as_str(), sender.domain()))
                .unwrap_or_default(),
            queue_id: transaction.queue_id(),
            leads: transaction.leads(),
        }
    }

    /// What the message is taken with, or why it is not.
    pub async fn run(self, examination: Examination) -> Result<Standing, Refusal> {
        let Some(dns) = &self.context.dns else {
            return Ok(Standing::default());
        };
        let doors = Doors {
            dns: &**dns,
            clock: &*self.context.queue.clock,
            suffixes: self.door.genuine.suffixes.as_deref(),
        };
        let envelope = Envelope {
            client: self.client,
            hello: &self.hello,
            reverse_path: &self.reverse_path,
            receiver: &self.door.setup.host_name,
        };
        let enforced = self.door.genuine.mode == GenuineMode::Enforce;
        let patience = (!enforced).then_some(limits::NOTE_WAIT);
        let examining = examination.finish(doors, envelope);
        let evidence = match self.context.examining.run(self.client, patience, examining).await {
            Ok(evidence) => evidence,
            Err(crowded) => return self.without_verdict(crowded, enforced),
        };
        let own = self.own_author(&evidence);
        let decision = policy::decide(&evidence, &self.door.genuine.local(&own, self.client));
        let event = event(self.queue_id, &evidence, &decision, enforced);
        self.context.queue.events.emit(&event);
        let results = field(&self.door.setup.host_name, &evidence);
        if !enforced {
            return Ok(Standing {
                results,
                ..Standing::default()
            });
        }
        standing(&decision, self.leads, vouched_envelope(&evidence))
            .map(|standing| Standing { results, ..standing })
    }

    /// Where verdicts hold, the sender tries again; elsewhere there are no results.
    fn without_verdict(&self, crowded: Crowded, enforced: bool) -> Result<Standing, Refusal> {
        self.context.queue.events.emit(&ReceiveEvent::NotExamined {
            queue_id: self.queue_id,
            reason: crowded.to_string(),
            enforced,
        });
        match enforced {
            true => Err(Refusal::new(
                codes::GENUINE_UNKNOWN,
                format!("Not now: whom the message is from cannot be found out: {crowded}. Try again later"),
            )),
            false => Ok(Standing::default()),
        }
    }

    /// The author's domain, if mail for it is ours.
    fn own_author(&self, evidence: &Evidence) -> Vec<String> {
        let domain = evidence.dmarc.author.domain();
        let ours = |domain: &&str| {
            let read = Domain::parse(domain);
            read.is_ok_and(|domain| self.context.directory.is_local_domain(&domain))
        };
        domain.filter(ours).map(str::to_owned).into_iter().collect()
    }
}

/// Whether a report to the envelope's sender reaches who sent the message, and nobody whose address was borrowed.
fn vouched_envelope(evidence: &Evidence) -> bool {
    evidence.spf.result == SpfResult::Pass && evidence.spf.identity == Identity::MailFrom
}

/// What the verdict means for the session. `vouched`: a report would reach who sent the message.
fn standing(decision: &Decision, leads: Leads, vouched: bool) -> Result<Standing, Refusal> {
    let quarantined = match decision.verdict {
        Verdict::Reject => {
            let text = format!("Not taken: {decision}. {}", next_step(decision));
            return Err(Refusal::new(codes::NOT_GENUINE, text));
        }
        Verdict::Defer => {
            let text = format!("Not now: {decision}. Try again later");
            return Err(Refusal::new(codes::GENUINE_UNKNOWN, text));
        }
        Verdict::Quarantine => true,
        Verdict::Accept => false,
    };
    // A copy that left here would look as if we vouched for it (threat case AUT-12).
    let kept_back = match (decision.may_forward, leads) {
        (true, _) | (false, Leads::Here) => None,
        (false, Leads::Both) if vouched => Some(format!("not forwarded: {decision}")),
        (false, Leads::Both | Leads::Elsewhere) => {
            let text = format!(
                "Not taken: {decision}, and it would be forwarded. {}",
                next_step(decision)
            );
            return Err(Refusal::new(codes::NOT_GENUINE, text));
        }
    };
    Ok(Standing {
        results: Vec::new(),
        quarantined,
        kept_back,
    })
}

fn next_step(decision: &Decision) -> &'static str {
    match &decision.reason {
        Reason::Author(_) => "Write one From field with one address",
        Reason::OwnDomain(_) => {
            "Sign in and submit it, or have the server's administrator name yours in SPF or DKIM"
        }
        _ => {
            "Send it through a server that the author's domain names in SPF, or that signs with its DKIM key"
        }
    }
}

fn field(our_name: &str, evidence: &Evidence) -> Vec<u8> {
    let results = Results {
        spf: &evidence.spf,
        dkim: &evidence.dkim,
        dmarc: &evidence.dmarc,
        arc: &evidence.arc,
        iprev: &evidence.iprev,
    };
    results::write(our_name, &results)
}

fn event(queue_id: QueueId, evidence: &Evidence, decision: &Decision, enforced: bool) -> ReceiveEvent {
    let signatures = || evidence.dkim.signatures.iter();
    let dkim: Vec<String> = signatures().map(|one| one.result.to_string()).collect();
    let mut why = vec![format!("SPF: {}", evidence.spf)];
    why.extend(signatures().map(|one| format!("DKIM: {one}")));
    why.push(format!("DMARC: {}", evidence.dmarc));
    if evidence.arc.result != ArcResult::None {
        why.push(format!("ARC: {}", evidence.arc));
    }
    ReceiveEvent::Examined {
        queue_id,
        author: evidence.dmarc.author.domain().unwrap_or_default().to_owned(),
        spf: evidence.spf.result.to_string(),
        dkim: if dkim.is_empty() {
            "none".to_owned()
        } else {
            dkim.join(",")
        },
        dmarc: evidence.dmarc.result.to_string(),
        arc: evidence.arc.result.to_string(),
        iprev: evidence.iprev.result.to_string(),
        verdict: decision.verdict.to_string(),
        reason: decision.to_string(),
        evidence: why.join("; "),
        enforced,
    }
}

#[cfg(test)]
mod tests {
    use msgauth::dmarc::record::Policy;

    use super::*;

    #[test]
    fn aut_12_what_its_domain_disowns_is_not_forwarded() {
        use Leads::{Both, Elsewhere, Here};
        let wish = |policy, verdict, may_forward| Decision {
            verdict,
            reason: Reason::Wish {
                domain: "there.example".to_owned(),
                policy,
                lenient: false,
            },
            may_forward,
        };
        let quarantine = wish(Policy::Quarantine, Verdict::Quarantine, false);
        let none = wish(Policy::None, Verdict::Accept, true);
        let lenient = wish(Policy::Reject, Verdict::Accept, false);
        let reject = wish(Policy::Reject, Verdict::Reject, false);
        let defer = wish(Policy::Reject, Verdict::Defer, false);
        // decision, whom it is for, whether SPF vouches for the envelope; refused with, or (to Junk, kept back)
        let table = [
            (&quarantine, Here, false, Ok((true, false))),
            (&quarantine, Elsewhere, true, Err(550)),
            (&quarantine, Both, true, Ok((true, true))),
            (&quarantine, Both, false, Err(550)),
            (&lenient, Here, false, Ok((false, false))),
            (&lenient, Both, true, Ok((false, true))),
            (&lenient, Elsewhere, true, Err(550)),
            (&none, Elsewhere, false, Ok((false, false))),
            (&none, Both, false, Ok((false, false))),
            (&reject, Here, true, Err(550)),
            (&defer, Here, true, Err(451)),
        ];
        for (decision, leads, vouched, want) in table {
            let got = standing(decision, leads, vouched);
            let got = got
                .map(|standing| (standing.quarantined, standing.kept_back.is_some()))
                .map_err(|refusal| refusal.code.code());
            assert_eq!(got, want, "{decision} {leads:?} {vouched}");
        }
    }
}
