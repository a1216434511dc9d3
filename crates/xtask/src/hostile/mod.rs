//! `cargo xtask hostile [--short] [--release] [--binary PATH]`: the hostile world. A real server sends to sinks that misbehave at
//! every stage in every way (recipe R8), to names that DNS tells badly of (R9), and to a healthy domain meanwhile.
//!
//! 1. [`cells`] is the matrix: stage × behaviour → what may become of a message;
//! 2. [`field`] puts up the sinks (one address of 127.60/16 each), the names and the server;
//! 3. [`run`] sends into every cell, waits until each has misbehaved, and judges: what is temporary waits, what is permanent has
//!    bounced once, what works has arrived;
//! 4. then every sink turns healthy: what waited arrives exactly once, nothing is doubled, nothing bounced wrongly, nothing lost;
//! 5. meanwhile a healthy domain gets mail all the time: its 99th percentile is printed, and less than 5 s;
//! 6. [`starving`]: fifty dripping domains and a black hole beside the healthy one.

#![allow(
    clippy::disallowed_methods,
    reason = "campaigns look at the program from outside, in real time, over real sockets"
)]

mod cells;
mod field;
mod judge;
mod starving;

use crate::campaign::{binary, place, told};
use crate::report::{Outcome, Summary};
use cells::Cell;
use field::{Field, Steady};
use judge::Verdicts;
use std::time::{Duration, Instant};

/// How long every cell may take to misbehave.
const TRIED_LIMIT: Duration = Duration::from_secs(180);
/// How long the second attempt may take.
const SECOND_LIMIT: Duration = Duration::from_secs(90);
/// How long everything may take to arrive once all is well.
const HEALED_LIMIT: Duration = Duration::from_secs(300);
/// Threat cases.
const HEALTHY_P99: Duration = Duration::from_secs(5);
/// Threat case DUR-7.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// What the queue may grow by under all this.
const MOST_GROWTH_KIB: f64 = 64.0 * 1024.0;

/// Runs the whole campaign.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let mut summary = Summary::new();
    let short = args.iter().any(|arg| arg == "--short");
    let cells = cells::all(short);
    let place = place("hostile")?;
    let mut field = Field::start(&binary(args)?, &place, &cells)?;
    matrix(&field, &cells, &mut summary)?;
    told(
        &mut summary,
        "q_6_q_8 dripping and dead domains do not hold up a healthy one",
        starving::run(&field, short),
    );
    told(
        &mut summary,
        "dur_7 SIGTERM while connections hang in many stages",
        field.server.stop().and_then(|took| {
            let text = format!("ended in {:.1} s", took.as_secs_f64());
            if took < STOP_LIMIT { Ok(text) } else { Err(text) }
        }),
    );
    drop(field);
    if summary.failed() == 0 {
        std::fs::remove_dir_all(&place)?;
    }
    Ok(summary)
}

fn matrix(field: &Field, cells: &[Cell], summary: &mut Summary) -> Outcome<()> {
    let began = Instant::now();
    let before = field.resident_kib()?;
    let steady = Steady::start(field);
    field.send_into(cells)?;
    let late = field.wait_until_tried(cells, TRIED_LIMIT)?;
    // Names that hang may have held up others in the first crowd; in the second attempt everybody shows what he is.
    field.server.retry_all()?;
    let second = Instant::now();
    let mut sick = judge::while_sick(field, cells)?;
    while !sick.wrong.is_empty() && second.elapsed() < SECOND_LIMIT {
        std::thread::sleep(Duration::from_secs(1));
        sick = judge::while_sick(field, cells)?;
    }
    let after = field.resident_kib()?;
    println!(
        "  {} cells tried in {:.1} s",
        cells.len(),
        began.elapsed().as_secs_f64()
    );
    field.heal(cells)?;
    let left = field.wait_until_empty(HEALED_LIMIT)?;
    let times = steady.stop()?;
    let healed = judge::when_healed(field, cells)?;
    print_table(cells, &sick, &healed);
    let verdict = |good: bool, text: String| if good { Ok(text) } else { Err(text) };
    told(
        summary,
        "every cell misbehaved",
        verdict(
            late.is_empty(),
            format!("{} cells; never reached: {late:?}", cells.len()),
        ),
    );
    told(
        summary,
        "q_1_q_2_q_5_q_7_q_10 what is temporary waits and does not bounce, q_3_q_4 what is permanent bounces once",
        sick.told(),
    );
    told(
        summary,
        "0 lost, 0 wrongly bounced, 0 doubled once all is well",
        verdict(
            left.is_empty() && healed.wrong.is_empty(),
            format!(
                "{} recipients; wrong: {:?}; still waiting: {left:?}",
                healed.recipients, healed.wrong
            ),
        ),
    );
    let p99 = field::percentile(&times, 99.0);
    told(
        summary,
        "a healthy domain's p99 meanwhile",
        verdict(
            p99 < HEALTHY_P99 && times.len() >= 20,
            format!(
                "{p99:?} over {} messages, slowest {:?}",
                times.len(),
                times.last()
            ),
        ),
    );
    told(
        summary,
        "q_7 memory stays flat",
        verdict(
            after - before < MOST_GROWTH_KIB,
            format!(
                "{:.1} MiB before, {:.1} MiB meanwhile",
                before / 1024.0,
                after / 1024.0
            ),
        ),
    );
    told(
        summary,
        "no sink saw a breach of the protocol",
        field.violations(cells),
    );
    Ok(())
}

/// One line a cell: what it did, what had become of its recipients before and after.
fn print_table(cells: &[Cell], sick: &Verdicts, healed: &Verdicts) {
    println!("  {:<34} {:<28} after healing", "cell", "while sick");
    for (cell, (before, after)) in cells.iter().zip(sick.rows.iter().zip(&healed.rows)) {
        println!("  {:<34} {before:<28} {after}", cell.name);
    }
}
