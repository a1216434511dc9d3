//! fifty domains that drip, one that swallows connections, and a healthy one beside them.

use super::field::{Field, Steady, percentile};
use crate::campaign::mailer::Letter;
use std::time::{Duration, Instant};
use testkit::sink::Script;

/// Messages to each dripping domain.
const EACH: usize = 4;
/// Messages to the black hole, long and short.
const INTO_THE_HOLE: [usize; 2] = [1_000, 200];
/// How long half of the domains have to begin dripping.
const CROWDED_LIMIT: Duration = Duration::from_secs(60);
/// How long the healthy domain is watched.
const WATCH: Duration = Duration::from_secs(15);

/// Runs it; the text is what the healthy domain got.
pub fn run(field: &Field, short: bool) -> Result<String, String> {
    for sink in &field.dripping {
        sink.set(Script::read("banner: drip 5")?);
    }
    field.hole.set(Script::read("connect: black-hole")?);
    let hole = INTO_THE_HOLE[usize::from(short)];
    let mut session = field.alice.session()?;
    for number in 0..hole {
        let subject = format!("hole {number}");
        field
            .alice
            .send_in(&mut session, &Letter::new(&["x@hole.test"], &subject))?;
    }
    for number in 0..EACH * field.dripping.len() {
        let (to, subject) = (
            format!("x@d{}.test", number % field.dripping.len()),
            format!("drip {number}"),
        );
        field
            .alice
            .send_in(&mut session, &Letter::new(&[&to], &subject))?;
    }
    let began = Instant::now();
    let dripping = || {
        let reached = |sink: &&testkit::sink::Sink| sink.statistics().misbehaviours > 0;
        field.dripping.iter().filter(reached).count()
    };
    while dripping() < field.dripping.len() / 2 && began.elapsed() < CROWDED_LIMIT {
        std::thread::sleep(Duration::from_millis(100));
    }
    let steady = Steady::start(field);
    std::thread::sleep(WATCH);
    let times = steady.stop()?;
    let p99 = percentile(&times, 99.0);
    let text = format!(
        "{} domains dripping, {hole} messages for the hole: p99 {p99:?} over {} messages",
        dripping(),
        times.len()
    );
    if p99 < super::HEALTHY_P99 && times.len() >= 20 {
        Ok(text)
    } else {
        Err(text)
    }
}
