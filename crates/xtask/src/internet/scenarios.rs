//! What is played. Each name is a sentence that is true when the scenario passes.

use super::hosts::{Hosts, PASSWORD};
use crate::campaign::mailer::{Letter, Person, has_line, is_report};
use crate::campaign::server::Server;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use testkit::sink::{Script, Sink};

/// How long mail may be under way when nothing hinders it.
const SOON: Duration = Duration::from_secs(15);
/// How long it may take when it has to wait first.
const LATER: Duration = Duration::from_secs(45);
/// Messages of the partition and of each kill.
const MANY: usize = 40;
/// How long the partition lasts: 10 min in the threat list, scaled.
const CUT_OFF: Duration = Duration::from_secs(10);
/// `deliver.connections_per_destination` as it is without a setting.
const CONNECTIONS: u64 = 20;

type Played = Result<String, String>;

/// A scenario.
pub struct Scenario {
    pub name: &'static str,
    pub play: fn(&Hosts) -> Played,
}

/// All, in order.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "mail goes in all directions under TLS",
        play: all_directions,
    },
    Scenario {
        name: "q_3_loop_7 an unknown user is refused and the sender reads why",
        play: unknown_user,
    },
    Scenario {
        name: "q_2 a temporary refusal is only a delay",
        play: temporary_refusal,
    },
    Scenario {
        name: "an alias leads to another server and bounces find their way back",
        play: alias_elsewhere,
    },
    Scenario {
        name: "loop_2 aliases of two servers in a circle come to an end",
        play: circle,
    },
    Scenario {
        name: "q_9 a domain that takes no mail bounces at once and a dead first server does not matter",
        play: mx_rules,
    },
    Scenario {
        name: "a smarthost with a password takes what its route says",
        play: smarthost,
    },
    Scenario {
        name: "success is reported to who asked",
        play: success_report,
    },
    Scenario {
        name: "q_11 what cannot be delivered is reported late once and failed once, over a crash",
        play: lifetime,
    },
    Scenario {
        name: "q_13 after a partition everything arrives once over few connections",
        play: partition,
    },
    Scenario {
        name: "dur_4 a kill while sending loses nothing and doubles at most one a connection",
        play: killed,
    },
];

fn all_directions(hosts: &Hosts) -> Played {
    let (a, b) = (hosts.person("alice@a.test"), hosts.person("bob@b.test"));
    let ways: [(&Person, &str); 4] = [
        (&a, "bob@b.test"),
        (&a, "carol@p.test"),
        (&b, "alice@a.test"),
        (&b, "carol@p.test"),
    ];
    let name = |from: &str, to: &str| format!("directions {from} {to}").replace('@', " at ");
    for (from, to) in ways {
        from.send(&Letter::new(&[to], &name(&from.address, to)))?;
    }
    for to in ["alice@a.test", "bob@b.test"] {
        hosts.p.send("carol@p.test", to, &name("carol@p.test", to))?;
    }
    for (from, to) in [
        ("alice@a.test", &b),
        ("bob@b.test", &a),
        ("carol@p.test", &a),
        ("carol@p.test", &b),
    ] {
        let message = to.receives_subject(&name(from, &to.address), SOON)?;
        demand(
            message.contains("with ESMTPS"),
            "it should have come under TLS",
            &message,
        )?;
        demand(
            message.contains(&format!("Return-Path: <{from}>")),
            "the reverse-path should be the sender's",
            &message,
        )?;
    }
    for from in ["alice@a.test", "bob@b.test"] {
        let subject = format!("Subject: {}", name(from, "carol@p.test"));
        let message = hosts
            .p
            .receives("carol", &subject, SOON, |message| has_line(message, &subject))?;
        demand(
            message.contains("using TLSv1.3"),
            "it should have come under TLS 1.3",
            &message,
        )?;
    }
    Ok("6 directions, each once".into())
}

fn unknown_user(hosts: &Hosts) -> Played {
    let alice = hosts.person("alice@a.test");
    for (to, subject) in [
        ("nobody@b.test", "unknown at Hearthpost"),
        ("nobody@p.test", "unknown at Postfix"),
    ] {
        alice.send(&Letter::new(&[to], subject))?;
        let bounce = one_report(&alice, "failed", to)?;
        demand(bounce.contains("5.1.1"), "the bounce should say 5.1.1", &bounce)?;
        demand(
            has_line(&bounce, "Auto-Submitted: auto-replied"),
            "it says what it is",
            &bounce,
        )?;
        demand(
            bounce.contains(&format!("Subject: {subject}")),
            "the original's header should be there",
            &bounce,
        )?;
        demand(!bounce.contains("/data"), "LOOP-7: no paths of ours", &bounce)?;
    }
    nothing_waits(&hosts.a)?;
    // The other way round Postfix makes the bounce: for us the refusal is all there is.
    hosts
        .p
        .send("carol@p.test", "nobody@a.test", "unknown from Postfix")?;
    hosts.p.receives("carol", "a bounce", SOON, |message| {
        message.contains("nobody@a.test") && message.contains("Undelivered Mail")
    })?;
    Ok("bounced once each, in plain words".into())
}

fn temporary_refusal(hosts: &Hosts) -> Played {
    let alice = hosts.person("alice@a.test");
    let sink = hosts.sink(0, "first 2 mail: reply 451 4.3.0 come back later")?;
    alice.send(&Letter::new(&["x@s0.test"], "delayed at the sink"))?;
    alice.send(&Letter::new(&["grey@p.test"], "delayed at Postfix"))?;
    taken(&hosts.a, &sink, 1, LATER)?;
    eventually(LATER, "grey@p.test waits with its reason", || {
        Ok(hosts.a.borrow().waiting()?.iter().any(|row| {
            let text = row.to_string();
            text.contains("grey@p.test") && text.contains("Greylisted")
        }))
    })?;
    hosts.p.lift_greylist()?;
    hosts.a.borrow().retry_all()?;
    hosts
        .p
        .receives("grey", "the delayed message", LATER, |message| {
            has_line(message, "Subject: delayed at Postfix")
        })?;
    nothing_waits(&hosts.a)?;
    no_reports(&alice, "x@s0.test")?;
    no_reports(&alice, "grey@p.test")?;
    Ok(format!(
        "{} connections to the sink",
        sink.statistics().connections
    ))
}

fn alias_elsewhere(hosts: &Hosts) -> Played {
    let bob = hosts.person("bob@b.test");
    for (alias, target) in [
        ("moved@a.test", "bob@p.test"),
        ("wrong@a.test", "nobody@p.test"),
        ("late@a.test", "late@p.test"),
    ] {
        hosts.a.borrow().tell(&["alias", "add", alias, target])?;
    }
    bob.send(&Letter::new(&["moved@a.test"], "through an alias"))?;
    let message = hosts
        .p
        .receives("bob", "the forwarded message", SOON, |message| {
            has_line(message, "Subject: through an alias")
        })?;
    demand(
        message.contains("Return-Path: <SRS0=") && message.contains("@a.test>"),
        "the reverse-path should be rewritten (SRS)",
        &message,
    )?;
    demand(
        message.contains("Delivered-To: moved@a.test"),
        "the way should be visible",
        &message,
    )?;
    bob.send(&Letter::new(&["wrong@a.test"], "through a wrong alias"))?;
    bob.receives(1, "a bounce of the refused forward", SOON, |message| {
        message.contains("report-type=") && message.contains("through a wrong alias")
    })?;
    // Postfix takes this one and bounces it later, to the SRS address at A.
    bob.send(&Letter::new(&["late@a.test"], "through an alias that fails late"))?;
    bob.receives(1, "a late bounce through SRS", LATER, |message| {
        message.contains("report-type=") && message.contains("through an alias that fails late")
    })?;
    nothing_waits(&hosts.a)?;
    Ok("SRS there and back".into())
}

fn circle(hosts: &Hosts) -> Played {
    let carol = hosts.person("carol@a.test");
    for (server, alias, target) in [
        (&hosts.a, "circle@a.test", "circle@b.test"),
        (&hosts.b, "circle@b.test", "circle@a.test"),
    ] {
        server.borrow().tell(&["alias", "add", alias, target])?;
    }
    carol.send(&Letter::new(&["circle@a.test"], "round and round"))?;
    let report = carol.receives(1, "a report of the circle", LATER, |message| {
        message.contains("report-type=") && message.contains("round and round")
    })?;
    demand(report[0].contains("5.4.6"), "a loop is 5.4.6", &report[0])?;
    nothing_waits(&hosts.a)?;
    nothing_waits(&hosts.b)?;
    Ok("one report, 5.4.6".into())
}

fn mx_rules(hosts: &Hosts) -> Played {
    let alice = hosts.person("alice@a.test");
    let sink = hosts.sink(0, "")?;
    for (to, code) in [
        ("x@null.test", "5.1.10"),
        ("x@no-such-domain.test", "5.1.2"),
        ("x@private.test", "5."),
    ] {
        alice.send(&Letter::new(&[to], &format!("to {}", &to[2..])))?;
        let bounce = one_report(&alice, "failed", to)?;
        let status = bounce
            .lines()
            .find(|line| line.starts_with("Status: "))
            .unwrap_or_default();
        demand(
            status.starts_with(&format!("Status: {code}")),
            &format!("the status should be {code}"),
            &bounce,
        )?;
    }
    alice.send(&Letter::new(&["x@two.test"], "second server"))?;
    taken(&hosts.a, &sink, 1, LATER)?;
    Ok("null MX, no such domain, private addresses, second MX".into())
}

fn smarthost(hosts: &Hosts) -> Played {
    let alice = hosts.person("alice@a.test");
    let guarded = hosts.sink_at(
        3,
        587,
        &format!("offer: PIPELINING STARTTLS AUTH=PLAIN\ncredentials: joe {PASSWORD}"),
    )?;
    alice.send(&Letter::new(&["x@guarded.test"], "with a password"))?;
    taken(&hosts.a, &guarded, 1, LATER)?;
    let accepted = guarded.accepted();
    demand(
        accepted[0].secure && accepted[0].user.as_deref() == Some("joe"),
        "signed in under TLS",
        &format!("{:?}", accepted[0].user),
    )?;
    demand(
        guarded.statistics().violations.is_empty(),
        "no rudeness",
        &format!("{:?}", guarded.statistics().violations),
    )?;
    // Through B, as a user of B who may send with that address; B finds the way to the sink by MX.
    let beyond = hosts.sink(2, "")?;
    hosts.a.borrow().tell(&["domain", "add", "shared.test"])?;
    hosts.a.borrow().account("we@shared.test", PASSWORD)?;
    hosts.b.borrow().tell(&["domain", "add", "shared.test"])?;
    hosts
        .b
        .borrow()
        .tell(&["alias", "add", "we@shared.test", "relay@b.test"])?;
    let we = Person {
        address: "we@shared.test".into(),
        ..alice
    };
    we.send(&Letter::new(&["x@far.test"], "through B"))?;
    taken(&hosts.a, &beyond, 1, LATER)?;
    let message = String::from_utf8_lossy(&beyond.accepted()[0].content).into_owned();
    demand(
        message.contains("by mx.b.test with ESMTPSA"),
        "B should have taken it from somebody who signed in",
        &message,
    )?;
    nothing_waits(&hosts.a)?;
    Ok("through a sink, and through B".into())
}

fn success_report(hosts: &Hosts) -> Played {
    let alice = hosts.person("alice@a.test");
    let sink = hosts.sink(1, "offer: PIPELINING SIZE=1000000 8BITMIME")?;
    let letter = Letter {
        mail: "ENVID=QQ-314 RET=HDRS",
        rcpt: "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@s1.test",
        ..Letter::new(&["x@s1.test"], "please confirm")
    };
    alice.send(&letter)?;
    taken(&hosts.a, &sink, 1, SOON)?;
    let report = one_report(&alice, "relayed", "x@s1.test")?;
    demand(
        has_line(&report, "Original-Envelope-Id: QQ-314"),
        "the envelope id comes back",
        &report,
    )?;
    demand(
        sink.statistics().violations.is_empty(),
        "nothing that was not offered",
        &format!("{:?}", sink.statistics().violations),
    )?;
    Ok("relayed to a server without DSN".into())
}

fn lifetime(hosts: &Hosts) -> Played {
    let alice = hosts.person("alice@a.test");
    let sink = hosts.sink(3, "mail: reply 451 4.3.0 never today")?;
    let before = hosts.a.borrow().plan.settings.clone();
    let short = "[queue]\ndelay_notice = \"10 s\"\ngive_up = \"20 s\"\n";
    reload(hosts, before.replace("[queue]\n", short))?;
    let began = Instant::now();
    alice.send(&Letter::new(&["x@s3.test"], "never arrives"))?;
    // Times of mail outlast a crash; besides, a server that has just started knows them to the second.
    hosts.a.borrow_mut().kill();
    hosts.a.borrow_mut().launch()?;
    let delayed = one_report(&alice, "delayed", "x@s3.test")?;
    demand(
        began.elapsed() >= Duration::from_secs(10),
        "not before its time",
        &delayed,
    )?;
    let failed = one_report(&alice, "failed", "x@s3.test");
    reload(hosts, before)?;
    let failed = failed?;
    demand(
        failed.contains("never today"),
        "the last answer is in the report",
        &failed,
    )?;
    nothing_waits(&hosts.a)?;
    one_report(&alice, "delayed", "x@s3.test")?;
    demand(sink.accepted().is_empty(), "nothing arrived", "")?;
    Ok(format!(
        "{} attempts in {:.0} s",
        sink.statistics().transactions,
        began.elapsed().as_secs_f64()
    ))
}

fn reload(hosts: &Hosts, settings: String) -> Result<(), String> {
    hosts.a.borrow_mut().plan.settings = settings;
    hosts.a.borrow().write_settings()?;
    hosts.a.borrow().tell(&["reload"]).map(drop)
}

fn partition(hosts: &Hosts) -> Played {
    let alice = hosts.person("alice@a.test");
    let (sink, elsewhere) = (hosts.sink(0, "")?, hosts.sink(1, "")?);
    let cut: Vec<IpAddr> = [[203, 0, 113, 41], [203, 0, 113, 20]].map(IpAddr::from).to_vec();
    hosts.host_a.cut_off(&cut)?;
    let sent = send_many(&alice, "s0.test", "partition", MANY);
    let b = alice.send(&Letter::new(&["bob@b.test"], "partition to B"));
    let other = alice.send(&Letter::new(&["x@s1.test"], "partition elsewhere"));
    let served = taken(&hosts.a, &elsewhere, 1, Duration::from_secs(5));
    std::thread::sleep(CUT_OFF);
    hosts.host_a.heal()?;
    sent?;
    b?;
    other?;
    served.map_err(|why| format!("a partition elsewhere held this up: {why}"))?;
    hosts.a.borrow().retry_all()?;
    taken(&hosts.a, &sink, MANY as u64, Duration::from_secs(60))?;
    each_once(&sink, MANY)?;
    hosts
        .person("bob@b.test")
        .receives_subject("partition to B", LATER)?;
    let most = sink.statistics().most_open;
    demand(
        most <= CONNECTIONS,
        "no herd after the partition",
        &format!("{most} connections at once"),
    )?;
    nothing_waits(&hosts.a)?;
    Ok(format!(
        "{MANY} messages, each once, over at most {most} connections at a time"
    ))
}

fn killed(hosts: &Hosts) -> Played {
    let alice = hosts.person("alice@a.test");
    let sink = hosts.sink(2, "")?;
    let (mut sent, mut kills) = (0, 0);
    for round in 0..3 {
        sink.set(Script::read("data: reply 451 4.3.0 wait for it")?);
        send_many(&alice, "s2.test", &format!("kill {round}"), MANY)?;
        sent += MANY as u64;
        let goal = sink.accepted_count() + 5;
        sink.set(Script::good());
        hosts.a.borrow().retry_all()?;
        let began = Instant::now();
        while sink.accepted_count() < goal && began.elapsed() < LATER {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut server = hosts.a.borrow_mut();
        server.kill();
        kills += 1;
        server.launch()?;
    }
    hosts.a.borrow().retry_all()?;
    eventually(LATER, "everything arrived", || {
        Ok(sink.counts().len() as u64 >= sent)
    })?;
    nothing_waits(&hosts.a)?;
    let (doubled, most) = doubled(&sink);
    demand(
        sink.counts().len() as u64 == sent && most <= 1,
        "nothing lost, at most one a connection doubled",
        &format!(
            "{} of {sent} arrived, {doubled} doubled, up to {most} of one connection",
            sink.counts().len()
        ),
    )?;
    Ok(format!(
        "{sent} messages over {kills} kills, {doubled} doubled, at most {most} of one connection"
    ))
}

/// How many messages came again after they had been taken, and how many of them at most over one connection.
fn doubled(sink: &Sink) -> (usize, usize) {
    let mut last_taken_over = BTreeMap::new();
    let mut by_connection: BTreeMap<u64, usize> = BTreeMap::new();
    for message in sink.accepted() {
        if let Some(earlier) = last_taken_over.insert(message.message_id, message.connection) {
            *by_connection.entry(earlier).or_default() += 1;
        }
    }
    (
        by_connection.values().sum(),
        by_connection.values().copied().max().unwrap_or(0),
    )
}

/// Sends `count` messages with numbered subjects in one session.
fn send_many(from: &Person, domain: &str, subject: &str, count: usize) -> Result<(), String> {
    let mut session = from.session()?;
    for number in 0..count {
        let to = format!("x{number}@{domain}");
        from.send_in(&mut session, &Letter::new(&[&to], &format!("{subject} {number}")))?;
    }
    session.ask("QUIT");
    Ok(())
}

/// Waits until the sink took `count` messages. On the way everything that waits is made due, so that no schedule is waited for.
fn taken(server: &RefCell<Server>, sink: &Sink, count: u64, patience: Duration) -> Result<(), String> {
    let began = Instant::now();
    while sink.accepted_count() < count {
        if began.elapsed() > patience {
            return Err(format!(
                "the sink took {} of {count}: {:?}; waiting: {:?}",
                sink.accepted_count(),
                sink.statistics(),
                server.borrow().waiting()
            ));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn each_once(sink: &Sink, count: usize) -> Result<(), String> {
    let counts = sink.counts();
    let wrong: BTreeMap<_, _> = counts.iter().filter(|(_, count)| **count != 1).collect();
    if counts.len() == count && wrong.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{} of {count} arrived; more than once: {wrong:?}",
            counts.len()
        ))
    }
}

fn one_report(person: &Person, action: &str, about: &str) -> Result<String, String> {
    let what = format!("report that {about} {action}");
    let mut found = person.receives(1, &what, LATER, |message| is_report(message, action, about))?;
    Ok(found.remove(0))
}

fn no_reports(person: &Person, about: &str) -> Result<(), String> {
    let found = person.read("INBOX")?;
    match found.iter().find(|message| is_report(message, "failed", about)) {
        Some(report) => Err(format!("{about} was bounced: {report}")),
        None => Ok(()),
    }
}

fn nothing_waits(server: &RefCell<Server>) -> Result<(), String> {
    eventually(LATER, "nothing waits any more", || {
        Ok(server.borrow().waiting()?.is_empty())
    })
}

fn eventually(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<bool, String>,
) -> Result<(), String> {
    let began = Instant::now();
    while !look()? {
        if began.elapsed() > patience {
            return Err(format!("not within {patience:?}: {what}"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn demand(holds: bool, what: &str, evidence: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{what}; but:\n{evidence}"))
    }
}
