//! The test of the test: five planted faults, each of which must make a campaign fail.
//!
//! The program is built with the feature `planted-faults`; `HEARTHPOST_PLANT` then chooses one. The same build without a plant
//! must pass, with every acceptance replayed (`HEARTHPOST_REPLAY`), as after a crash between a commit and the news of it.

use std::path::{Path, PathBuf};

use super::demo::Launch;
use super::told;
use super::{crash, diskfaults};
use crate::report::Summary;

/// Runs all five, and the sound build beside them.
pub fn run(binary: &Path, place: &Path, seed: u64) -> Result<Summary, String> {
    let mut tally = Summary::new();
    told(
        &mut tally,
        "the sound build survives replays",
        sound(binary, place, seed),
    );
    told(
        &mut tally,
        "planted: 250 before the sync is caught",
        caught(&crash_with(binary, place, seed, "early-answer", 40)?, "lost"),
    );
    told(
        &mut tally,
        "planted: no UNIQUE is caught",
        caught(&crash_with(binary, place, seed, "no-unique", 4)?, "doubled"),
    );
    told(
        &mut tally,
        "planted: a REPLACE in two commits is caught",
        caught(&crash_with(binary, place, seed, "split-replace", 40)?, "halved"),
    );
    told(
        &mut tally,
        "planted: a resynchronisation that forgets what went is caught",
        caught(&crash_with(binary, place, seed, "lost-vanished", 20)?, "unsaid"),
    );
    let unchecked = diskfaults::dsk_8(
        binary,
        &place.join("no-checksum"),
        &[("HEARTHPOST_PLANT", "no-checksum")],
    );
    told(
        &mut tally,
        "planted: no checksum is caught",
        match unchecked {
            Err(found) if found.contains("flipped") => Ok(found),
            other => Err(format!("the campaign did not notice: {other:?}")),
        },
    );
    Ok(tally)
}

fn sound(binary: &Path, place: &Path, seed: u64) -> Result<String, String> {
    let report = crash_with(binary, place, seed, "none", 4)?;
    if report.clean() {
        Ok(format!("{} kills, {:?}", report.cycles, report.findings))
    } else {
        Err(format!("{report:?}"))
    }
}

fn caught(report: &crash::Report, how: &str) -> Result<String, String> {
    let found = report.findings;
    let noticed = match how {
        "lost" => {
            found.lost > 0
                || report
                    .wrong
                    .iter()
                    .any(|what| what.contains("lost") || what.contains("elsewhere"))
        }
        "halved" => report
            .wrong
            .iter()
            .any(|what| what.contains("replaced and is still there")),
        "unsaid" => report
            .wrong
            .iter()
            .any(|what| what.contains("leads elsewhere than reading")),
        _ => found.duplicate > 0,
    };
    if noticed {
        Ok(format!("after {} kills: {found:?}", report.cycles))
    } else {
        Err(format!("not noticed in {} kills: {found:?}", report.cycles))
    }
}

fn crash_with(
    binary: &Path,
    place: &Path,
    seed: u64,
    plant: &str,
    cycles: usize,
) -> Result<crash::Report, String> {
    let launch = Launch::plain(binary, 12)
        .with_env("HEARTHPOST_PLANT", plant)
        .with_env("HEARTHPOST_REPLAY", "20");
    let place: PathBuf = place.join(plant);
    std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
    let options = crash::Options {
        launch,
        cycles,
        seed,
        place,
        stop_at_first: true,
    };
    crash::run(&options).map(|(report, _)| report)
}
