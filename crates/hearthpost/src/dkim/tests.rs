//! Keys over weeks: made, published, changed, retired, over restarts and with DNS that lies, fails and forgets.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use directory::{Directory, DomainSettings};
use queue::{Generated, Queue};
use store::embedded::{Embedded, Options};
use testkit::chance::SeededChance;
use testkit::clock::SimClock;
use testkit::dns::SimDns;
use testkit::events::CollectEvents;
use world::chance::Chance;
use world::ids::IdSource;

use super::*;

const DOMAIN: &str = "example.org";
const HOUR: Duration = Duration::from_secs(3600);

/// A data directory with one domain, at one time.
struct House {
    clock: SimClock,
    events: Arc<CollectEvents>,
    embedded: Arc<Embedded>,
    directory: Arc<Directory>,
    queue: Arc<Queue>,
    keys: Arc<Keys>,
    dns: SimDns,
}

impl House {
    async fn open(data: &Path, clock: &SimClock, seed: u64) -> Self {
        let events = Arc::new(CollectEvents::default());
        let options = Options::new(clock.door(), events.clone());
        let embedded = Embedded::open(data, options).unwrap();
        let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(seed));
        let doors = directory::Doors {
            store: embedded.clone(),
            clock: clock.door(),
            chance: chance.clone(),
            ids: Arc::new(IdSource::new(clock.door(), 0, 0)),
            events: events.clone(),
        };
        let directory = Directory::open(doors).await.unwrap();
        let _ = directory.add_domain(DOMAIN, DomainSettings::default()).await;
        let plan = Arc::new(queue::inbox_plan);
        let queue = Queue::new(embedded.clone(), clock.door(), events.clone(), plan);
        let keys = Keys::open(data, directory.clone(), queue.clone(), chance).unwrap();
        Self {
            dns: SimDns::new(clock.door(), "").unwrap(),
            clock: clock.clone(),
            events,
            embedded,
            directory,
            queue,
            keys,
        }
    }

    fn close(self) {
        self.embedded.close();
    }

    /// One round, after some time.
    async fn round(&self, after: Duration) -> Vec<String> {
        self.clock.jump(after);
        self.keys.round(Some(&self.dns)).await;
        self.states().await
    }

    /// Of the RSA keys, oldest first.
    async fn states(&self) -> Vec<String> {
        let all = self.keys.all().await;
        let rsa = all.iter().filter(|entry| entry.kind == entry::Kind::Rsa);
        rsa.map(|entry| entry.stage.to_string()).collect()
    }

    /// Publishes the records of these keys, and of no others.
    async fn publish(&self, which: impl Fn(usize) -> bool) {
        let all = self.keys.all().await;
        let lines = all.iter().enumerate().filter(|(place, _)| which(*place));
        let lines: Vec<String> = lines
            .map(|(_, entry)| format!("{} TXT \"{}\"", entry.name(), entry.record))
            .collect();
        self.dns.replace(&lines.join("\n")).unwrap();
    }

    /// Whether nothing signs for the domain or may come to.
    async fn is_silent(&self) -> bool {
        self.keys.silent().await.contains(DOMAIN)
    }

    /// By which selectors a report of ours would be signed.
    async fn signs(&self) -> Vec<String> {
        let header = format!("From: postmaster@{DOMAIN}\r\n\r\n");
        let ours = Generated { maker: "test" };
        let Some(signature) = self.queue.signer.begin(&ours, header.as_bytes()) else {
            return Vec::new();
        };
        let fields = String::from_utf8(signature.fields(1).await).unwrap();
        let selectors = fields
            .split(" s=")
            .skip(1)
            .filter_map(|rest| rest.split(';').next());
        selectors.map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_rotation_takes_its_time_and_never_leaves_mail_without_a_record_that_verifies_it() {
    let (data, clock) = (tempfile::tempdir().unwrap(), SimClock::new());
    let house = House::open(data.path(), &clock, 1).await;
    assert_eq!(house.round(Duration::ZERO).await, ["waiting"]);
    assert!(house.signs().await.is_empty(), "nobody could verify it");
    house.publish(|_| true).await;
    assert_eq!(
        house.round(HOUR).await,
        ["signing"],
        "the first key signs once it is seen"
    );
    assert_eq!(house.signs().await.len(), 2, "RSA and Ed25519");
    let old = house.signs().await;

    house.keys.rotate(DOMAIN, &By::server()).await.unwrap();
    let again = house.keys.rotate(DOMAIN, &By::server()).await;
    assert!(matches!(again, Err(Unfulfilled::Refused(_))), "one still waits");
    assert_eq!(house.round(HOUR).await, ["signing", "waiting"]);
    house.publish(|_| true).await;
    assert_eq!(
        house.round(HOUR).await,
        ["signing", "published"],
        "others may remember its absence"
    );
    assert_eq!(house.signs().await, old);
    assert_eq!(house.round(HOUR).await, ["retiring", "signing"]);
    assert!(house.signs().await.iter().all(|selector| !old.contains(selector)));
    assert_eq!(house.round(HOUR * 24 * 6).await, ["retiring", "signing"]);
    assert_eq!(house.round(HOUR * 24).await, ["removable", "signing"]);
    house.publish(|place| place >= 2).await;
    assert_eq!(
        house.round(HOUR).await,
        ["signing"],
        "its record is gone, and so is it"
    );
    let names = house.events.names();
    assert!(!names.contains(&"dkim.failed"), "{names:?}");
    house.close();
}

#[tokio::test]
async fn ops_3_private_keys_are_ours_alone_go_when_they_are_spent_and_outlive_restarts() {
    let (data, clock) = (tempfile::tempdir().unwrap(), SimClock::new());
    let house = House::open(data.path(), &clock, 2).await;
    house.round(Duration::ZERO).await;
    house.publish(|_| true).await;
    house.round(HOUR).await;
    let (signs, dir) = (house.signs().await, data.path().join("dkim"));
    let files = || {
        let entries = std::fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut names: Vec<String> = entries
            .map(|path| {
                let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", path.display());
                path.file_name().unwrap().to_string_lossy().into_owned()
            })
            .collect();
        names.sort();
        names
    };
    assert_eq!(files().len(), 3, "a list and two keys");
    assert_eq!(
        std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    house.close();
    // A crash after a key was written, before the list named it.
    std::fs::write(dir.join("h000000-orphan-rsa.pem"), "x").unwrap();

    let house = House::open(data.path(), &clock, 3).await;
    assert_eq!(house.signs().await, signs, "they sign before DNS is asked again");
    assert_eq!(files().len(), 3, "nobody named it");
    house.keys.retire(DOMAIN, None, &By::server()).await.unwrap();
    assert_eq!(house.states().await, ["retiring"]);
    assert!(house.signs().await.is_empty());
    assert_eq!(files(), ["keys.json"]);
    let written = std::fs::read_to_string(dir.join("keys.json")).unwrap();
    assert!(!written.contains("PRIVATE"), "{written}");
    house.close();

    std::fs::write(dir.join("keys.json"), "{").unwrap();
    let said = shelf::Shelf::of(data.path())
        .read()
        .expect_err("it is damaged")
        .to_string();
    assert!(said.contains("Restore it from a backup"), "{said}");
}

#[tokio::test]
async fn a_record_that_is_lost_is_told_once_and_the_key_signs_on() {
    let (data, clock) = (tempfile::tempdir().unwrap(), SimClock::new());
    let house = House::open(data.path(), &clock, 4).await;
    house.round(Duration::ZERO).await;
    house.publish(|_| true).await;
    house.round(HOUR).await;
    let count = |name: &str| house.events.named(name).len();
    let name = house.keys.all().await[0].name();
    let all = house.keys.all().await;
    let ed25519 = format!("{} TXT \"{}\"", all[1].name(), all[1].record);
    house
        .dns
        .replace(&format!("{name} !servfail\n{ed25519}"))
        .unwrap();
    house.round(HOUR).await;
    assert_eq!(count("dkim.record-lost"), 0, "no answer is no loss");
    house.dns.replace(&ed25519).unwrap();
    house.round(HOUR).await;
    house.round(HOUR).await;
    assert_eq!(count("dkim.record-lost"), 1, "told once");
    assert_eq!(house.signs().await.len(), 2, "a forged answer ends nothing");
    house.publish(|_| true).await;
    house.round(HOUR).await;
    assert_eq!(count("dkim.record-back"), 1);
    house.close();
}

#[tokio::test]
async fn a_domain_that_goes_or_gets_a_key_of_the_settings_has_its_keys_retired() {
    let (data, clock) = (tempfile::tempdir().unwrap(), SimClock::new());
    let house = House::open(data.path(), &clock, 5).await;
    house.round(Duration::ZERO).await;
    house.keys.sign_now(DOMAIN, None, &By::server()).await.unwrap();
    assert_eq!(
        house.states().await,
        ["signing"],
        "the operator's word against DNS"
    );
    let named = SigningKey::ed25519(DOMAIN, "own", &[9; 32]).unwrap();
    house.keys.follow(vec![named], None).await;
    assert_eq!(house.signs().await, ["own"]);
    assert_eq!(house.round(HOUR).await, ["retiring"]);
    let refused = house.keys.rotate(DOMAIN, &By::server()).await;
    assert!(matches!(refused, Err(Unfulfilled::Refused(text)) if text.contains("dkim.keys")));
    house.keys.follow(Vec::new(), None).await;
    assert!(house.is_silent().await);
    assert_eq!(
        house.round(HOUR).await,
        ["retiring", "waiting"],
        "the settings name none any more"
    );
    assert!(!house.is_silent().await);

    house
        .directory
        .add_domain("other.example", DomainSettings::default())
        .await
        .unwrap();
    house.round(HOUR).await;
    assert_eq!(house.keys.all().await.len(), 6);
    house.directory.remove_domain("other.example").await.unwrap();
    house.round(HOUR).await;
    assert_eq!(house.keys.all().await.len(), 4, "they never signed");
    house.close();
}

#[tokio::test]
async fn a_domain_that_comes_back_or_loses_its_keys_gets_others_at_once_but_not_against_an_operator() {
    let (data, clock) = (tempfile::tempdir().unwrap(), SimClock::new());
    let house = House::open(data.path(), &clock, 9).await;
    house.round(Duration::ZERO).await;
    house.publish(|_| true).await;
    house.round(HOUR).await;
    house.directory.remove_domain(DOMAIN).await.unwrap();
    assert_eq!(house.round(HOUR).await, ["retiring"]);
    assert!(!house.is_silent().await, "it is not ours");
    let again = house.directory.add_domain(DOMAIN, DomainSettings::default());
    again.await.unwrap();
    house.keys.provide(Some(DOMAIN), &By::server()).await;
    assert_eq!(house.states().await, ["retiring", "waiting"]);
    house.publish(|_| true).await;
    assert_eq!(house.round(HOUR).await, ["retiring", "signing"]);

    let all = house.keys.all().await;
    house.close();
    for entry in all.iter().filter(|entry| entry.stage.needs_key()) {
        std::fs::remove_file(data.path().join(format!("dkim/{}.pem", entry.selector))).unwrap();
    }
    let house = House::open(data.path(), &clock, 10).await;
    house.publish(|_| true).await;
    assert_eq!(
        house.round(HOUR).await,
        ["retiring", "retiring", "waiting"],
        "others in the place of lost ones"
    );
    house.publish(|_| true).await;
    house.round(HOUR).await;

    house.keys.retire(DOMAIN, None, &By::server()).await.unwrap();
    house.keys.follow(Vec::new(), Some(HOUR)).await; // nor does age make others
    assert!(house.is_silent().await);
    house.close();
    let house = House::open(data.path(), &clock, 11).await;
    assert_eq!(house.round(HOUR).await, ["retiring", "retiring", "retiring"]);
    house.keys.provide(Some(DOMAIN), &By::server()).await;
    assert!(house.is_silent().await, "it was wished so");
    house.keys.rotate(DOMAIN, &By::server()).await.unwrap();
    assert!(!house.is_silent().await);
    house.close();
}

#[tokio::test]
async fn keys_are_changed_when_the_settings_want_it_and_every_step_is_in_the_history() {
    let (data, clock) = (tempfile::tempdir().unwrap(), SimClock::new());
    let house = House::open(data.path(), &clock, 6).await;
    house.keys.follow(Vec::new(), Some(HOUR * 24 * 180)).await;
    house.round(Duration::ZERO).await;
    house.publish(|_| true).await;
    house.round(HOUR).await;
    assert_eq!(house.round(HOUR * 24 * 179).await, ["signing"]);
    assert_eq!(house.round(HOUR * 24).await, ["signing", "waiting"]);
    assert_eq!(
        house.round(HOUR * 24 * 181).await,
        ["signing", "waiting"],
        "nobody has published it yet"
    );
    let rows = house.queue.store.audit(0).await.unwrap();
    let told: Vec<Record> = rows.iter().map(|row| Record::read(&row.text)).collect();
    let ours: Vec<(&str, &str)> = told
        .iter()
        .filter(|record| record.noun == "dkim")
        .map(|record| (record.verb.as_str(), record.by.as_str()))
        .collect();
    assert_eq!(
        ours,
        [
            ("added", "server"),
            ("added", "server"),
            ("set", "server"),
            ("set", "server"),
            ("added", "server"),
            ("added", "server")
        ]
    );
    assert!(!rows.iter().any(|row| row.text.contains("PRIVATE")));
    house.close();
}

#[tokio::test]
async fn ops_3_a_key_that_cannot_be_read_stops_the_start_and_is_not_given_up() {
    let (data, clock) = (tempfile::tempdir().unwrap(), SimClock::new());
    let house = House::open(data.path(), &clock, 7).await;
    house.round(Duration::ZERO).await;
    let shelf = shelf::Shelf::of(data.path());
    let file = data
        .path()
        .join(format!("dkim/{}.pem", house.keys.all().await[0].selector));
    house.close();
    let (aside, text) = (data.path().join("aside"), std::fs::read(&file).unwrap());
    std::fs::rename(&file, &aside).unwrap();
    // Nobody reads a directory as a file, not even root.
    std::fs::create_dir(&file).unwrap();
    let said = shelf.read().expect_err("it cannot be read").to_string();
    assert!(said.contains("mode 0600"), "{said}");
    std::fs::remove_dir(&file).unwrap();
    assert!(shelf.read().unwrap()[0].key.is_none(), "it is gone");
    std::fs::write(&file, [0xff, 0xfe]).unwrap();
    let aside = file.with_extension("pem.damaged");
    assert!(shelf.read().unwrap()[0].key.is_none(), "it is damaged");
    assert_eq!(std::fs::read(&aside).unwrap(), [0xff, 0xfe]);
    assert!(!file.exists());
    std::fs::write(&file, text).unwrap();
    assert!(shelf.read().unwrap()[0].key.is_some());
    std::fs::write(&file, "damaged again").unwrap();
    let house = House::open(data.path(), &clock, 7).await;
    house.round(HOUR).await;
    house.close();
    let kept = std::fs::read_to_string(&aside).unwrap();
    assert_eq!(kept, "damaged again", "no round and no start removes it");
}

#[tokio::test]
async fn a_key_is_known_by_itself_and_not_by_how_its_record_was_written() {
    let (data, clock) = (tempfile::tempdir().unwrap(), SimClock::new());
    let house = House::open(data.path(), &clock, 12).await;
    house.round(Duration::ZERO).await;
    let records: Vec<String> = house
        .keys
        .all()
        .await
        .into_iter()
        .map(|entry| entry.record)
        .collect();
    house.close();
    let (shelf, list) = (shelf::Shelf::of(data.path()), data.path().join("dkim/keys.json"));
    let written = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, written.replace("v=DKIM1; k=", "v=DKIM1;t=s;k=")).unwrap();
    let whole = |shelf: &shelf::Shelf| -> Vec<bool> {
        let read = shelf.read().unwrap();
        read.iter().map(|entry| entry.key.is_some()).collect()
    };
    assert_eq!(whole(&shelf), [true, true]);
    let other = SigningKey::ed25519(DOMAIN, "other", &[3; 32]).unwrap().record();
    std::fs::write(&list, written.replace(&records[1], &other)).unwrap();
    assert_eq!(whole(&shelf), [true, false], "another key");
}

#[tokio::test]
async fn keys_that_no_list_could_name_do_not_pile_up() {
    let (data, clock) = (tempfile::tempdir().unwrap(), SimClock::new());
    let house = House::open(data.path(), &clock, 8).await;
    // No file takes the place of a directory.
    let list = data.path().join("dkim/keys.json");
    std::fs::create_dir_all(list.join("in the way")).unwrap();
    assert!(house.round(Duration::ZERO).await.is_empty());
    assert_eq!(house.events.named("dkim.failed").len(), 1);
    let names = || std::fs::read_dir(data.path().join("dkim")).unwrap().count();
    assert_eq!(names(), 1, "what is in the way");
    std::fs::remove_dir_all(&list).unwrap();
    assert_eq!(house.round(HOUR).await, ["waiting"]);
    assert_eq!(names(), 3);
    house.close();
}
