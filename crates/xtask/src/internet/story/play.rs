//! The steps of a story, performed one after another.

use super::{
    Act, Bound, Check, Expectation, Family, HostPlan, Kind, Letter, Passing, Step, Story, What, look,
};
use crate::campaign::mailer::{self, Person};
use crate::internet::hosts::{Hosts, in_dns};
use crate::internet::net;
use crate::internet::stranger::{self, Way};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use testkit::talk::Talk;

/// What stands before the number of the line that is being performed, on standard error: nobody reads it but when the story gets stuck.
pub const AT: &str = "at line ";

/// Performs all steps. Remarks for people.
///
/// # Errors
///
/// The line and what was not so.
pub fn play(story: &Story, hosts: &Hosts) -> Result<Vec<String>, (usize, String)> {
    let mut play = Play {
        story,
        hosts,
        sent: Instant::now(),
        marks: BTreeMap::new(),
        letters: 0,
        knocking: Vec::new(),
        remarks: Vec::new(),
    };
    play.all(&story.steps)?;
    let last = story.steps.last().map_or(0, |step| step.line);
    for (name, doors) in hosts.sinks() {
        let violations = doors.violations();
        if !violations.is_empty() {
            return Err((last, format!("{name} was spoken to wrongly: {violations:?}")));
        }
    }
    Ok(play.remarks)
}

struct Play<'a> {
    story: &'a Story,
    hosts: &'a Hosts,
    /// When somebody last sent something.
    sent: Instant,
    /// How much each sink had taken when the story last spoke of it.
    marks: BTreeMap<String, u64>,
    /// Messages so far: each has a Message-ID of its own.
    letters: u64,
    /// Connections that are held until the end.
    knocking: Vec<Talk>,
    remarks: Vec<String>,
}

impl Play<'_> {
    fn all(&mut self, steps: &[Step]) -> Result<(), (usize, String)> {
        for step in steps {
            if let What::Times { count, steps } = &step.what {
                for _ in 0..*count {
                    self.all(steps)?;
                }
                continue;
            }
            eprintln!("{AT}{}", step.line);
            // A client of the tests gives up by panicking.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.one(&step.what)));
            let done = done.unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                Err(text.unwrap_or_else(|| "a client gave up waiting".into()))
            });
            done.map_err(|why| (step.line, why))?;
        }
        Ok(())
    }

    fn one(&mut self, what: &What) -> Result<(), String> {
        match what {
            What::Send {
                from,
                to,
                subject,
                header,
                asking,
            } => self.send((from, to), subject, header, asking),
            What::SendMany {
                from,
                domain,
                subject,
                count,
            } => self.send_many(from, domain, subject, *count),
            What::Give {
                sink,
                host,
                subject,
                letter,
            } => {
                let text = stranger::text_of(letter, subject, &self.next_id(), sink);
                self.hand_over(sink, host, letter, &text)
            }
            What::PassOn {
                sink,
                host,
                subject,
                letter,
                passing,
            } => {
                let text = self.passed_on(sink, subject, passing)?;
                self.hand_over(sink, host, letter, &text)
            }
            What::Act { host, act } => self.act(host, *act),
            What::Set { host, setting } => {
                let plan = self.story.host(host).ok_or("no such host")?;
                self.hosts.set_and_reload(plan, setting)
            }
            What::CutOff { host, from, over } => {
                let others = from.iter().filter_map(|other| self.story.host(other));
                let mut addresses: Vec<IpAddr> = others.flat_map(|other| other.addresses.clone()).collect();
                addresses.retain(|address| over.is_none_or(|family| family == Family::of(*address)));
                self.hosts.hearthpost(host)?.host.cut_off(&addresses)
            }
            What::Behave { sink, rules } => {
                let doors = self.hosts.sink(sink)?;
                self.marks.insert(sink.clone(), doors.count());
                doors.behave(rules)
            }
            What::TakeFromNowOn { host } => self.hosts.postfix(host)?.put_nobody_off(),
            What::Room { who, host, size } => {
                let server = self.hosts.hearthpost(host)?.server.borrow();
                server.tell(&["account", "set", who, "--quota", size]).map(drop)
            }
            What::Pass(time) => {
                std::thread::sleep(*time);
                Ok(())
            }
            What::Knock {
                network,
                count,
                host,
                let_in,
            } => self.knock(network, *count, host, *let_in),
            What::Expect { what, bound, checks } => self.expect(what, *bound, checks),
            // Unrolled by the caller.
            What::Times { .. } => Ok(()),
        }
    }

    fn act(&self, host: &str, act: Act) -> Result<(), String> {
        let hearthpost = self.hosts.hearthpost(host)?;
        let server = &hearthpost.server;
        match act {
            Act::Kill => {
                let mut server = server.borrow_mut();
                server.kill();
                server.launch()
            }
            Act::Stop => server.borrow_mut().stop().map(drop),
            Act::Start => server.borrow_mut().launch(),
            Act::TryAgain => server.borrow().retry_all(),
            Act::Publish => self.hosts.publish_keys(host),
            Act::Rotate => server.borrow().tell(&["dkim", "rotate", host]).map(drop),
            Act::SignNow => server.borrow().tell(&["dkim", "sign-now", host]).map(drop),
            Act::CutOffNames => hearthpost.host.cut_off(&net::DNS),
            Act::Reconnect => hearthpost.host.heal(),
        }
    }

    fn send(
        &mut self,
        (from, to): (&str, &[String]),
        subject: &str,
        header: &[String],
        asking: &[String],
    ) -> Result<(), String> {
        let id = self.next_id();
        let home = self.home(from)?;
        if matches!(home.kind, Kind::Postfix(_)) {
            let postfix = self.hosts.postfix(&home.domains[0])?;
            for to in to {
                postfix.send(from, to, (subject, header), &id)?;
            }
        } else {
            let person = self.hosts.person(from, &home.domains[0])?;
            let to: Vec<&str> = to.iter().map(String::as_str).collect();
            let of_recipient = |word: &&String| word.starts_with("NOTIFY=") || word.starts_with("ORCPT=");
            let joined = |words: Vec<&String>| words.into_iter().cloned().collect::<Vec<_>>().join(" ");
            let (rcpt, mail): (Vec<_>, Vec<_>) = asking.iter().partition(of_recipient);
            person.send(&mailer::Letter {
                mail: &joined(mail),
                rcpt: &joined(rcpt),
                header: &header
                    .iter()
                    .map(|field| format!("{field}\r\n"))
                    .collect::<String>(),
                id: &id,
                ..mailer::Letter::new(&to, subject)
            })?;
        }
        self.sent = Instant::now();
        Ok(())
    }

    /// In one session, to `x0@…`, `x1@…` and so on.
    fn send_many(&mut self, from: &str, domain: &str, subject: &str, count: usize) -> Result<(), String> {
        let person = self.reader(from)?;
        let mut session = person.session()?;
        for number in 0..count {
            let (to, id) = (format!("x{number}@{domain}"), self.next_id());
            let to = [to.as_str()];
            let letter = mailer::Letter {
                id: &id,
                ..mailer::Letter::new(&to, subject)
            };
            person.send_in(&mut session, &letter)?;
        }
        session.ask("QUIT");
        self.sent = Instant::now();
        Ok(())
    }

    fn hand_over(&mut self, sink: &str, host: &str, letter: &Letter, text: &str) -> Result<(), String> {
        let plan = |name: &str| {
            self.story
                .host(name)
                .ok_or_else(|| format!("no host is called {name}"))
        };
        let way = Way {
            from: plan(sink)?,
            to: plan(host)?,
        };
        stranger::give(&way, letter, text)?;
        self.sent = Instant::now();
        Ok(())
    }

    /// The newest message that the sink took with this Subject, changed as the story says.
    fn passed_on(&self, sink: &str, subject: &str, passing: &Passing) -> Result<String, String> {
        let line = format!("Subject: {subject}");
        let taken = self.hosts.sink(sink)?.taken();
        let message = taken
            .iter()
            .rev()
            .map(|taken| String::from_utf8_lossy(&taken.message.content))
            .find(|text| mailer::has_line(text, &line))
            .ok_or_else(|| format!("{sink} has taken nothing with the Subject {subject}"))?;
        stranger::changed(&message, passing, sink, self.hosts.key_of(sink))
    }

    fn next_id(&mut self) -> String {
        self.letters += 1;
        format!("letter-{}", self.letters)
    }

    /// Each connection comes from an address of its own, and stays.
    fn knock(&mut self, network: &str, count: usize, host: &str, let_in: usize) -> Result<(), String> {
        let plan = self.story.host(host).ok_or("no such host")?;
        let peer = in_dns(plan)
            .into_iter()
            .find(IpAddr::is_ipv6)
            .ok_or("the host has no IPv6 address")?;
        let mut welcomed = 0;
        for number in 1..=count {
            let source: IpAddr = format!("{network}::{number:x}")
                .parse()
                .map_err(|_| "no address")?;
            net::add_to_the_middle(source).map_err(|error| error.to_string())?;
            net::speak_from(source, peer).map_err(|error| error.to_string())?;
            let mut talk = Talk::connect_to(SocketAddr::new(peer, 25)).map_err(|error| error.to_string())?;
            welcomed += usize::from(talk.reply().starts_with("220"));
            self.knocking.push(talk);
        }
        if welcomed == let_in {
            Ok(())
        } else {
            Err(format!("{welcomed} of {count} were let in"))
        }
    }

    fn expect(&mut self, what: &Expectation, bound: Bound, checks: &[Check]) -> Result<(), String> {
        let (hosts, sent) = (self.hosts, self.sent);
        match what {
            Expectation::Receives {
                who,
                subject,
                mailbox,
            } => {
                let home = self.home(who)?;
                if matches!(home.kind, Kind::Postfix(_)) {
                    let postfix = hosts.postfix(&home.domains[0])?;
                    return look::receives(|| Ok(postfix.read(who)), subject, bound, sent, checks);
                }
                let person = self.reader(who)?;
                let mailbox = mailbox.as_deref().unwrap_or("INBOX");
                look::receives(|| person.read(mailbox), subject, bound, sent, checks)
            }
            Expectation::Report { who, about, action } => {
                look::report(&self.reader(who)?, (about, action), bound, sent, checks)
            }
            Expectation::ReportOn { who, subject } => {
                look::report_on(&self.reader(who)?, subject, bound, sent, checks)
            }
            Expectation::NoReport { who, about } => look::no_report(&self.reader(who)?, about),
            Expectation::Waits { who, host } => look::queue(hosts, host, Some(who), bound, sent, checks),
            Expectation::Tells { host, about } => look::timeline(hosts, host, about, bound, sent, checks),
            Expectation::Reports { host, domain } => {
                look::report_on_tls(hosts, (host, domain), bound, sent, checks)
            }
            Expectation::NothingWaits { host } => look::queue(hosts, host, None, bound, sent, checks),
            Expectation::Takes { sink, count, or_more } => {
                let mark = self.marks.get(sink).copied().unwrap_or(0);
                let all = look::takes(hosts.sink(sink)?, (mark, *count, *or_more), bound, sent, checks)?;
                self.marks.insert(sink.clone(), all);
                Ok(())
            }
            Expectation::Different { sink, .. }
            | Expectation::NothingTwice { sink }
            | Expectation::TwiceAtMost { sink, .. }
            | Expectation::Connections { sink, .. } => {
                self.remarks
                    .extend(look::sink(hosts.sink(sink)?, what, bound, sent)?);
                Ok(())
            }
        }
    }

    fn home(&self, who: &str) -> Result<&HostPlan, String> {
        self.story
            .home_of(who)
            .ok_or_else(|| format!("nobody is called {who}"))
    }

    /// Somebody of a Hearthpost.
    fn reader(&self, who: &str) -> Result<Person, String> {
        self.hosts.person(who, &self.home(who)?.domains[0])
    }
}
