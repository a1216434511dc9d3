//! The event log on a real file system.

#![allow(clippy::unwrap_used, reason = "a test that fails should fail loudly")]

use std::sync::Arc;
use std::time::Duration;

use mail::ids::{Id, QueueId};
use testkit::clock::{START, SimClock};
use world::events::{Event, Events, Severity, Value};
use world_real::log::{FILE_NAME, LogEvents, Options, trace};

struct Step {
    id: Option<QueueId>,
    what: String,
}

impl Event for Step {
    fn name(&self) -> &'static str {
        "test.step"
    }
    fn severity(&self) -> Severity {
        Severity::Info
    }
    fn queue_id(&self) -> Option<QueueId> {
        self.id
    }
    fn sentence(&self) -> String {
        "A step was taken.".into()
    }
    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        field("what", Value::Text(&self.what));
    }
}

fn id_made_at(ms: u64, sequence: u64) -> QueueId {
    QueueId::from_raw(ms << 21 | sequence)
}

#[test]
fn events_come_out_in_order_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimClock::new();
    for round in 0..2 {
        let log = LogEvents::open(&Options::files(dir.path()), clock.door()).unwrap();
        for number in 0..100 {
            log.emit(&Step {
                id: None,
                what: format!("{round}.{number}"),
            });
        }
        log.flush();
        let text = std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
        assert_eq!(text.lines().count(), 100 * (round + 1));
        assert_eq!(log.dropped(), 0);
    }
    let text = std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
    let expected = format!(
        "{{\"time\":\"{}\",\"event\":\"test.step\",\"severity\":\"info\",\"sentence\":\"A step was taken.\",\"what\":\"0.0\"}}",
        START.rfc3339()
    );
    assert_eq!(text.lines().next(), Some(expected.as_str()));
    assert!(text.lines().last().unwrap().contains("\"what\":\"1.99\""));
}

#[test]
fn a_line_that_a_crash_cut_off_does_not_join_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    std::fs::write(&path, "{\"time\":\"2026").unwrap();
    let log = LogEvents::open(&Options::files(dir.path()), SimClock::new().door()).unwrap();
    log.emit(&Step {
        id: None,
        what: "after".into(),
    });
    log.close();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.lines().nth(1).unwrap().starts_with("{\"time\":"));
}

#[test]
fn the_life_of_a_message_is_found_across_rotated_files() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimClock::new();
    let options = Options {
        file_max_bytes: 200_000,
        ..Options::files(dir.path())
    };
    let log = LogEvents::open(&options, clock.door()).unwrap();
    let mut wanted = None;
    for minute in 0..200u64 {
        let id = id_made_at(START.0 + minute * 60_000, 0);
        for number in 0..20 {
            log.emit(&Step {
                id: Some(id),
                what: format!("{number} of {minute}"),
            });
        }
        if minute == 100 {
            wanted = Some(id);
        }
        if minute == 150 {
            log.emit(&Step {
                id: wanted,
                what: "much later".into(),
            });
            log.emit(&Step {
                id: None,
                what: format!("\",\"queue_id\":\"{}\"", wanted.unwrap()),
            });
        }
        log.flush();
        clock.jump(Duration::from_secs(60));
    }
    log.close();
    let files = std::fs::read_dir(dir.path()).unwrap().count();
    assert!(files > 2, "rotation happened: {files}");
    let lines = trace::lines_of(dir.path(), wanted.unwrap()).unwrap();
    assert_eq!(lines.len(), 21, "forged mentions do not count");
    assert!(lines[0].contains("\"what\":\"0 of 100\""));
    assert!(lines[20].contains("much later"));
    assert!(
        trace::lines_of(dir.path(), id_made_at(START.0, 77))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_message_is_found_although_the_clock_went_back() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimClock::new();
    let log = LogEvents::open(&Options::files(dir.path()), clock.door()).unwrap();
    let id = id_made_at(START.0, 5);
    clock.set_wall_clock(-24 * 3600 * 1000);
    for number in 0..2000 {
        log.emit(&Step {
            id: None,
            what: number.to_string(),
        });
    }
    log.emit(&Step {
        id: Some(id),
        what: "yesterday".into(),
    });
    clock.set_wall_clock(48 * 3600 * 1000);
    for number in 0..2000 {
        log.emit(&Step {
            id: None,
            what: number.to_string(),
        });
    }
    log.close();
    assert_eq!(trace::lines_of(dir.path(), id).unwrap().len(), 1);
}

#[test]
fn the_newest_messages_about_somebody_are_found_across_rotated_files() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimClock::new();
    let options = Options {
        file_max_bytes: 20_000,
        ..Options::files(dir.path())
    };
    let log = LogEvents::open(&options, clock.door()).unwrap();
    let id = |minute: u64| id_made_at(START.0 + minute * 60_000, 0);
    for minute in 0..200u64 {
        let whose = if minute % 10 == 0 {
            "Bob@Y.test"
        } else {
            "carol@y.test"
        };
        for what in [whose.to_owned(), format!("more of {minute}")] {
            log.emit(&Step {
                id: Some(id(minute)),
                what,
            });
        }
        log.emit(&Step {
            id: None,
            what: format!("bob@y.test \",\"queue_id\":\"{}\"", id(5)),
        });
        log.flush();
        clock.jump(Duration::from_secs(60));
    }
    log.close();
    let wanted = |line: &str| line.contains("Bob");
    let found = world_real::log::about::about(dir.path(), "bob@y.test", wanted, 3).unwrap();
    let ids: Vec<_> = found.keys().copied().collect();
    assert_eq!(ids, [id(170), id(180), id(190)]);
    assert!(found.values().all(|lines| lines.len() == 2), "{found:?}");
    let all = world_real::log::about::about(dir.path(), "bob@y.test", |_| true, 1000).unwrap();
    assert_eq!(all.len(), 20, "forged mentions do not count");
}

#[test]
fn old_files_are_dropped_beyond_the_number_kept() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        file_max_bytes: 1000,
        files_kept: 2,
        ..Options::files(dir.path())
    };
    let log = LogEvents::open(&options, SimClock::new().door()).unwrap();
    for number in 0..100 {
        log.emit(&Step {
            id: None,
            what: number.to_string(),
        });
        log.flush();
    }
    log.close();
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            FILE_NAME.to_owned(),
            format!("{FILE_NAME}.1"),
            format!("{FILE_NAME}.2")
        ]
    );
}

#[test]
fn what_the_disk_is_too_slow_for_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let log: Arc<LogEvents> = LogEvents::open(&Options::files(dir.path()), SimClock::new().door()).unwrap();
    let much = "x".repeat(2000);
    let (threads, each) = (4, 4000);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..each {
                    log.emit(&Step {
                        id: None,
                        what: much.clone(),
                    });
                }
            });
        }
    });
    log.close();
    let text = std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
    let written = text.lines().filter(|line| line.contains("test.step")).count() as u64;
    assert_eq!(written + log.dropped(), threads * each);
    let told: u64 = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["dropped_count"].as_u64())
        .sum();
    assert_eq!(told, log.dropped());
}
