//! Threat case TLS-4: the list remembers what the operator said, tells of downgrades, and grows without bound for nobody.

use std::time::Duration;

use testkit::clock::SimClock;
use testkit::events::CollectEvents;

use super::super::attempt::ResultType;
use super::super::dry_run::dry_run;
use super::super::policy::Required;
use super::super::rpt::evidence::Grade;
use super::super::rpt::evidence::Terms;
use super::super::rpt::evidence::tests::session;
use super::super::shelf::tests::MemoryShelf;
use super::super::sts::policy::StsPolicy;
use super::*;

const DAY: Duration = Duration::from_secs(86_400);

struct Desk {
    shelf: Arc<MemoryShelf>,
    clock: SimClock,
    events: Arc<CollectEvents>,
}

impl Desk {
    fn new() -> Self {
        Self {
            shelf: MemoryShelf::new(),
            clock: SimClock::new(),
            events: Arc::new(CollectEvents::new()),
        }
    }

    fn open(&self) -> Result<Arc<Book>, String> {
        Book::open(
            self.shelf.clone(),
            self.clock.door(),
            self.events.clone(),
            Settings::default(),
        )
    }

    /// Two good sessions a day.
    fn good_days(&self, book: &Book, domain: &str, days: u32) {
        for _ in 0..days {
            book.saw_good(domain, "mx.there.test");
            book.saw_good(domain, "mx.there.test");
            self.clock.jump(DAY);
        }
    }
}

fn require() -> Entry {
    Entry::Require {
        any_certificate: false,
        hosts: Vec::new(),
    }
}

fn is_required(book: &Book, domain: &str) -> bool {
    let verified = |listed| {
        matches!(
            listed,
            Listed::Required {
                what: Required::Verified,
                fits: true,
                ..
            }
        )
    };
    verified(book.listed(domain, "mx.there.test"))
}

#[test]
fn tls_4_the_operator_s_word_is_kept_over_restarts_and_damage_to_it_is_not_passed_over() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    assert!(!is_required(&book, "there.test"));
    book.note("there.test", Some(require()), "uid 0").unwrap();
    assert!(is_required(&book, "there.test") && !is_required(&book, "sub.there.test"));
    let again = desk.open().unwrap();
    assert!(is_required(&again, "there.test"));
    assert_eq!(
        again.told("there.test").noted.map(|noted| noted.by).as_deref(),
        Some("uid 0")
    );
    *desk.shelf.refuses.lock() = true;
    assert!(matches!(
        again.note("there.test", None, "uid 0"),
        Err(NoEntry::Disk(_))
    ));
    assert!(is_required(&again, "there.test"), "nothing changed");
    *desk.shelf.refuses.lock() = false;
    again.note("there.test", None, "uid 0").unwrap();
    assert!(!is_required(&again, "there.test"));
    desk.shelf
        .files
        .lock()
        .insert(REQUIRED.to_owned(), b"hearthpost-tls 1 0\n{}".to_vec());
    let error = desk.open().err().unwrap();
    assert!(
        error.contains("damaged") && error.contains("hearthpost tls require"),
        "{error}"
    );
}

#[test]
fn tls_4_what_the_program_knows_can_be_taken_back_by_the_operator() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    assert!(is_required(&book, "gmail.com"), "shipped");
    let exempt = book.to_remove("gmail.com").unwrap();
    assert_eq!(exempt, Some(Entry::Exempt));
    book.note("gmail.com", exempt, "uid 0").unwrap();
    assert!(!is_required(&book, "gmail.com"));
    let again = book.to_remove("gmail.com");
    assert!(
        matches!(again, Err(NoEntry::Nothing)),
        "it is off the list already"
    );
    book.note("gmail.com", Some(require()), "uid 0").unwrap();
    assert!(is_required(&book, "gmail.com"), "and given again");
    assert!(matches!(book.to_remove("there.test"), Err(NoEntry::Nothing)));
    book.note("there.test", Some(require()), "uid 0").unwrap();
    assert!(matches!(book.to_remove("there.test"), Ok(None)));
    let required = vec!["set.test".to_owned()];
    book.set(Settings {
        required,
        ..Settings::default()
    });
    assert!(is_required(&book, "set.test"));
    assert!(matches!(book.to_remove("set.test"), Err(NoEntry::InSettings)));
    let names: Vec<String> = book.all("", 1000).into_iter().map(|told| told.domain).collect();
    assert!(names.is_sorted() && names.len() > 20 && names.contains(&"set.test".to_owned()));
    assert_eq!(book.all("set.test", 1)[0].domain, "startmail.com");
}

#[test]
fn tls_4_a_downgrade_of_a_known_domain_is_told_and_one_of_a_required_domain_every_day() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    desk.good_days(&book, "there.test", 30);
    let reached = desk.events.named("tls.stage-reached");
    assert_eq!(
        reached
            .iter()
            .map(|event| event.text("stage").unwrap())
            .collect::<Vec<_>>(),
        ["observe", "warn"]
    );
    book.saw_bad("there.test", "mx.there.test", "no STARTTLS");
    book.saw_bad("there.test", "mx.there.test", "no STARTTLS");
    let told = desk.events.named("tls.downgraded");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].number("days"), Some(30));
    assert!(
        told[0].sentence.contains("hearthpost tls require there.test"),
        "{}",
        told[0].sentence
    );
    book.saw_bad("new.test", "mx.new.test", "no STARTTLS");
    assert_eq!(
        desk.events.named("tls.downgraded").len(),
        1,
        "nobody expected anything of that one"
    );

    for _ in 0..2 {
        book.saw_bad("comcast.net", "mx.comcast.net", "no STARTTLS");
    }
    let told = desk.events.named("tls.downgraded");
    assert_eq!(told.len(), 2, "the shipped list expected something of this one");
    assert!(
        told[1].sentence.starts_with("comcast.net is on the shipped list"),
        "{}",
        told[1].sentence
    );

    book.note("must.test", Some(require()), "uid 0").unwrap();
    for _ in 0..3 {
        book.saw_bad("must.test", "mx.must.test", "no STARTTLS");
        book.saw_bad("must.test", "mx.must.test", "no STARTTLS");
        desk.clock.jump(DAY);
    }
    let withheld = desk.events.named("tls.withheld");
    assert_eq!(withheld.len(), 3, "once a day");
    assert!(
        withheld[0].sentence.contains("hearthpost tls remove must.test"),
        "{}",
        withheld[0].sentence
    );
    assert_eq!(withheld[0].text("by"), Some("operator"));
}

#[test]
fn what_was_learned_and_seen_comes_back_and_damage_begins_it_anew() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    desk.good_days(&book, "there.test", 7);
    book.count(
        session("there.test", "mx.there.test", None, Grade::Verified),
        Terms::default,
    );
    book.save();
    let again = desk.open().unwrap();
    assert_eq!(again.told("there.test").seen.map(|seen| seen.good_days), Some(7));
    assert_eq!(again.evidence(again.today()).unwrap().rows().count(), 1);
    let mut files = desk.shelf.files.lock();
    for (name, content) in files.iter_mut().filter(|(name, _)| name.as_str() != REQUIRED) {
        assert!(name.ends_with(".json"));
        *content.last_mut().unwrap() ^= 1;
    }
    drop(files);
    let anew = desk.open().unwrap();
    assert_eq!(anew.told("there.test").seen, None);
    assert_eq!(desk.events.named("tls.memory-damaged").len(), 2);
    assert!(desk.shelf.files.lock().contains_key("learned.json.damaged"));
}

#[test]
fn a_disk_that_refuses_is_told_and_nothing_is_lost_meanwhile() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    book.saw_good("there.test", "mx.there.test");
    book.count(session("there.test", "mx", None, Grade::Verified), Terms::default);
    *desk.shelf.refuses.lock() = true;
    book.save();
    assert_eq!(desk.events.named("tls.memory-refused").len(), 2);
    for _ in 0..100 {
        book.save();
    }
    assert_eq!(desk.events.named("tls.memory-refused").len(), 2, "each file once");
    desk.clock.jump(Duration::from_secs(3600));
    book.save();
    assert_eq!(
        desk.events.named("tls.memory-refused").len(),
        4,
        "and after an hour again"
    );
    desk.clock.jump(DAY);
    book.count(session("next.test", "mx", None, Grade::Verified), Terms::default);
    book.save();
    *desk.shelf.refuses.lock() = false;
    book.save();
    let taken = desk.events.named("tls.memory-taken");
    assert_eq!(taken.len(), 3, "{taken:?}");
    assert!(
        taken[0].sentence.ends_with("is written to learned.json again."),
        "{taken:?}"
    );
    book.save();
    assert_eq!(desk.events.named("tls.memory-taken").len(), 3, "told once");
    let again = desk.open().unwrap();
    assert!(again.told("there.test").seen.is_some());
    for (before, domain) in [(1, "there.test"), (0, "next.test")] {
        assert_eq!(
            again
                .evidence(again.today().before(before))
                .unwrap()
                .of(domain)
                .count(),
            1,
            "{domain}"
        );
    }
}

#[test]
fn evidence_is_kept_by_day_for_a_month() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    let damaged = format!("{}.damaged", file_of(book.today()));
    desk.shelf.files.lock().insert(damaged.clone(), Vec::new());
    for _ in 0..40 {
        book.count(session("there.test", "mx", None, Grade::Verified), Terms::default);
        book.save();
        desk.clock.jump(DAY);
    }
    assert!(
        !desk.shelf.files.lock().contains_key(&damaged),
        "it goes as its day does"
    );
    let today = book.today();
    let days: Vec<u32> = (0..50)
        .filter(|before| !book.evidence(today.before(*before)).unwrap().is_empty())
        .collect();
    assert_eq!(days, (1..=32).collect::<Vec<_>>());
}

#[test]
fn tls_4_a_dry_run_tells_what_would_have_failed_if_everything_proposed_had_been_required() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    let stripped = session(
        "late.test",
        "mx.late.test",
        Some(ResultType::StarttlsNotSupported),
        Grade::Clear,
    );
    for _ in 0..3 {
        book.count(stripped.clone(), Terms::default);
    }
    book.count(
        session("late.test", "mx.late.test", None, Grade::Encrypted),
        Terms::default,
    );
    for domain in ["late.test", "fine.test"] {
        book.count(session(domain, "mx", None, Grade::Verified), Terms::default);
    }
    book.count(
        Session {
            domain: "unknown.test".to_owned(),
            ..stripped.clone()
        },
        Terms::default,
    );
    book.count(
        Session {
            domain: "gmail.com".to_owned(),
            ..stripped
        },
        Terms::default,
    );
    book.save();
    for _ in 0..8 {
        for domain in ["late.test", "fine.test"] {
            book.saw_good(domain, "mx");
            book.saw_good(domain, "mx");
        }
        desk.clock.jump(DAY);
    }
    let month = dry_run(&book, 30).unwrap();
    let told: Vec<(&str, u64, u64)> = month
        .domains
        .iter()
        .map(|trial| (trial.domain.as_str(), trial.sessions, trial.would_fail))
        .collect();
    assert_eq!(
        told,
        [("late.test", 5, 4), ("fine.test", 1, 0)],
        "not those that are required or unknown"
    );
    assert_eq!(month.domains[0].proposed, "observe");
    assert_eq!(
        month.domains[0].reasons,
        [
            ("mx.late.test: some words".to_owned(), 3),
            ("mx.late.test: the certificate does not verify".to_owned(), 1)
        ]
    );
    assert!(
        dry_run(&book, 3).unwrap().domains.is_empty(),
        "that was longer ago"
    );
}

#[test]
fn q_7_no_number_of_domains_grows_the_memory_without_end() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    for number in 0..LEARN_DOMAINS + 100 {
        book.saw_good(&format!("d{number}.test"), "mx");
    }
    assert!(book.state.lock().learned.len() <= LEARN_DOMAINS);
    book.with_policy("nothing.test", Remembered::used);
    assert!(book.state.lock().sts.get("nothing.test").is_none());
}

fn enforced() -> StsPolicy {
    StsPolicy {
        mode: StsMode::Enforce,
        mx: vec!["mx".to_owned()],
        max_age_s: 86_400,
    }
}

/// Ten years, in milliseconds.
const TEN_YEARS: i64 = 3_650 * 86_400_000;

fn fetch(book: &Book, domain: &str) {
    book.with_policy(domain, |known, now| {
        known.fetched("1".to_owned(), enforced(), now);
    });
}

fn is_enforced(book: &Book, domain: &str) -> bool {
    matches!(book.sts(domain, "mx"), Sts::Enforce(_))
}

fn fetched_at(book: &Book, domain: &str) -> u64 {
    book.told(domain).sts.unwrap().fetched_at
}

#[test]
fn q_12_a_clock_ten_years_ahead_for_an_hour_costs_no_policy_and_ages_none() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    fetch(&book, "there.test");
    let (then, hour) = (fetched_at(&book, "there.test"), Duration::from_secs(3600));
    desk.clock.set_wall_clock(TEN_YEARS);
    assert!(is_enforced(&book, "there.test"), "while the clock is ahead");
    assert!(is_required(&book, "gmail.com"), "nor is the shipped list old");
    fetch(&book, "other.test");
    desk.clock.jump(hour);
    book.saw_good("there.test", "mx.there.test");
    book.save();
    desk.clock.set_wall_clock(-TEN_YEARS);
    for book in [&book, &desk.open().unwrap()] {
        assert!(is_enforced(book, "there.test") && is_enforced(book, "other.test"));
        assert_eq!(
            (fetched_at(book, "there.test"), fetched_at(book, "other.test")),
            (then, then)
        );
        assert_eq!(
            book.told("there.test").seen.map(|seen| seen.last),
            Some(book.today())
        );
    }
    desk.clock.jump(DAY - hour);
    assert!(!is_enforced(&book, "there.test"), "its age is over");
}

#[test]
fn q_12_a_clock_at_1970_at_the_start_deletes_and_ages_nothing_and_all_goes_on_when_it_is_right() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    desk.good_days(&book, "there.test", 30);
    for _ in 0..40 {
        see(&book, "mx");
        book.save();
        desk.clock.jump(DAY);
    }
    fetch(&book, "there.test");
    book.save();
    let (then, today) = (fetched_at(&book, "there.test"), book.today());
    let before = desk.shelf.files.lock().clone();
    let learned = book.told("there.test").seen;

    let year_1970 = i64::try_from(book.now().0).unwrap();
    desk.clock.set_wall_clock(-year_1970);
    let book = desk.open().unwrap();
    assert!(is_enforced(&book, "there.test"));
    assert_eq!(book.today(), today, "1970 is no day for evidence");
    for _ in 0..3 {
        desk.clock.jump(Duration::from_secs(1800));
        see(&book, "mx");
        fetch(&book, "new.test");
        book.saw_bad("there.test", "mx.there.test", "no STARTTLS");
        book.save();
    }
    assert_eq!(fetched_at(&book, "there.test"), then);
    assert_eq!(
        book.told("there.test").seen.map(|seen| seen.first),
        learned.map(|seen| seen.first)
    );
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    let mut expected = names(&before);
    expected.push(file_of(today));
    expected.sort();
    assert_eq!(
        names(&desk.shelf.files.lock()),
        expected,
        "no page went, and none is of 1970"
    );

    desk.clock.set_wall_clock(year_1970 + 5 * 3_600_000);
    for book in [&book, &desk.open().unwrap()] {
        assert!(is_enforced(book, "there.test") && is_enforced(book, "new.test"));
        assert_eq!(fetched_at(book, "there.test"), then);
        assert_eq!(book.now(), desk.clock.now());
        assert_eq!(counted(book, today), 3);
    }
    desk.clock.jump(DAY);
    assert!(
        !is_enforced(&book, "there.test") && !is_enforced(&book, "new.test"),
        "they grow old again"
    );
}

#[test]
fn q_12_a_clock_that_is_behind_most_pages_of_evidence_removes_none() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    for _ in 0..12 {
        for _ in 0..3 {
            see(&book, "mx");
            book.save();
            desk.clock.jump(DAY);
        }
        desk.clock.jump(DAY * 47);
    }
    book.saw_good("there.test", "mx.there.test");
    book.save();
    let pages = || {
        let files = desk.shelf.files.lock();
        files.keys().filter(|name| day_of(name).is_some()).count()
    };
    assert_eq!(pages(), 36, "pauses keep old pages");
    desk.clock.set_wall_clock(-590 * 86_400_000);
    for book in [&book, &desk.open().unwrap()] {
        book.save();
        assert_eq!(pages(), 36);
    }
}

#[test]
fn q_12_a_clock_that_was_ahead_at_the_start_costs_no_policy_once_it_is_right() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    fetch(&book, "before.test");
    book.save();
    desk.clock.set_wall_clock(TEN_YEARS);
    let book = desk.open().unwrap();
    fetch(&book, "ahead.test");
    book.save();
    desk.clock.set_wall_clock(-TEN_YEARS);
    for book in [&book, &desk.open().unwrap()] {
        assert!(is_enforced(book, "before.test") && is_enforced(book, "ahead.test"));
        assert_eq!(book.now(), desk.clock.now());
    }
}

#[test]
fn q_12_what_a_clock_that_was_ahead_left_behind_is_put_right_within_a_day() {
    let desk = Desk::new();
    desk.clock.set_wall_clock(TEN_YEARS);
    let book = desk.open().unwrap();
    fetch(&book, "there.test");
    book.save();
    desk.clock.set_wall_clock(-TEN_YEARS);
    let book = desk.open().unwrap();
    desk.clock.jump(DAY);
    assert!(is_enforced(&book, "there.test"));
    assert_eq!(fetched_at(&book, "there.test"), desk.clock.now().0);
    desk.clock.jump(DAY);
    assert!(!is_enforced(&book, "there.test"), "it counted for its day");
}

#[test]
fn q_12_a_clock_that_is_behind_what_was_noted_makes_nothing_older() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    desk.clock.jump(DAY * 100);
    fetch(&book, "there.test");
    book.save();
    let then = fetched_at(&book, "there.test");
    desk.clock.set_wall_clock(-50 * 86_400_000);
    let book = desk.open().unwrap();
    assert!(is_enforced(&book, "there.test"));
    fetch(&book, "new.test");
    desk.clock.jump(Duration::from_secs(3600));
    desk.clock.set_wall_clock(50 * 86_400_000);
    assert_eq!(fetched_at(&book, "there.test"), then);
    assert_eq!(fetched_at(&book, "new.test"), then);
}

#[test]
fn q_7_strangers_with_good_certificates_push_out_nobody_who_has_shown_them_for_days() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    desk.good_days(&book, "there.test", 7);
    for number in 0..2 * LEARN_DOMAINS {
        book.saw_good(&format!("d{number}.test"), "mx");
    }
    let seen = book.told("there.test").seen;
    assert_eq!(seen.map(|seen| seen.good_days), Some(7));
}

#[test]
fn tls_5_many_policies_that_last_for_minutes_do_not_keep_another_from_being_fetched_anew() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    let fetch = |domain: &str, max_age_s: u64| {
        let policy = StsPolicy {
            max_age_s,
            ..enforced()
        };
        book.with_policy(domain, |known, now| known.fetched("1".to_owned(), policy, now));
    };
    fetch("real.test", 7 * 86_400);
    desk.clock.jump(DAY);
    (0..400).for_each(|number| fetch(&format!("d{number}.test"), 600));
    desk.clock.jump(Duration::from_secs(301));
    assert_eq!(book.to_refresh(1_000).len(), 401);
    assert_eq!(book.to_refresh(1), [("real.test".to_owned(), "1".to_owned())]);
    let failed = |known: &mut Remembered, now| {
        known.failed("no".to_owned(), ResultType::StsPolicyFetchError, now);
    };
    book.with_policy("real.test", failed);
    assert_ne!(
        book.to_refresh(1)[0].0,
        "real.test",
        "it has its turn and no more"
    );
}

/// Counts a session with a host, so that days differ.
fn see(book: &Book, host: &str) {
    book.count(session("there.test", host, None, Grade::Verified), Terms::default);
}

#[test]
fn tls_5_a_clock_that_runs_ahead_or_back_deletes_no_evidence_and_puts_none_under_a_wrong_day() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    for _ in 0..20 {
        see(&book, "mx");
        book.save();
        desk.clock.jump(DAY);
    }
    let today = book.today();
    see(&book, "before");
    for days in [1_500, -20_000] {
        for saved in [true, false] {
            desk.clock.set_wall_clock(days * 86_400_000);
            see(&book, "wrong");
            if saved {
                book.save();
            }
            desk.clock.set_wall_clock(-days * 86_400_000);
            see(&book, "after");
            if saved {
                book.save();
            }
        }
    }
    book.save();
    for book in [&book, &desk.open().unwrap()] {
        let counts: Vec<(String, u64)> = book
            .evidence(today)
            .unwrap()
            .rows()
            .map(|(row, count)| (row.host.clone(), count))
            .collect();
        assert_eq!(
            counts,
            [
                ("after".to_owned(), 4),
                ("before".to_owned(), 1),
                ("wrong".to_owned(), 2)
            ],
            "a clock at 1972 is not asked for the day"
        );
        let kept = |before: &u32| !book.evidence(today.before(*before)).unwrap().is_empty();
        assert_eq!((1..40).filter(kept).count(), 20);
    }
}

/// A shelf on which something happens once: before a file of evidence is read, or while it is written.
#[derive(Default)]
struct Trap {
    shelf: Arc<MemoryShelf>,
    before_read: Mutex<Option<Act>>,
    while_writing: Mutex<Option<Act>>,
}

/// What happens, and whether the disk refuses.
type Act = Box<dyn FnOnce() -> io::Result<()> + Send>;

impl Trap {
    fn spring(name: &str, act: &Mutex<Option<Act>>) -> io::Result<()> {
        match name.starts_with(EVIDENCE).then(|| act.lock().take()).flatten() {
            Some(act) => act(),
            None => Ok(()),
        }
    }

    fn open(self: &Arc<Self>, desk: &Desk) -> Arc<Book> {
        let (clock, events) = (desk.clock.door(), desk.events.clone());
        Book::open(self.clone(), clock, events, Settings::default()).unwrap()
    }
}

impl Shelf for Trap {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Self::spring(name, &self.before_read)?;
        self.shelf.read(name)
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        Self::spring(name, &self.while_writing)?;
        self.shelf.write(name, content)
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        self.shelf.set_aside(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.shelf.remove(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.shelf.names()
    }
}

fn counted(book: &Book, day: Day) -> u64 {
    book.evidence(day).unwrap().rows().map(|(_, count)| count).sum()
}

#[test]
fn tls_5_a_disk_that_cannot_be_read_for_a_moment_makes_nothing_count_twice() {
    let (desk, trap) = (Desk::new(), Arc::new(Trap::default()));
    let book = trap.open(&desk);
    desk.clock.jump(DAY);
    see(&book, "mx");
    *trap.before_read.lock() = Some(Box::new(|| Err(io::ErrorKind::Other.into())));
    book.save();
    assert_eq!(desk.events.named("tls.memory-refused").len(), 1);
    see(&book, "mx");
    book.save();
    for book in [&book, &trap.open(&desk)] {
        assert_eq!(counted(book, book.today()), 2);
    }
    assert_eq!(desk.events.named("tls.memory-taken").len(), 1);
}

#[test]
fn tls_5_a_day_that_ends_while_the_disk_refuses_its_page_is_not_lost() {
    for late in [0, 1] {
        let (desk, trap) = (Desk::new(), Arc::new(Trap::default()));
        let (book, clock) = (trap.open(&desk), desk.clock.clone());
        let day = book.today();
        see(&book, "mx");
        let meanwhile = book.clone();
        *trap.while_writing.lock() = Some(Box::new(move || {
            (0..late).for_each(|_| see(&meanwhile, "mx"));
            clock.jump(DAY);
            see(&meanwhile, "mx");
            Err(io::ErrorKind::StorageFull.into())
        }));
        book.save();
        book.save();
        let again = trap.open(&desk);
        assert_eq!(
            (counted(&again, day), counted(&again, again.today())),
            (1 + late, 1)
        );
    }
}

#[test]
fn tls_5_who_asks_while_a_page_is_written_is_told_all_of_it() {
    let (desk, trap) = (Desk::new(), Arc::new(Trap::default()));
    let book = trap.open(&desk);
    let day = book.today();
    see(&book, "mx");
    desk.clock.jump(DAY);
    see(&book, "mx");
    let (telling, told) = std::sync::mpsc::channel();
    let (telling_early, told_early) = std::sync::mpsc::channel();
    let asked = book.clone();
    *trap.while_writing.lock() = Some(Box::new(move || {
        std::thread::spawn(move || telling.send(counted(&asked, day)));
        // An answer that does not wait for the writing comes at once.
        if let Ok(early) = told.recv_timeout(Duration::from_millis(50)) {
            telling_early.send(early).unwrap();
        }
        drop(told);
        Ok(())
    }));
    book.save();
    assert_eq!(told_early.recv().unwrap_or(1), 1);
    assert_eq!(counted(&book, day), 1);
}

#[test]
fn q_7_a_server_that_answers_at_length_fills_neither_the_memory_nor_the_log() {
    let desk = Desk::new();
    let book = desk.open().unwrap();
    desk.good_days(&book, "there.test", 30);
    let long = format!("STARTTLS was answered 454 {}", "x\u{1b}".repeat(30_000));
    book.saw_bad("there.test", "mx.there.test", &long);
    let loss = book.told("there.test").seen.unwrap().loss.unwrap();
    assert!(
        loss.what.starts_with("STARTTLS was answered 454 x?x?"),
        "{}",
        loss.what
    );
    assert_eq!(loss.what.len(), crate::limits::EVIDENCE_TEXT);
    book.save();
    assert!(desk.shelf.files.lock()["learned.json"].len() < 1_000);
}
