//! The examinations that run at once: how many, of whom, and how long one may wait for its place (threat case AUT-10).
//!
//! Whoever names domains whose name servers answer slowly holds our connections and questions open. So an examination begins in a
//! *quick* place; one that takes longer than [`limits::EXAMINED_QUICKLY`] moves to one of the few *slow* ones, of which a client
//! has fewer still, or ends there. An IPv6 line is a client; the lines of one /48 together have the places of three, because one tenant
//! may have all of them. Slow domains thus never take the places of mail whose names are answered. Everything that ends
//! without a verdict is put off where verdicts hold, and taken without results where they are only noted.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use guard::Source;
use tokio::sync::{Semaphore, SemaphorePermit};
use world::clock::{Clock, Monotonic};

use crate::limits;

/// The places of all doors.
pub struct Examinations {
    clock: Arc<dyn Clock>,
    house: Places,
    clients: Mutex<HashMap<Whose, (usize, Arc<Places>)>>,
}

/// What is counted as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    Client(Source),
    /// the first 48 bits of IPv6 addresses
    Site([u16; 3]),
}

struct Places {
    quick: Semaphore,
    slow: Semaphore,
}

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crowded {
    /// no place became free in time
    NoPlace,
    /// it was slow, and the places for slow ones are taken
    Slow,
    /// it was not done in the time that a mere note is worth
    Late,
}

impl fmt::Display for Crowded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPlace => "too many messages are being examined at this moment",
            Self::Slow => {
                "the name servers of its domains answer slowly, and others like it are being waited for"
            }
            Self::Late => "DNS did not answer in time",
        })
    }
}

impl Examinations {
    /// Everything free.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            house: Places::new(limits::EXAMINATIONS, limits::SLOW_EXAMINATIONS),
            clients: Mutex::default(),
        }
    }

    /// Runs one for a client. `patience`: how long its result is worth waiting for, its place included, where less than its own limits.
    pub(crate) async fn run<T>(
        &self,
        client: IpAddr,
        patience: Option<Duration>,
        examination: impl Future<Output = T>,
    ) -> Result<T, Crowded> {
        let source = Source::of(client);
        let client = Held::of(self, Whose::Client(source));
        let site = Whose::site(source).map(|site| Held::of(self, site));
        let all = [
            Some(client.places()),
            site.as_ref().map(Held::places),
            Some(&self.house),
        ];
        let began = self.clock.monotonic().0;
        let left = |most: Duration| match patience {
            Some(patience) => most.min((began + patience).saturating_sub(self.clock.monotonic().0)),
            None => most,
        };
        let quick = self
            .until(left(limits::PLACE_WAIT), pin!(quick_places(all)))
            .await
            .ok_or(Crowded::NoPlace)?;
        let mut examination = pin!(examination);
        let quickly = left(limits::EXAMINED_QUICKLY);
        if let Some(done) = self.until(quickly, examination.as_mut()).await {
            return Ok(done);
        }
        let slow = slow_places(all).ok_or(Crowded::Slow)?;
        drop(quick);
        let done = match patience {
            Some(patience) => self.until(left(patience), examination).await,
            None => Some(examination.await),
        };
        drop(slow);
        done.ok_or(Crowded::Late)
    }

    /// What comes of it within `time`; it can be waited for again.
    async fn until<F: Future>(&self, time: Duration, mut work: Pin<&mut F>) -> Option<F::Output> {
        let mut over = self.clock.sleep_until(Monotonic(self.clock.monotonic().0 + time));
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => over.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Whose, (usize, Arc<Places>)>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Whose {
    /// The /48 that an IPv6 line lies in.
    const fn site(source: Source) -> Option<Self> {
        match source {
            Source::V4(_) => None,
            Source::V6([a, b, c, _]) => Some(Self::Site([a, b, c])),
        }
    }

    fn places(self) -> Places {
        match self {
            Self::Client(_) => Places::new(limits::EXAMINATIONS_OF_ONE, limits::SLOW_EXAMINATIONS_OF_ONE),
            Self::Site(_) => Places::new(limits::EXAMINATIONS_OF_48, limits::SLOW_EXAMINATIONS_OF_48),
        }
    }
}

impl Places {
    fn new(quick: usize, slow: usize) -> Self {
        Self {
            quick: Semaphore::new(quick),
            slow: Semaphore::new(slow),
        }
    }
}

/// One of each, the client's first: who has many waits behind its own.
async fn quick_places(all: [Option<&Places>; 3]) -> Vec<SemaphorePermit<'_>> {
    let mut taken = Vec::with_capacity(all.len());
    for places in all.into_iter().flatten() {
        let place = places.quick.acquire().await;
        taken.push(place.expect("these semaphores are never closed"));
    }
    taken
}

/// One of each, now.
fn slow_places(all: [Option<&Places>; 3]) -> Option<Vec<SemaphorePermit<'_>>> {
    let places = all.into_iter().flatten();
    places.map(|places| places.slow.try_acquire().ok()).collect()
}

/// Places of a client or a /48; forgotten when nobody of it has or wants one.
struct Held<'a> {
    all: &'a Examinations,
    whose: Whose,
    places: Arc<Places>,
}

impl<'a> Held<'a> {
    fn of(all: &'a Examinations, whose: Whose) -> Self {
        let mut clients = all.clients();
        let (users, places) = clients
            .entry(whose)
            .or_insert_with(|| (0, Arc::new(whose.places())));
        *users += 1;
        Self {
            all,
            whose,
            places: places.clone(),
        }
    }

    fn places(&self) -> &Places {
        &self.places
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut clients = self.all.clients();
        if let Some((users, _)) = clients.get_mut(&self.whose) {
            *users -= 1;
            if *users == 0 {
                clients.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use testkit::clock::TokioClock;
    use tokio::task::JoinHandle;

    use super::*;

    struct House {
        clock: Arc<TokioClock>,
        all: Arc<Examinations>,
    }

    impl House {
        fn new() -> Self {
            let clock = Arc::new(TokioClock::new());
            Self {
                all: Arc::new(Examinations::new(clock.clone())),
                clock,
            }
        }

        /// An examination of a client's mail that takes so long; when it ended.
        fn takes(
            &self,
            client: u32,
            seconds: u64,
            patience: Option<u64>,
        ) -> JoinHandle<(Result<(), Crowded>, u64)> {
            let address = IpAddr::from(std::net::Ipv4Addr::from(0xc000_0200 + client));
            self.takes_from(address, seconds, patience)
        }

        fn takes_from(
            &self,
            address: IpAddr,
            seconds: u64,
            patience: Option<u64>,
        ) -> JoinHandle<(Result<(), Crowded>, u64)> {
            let (all, clock) = (self.all.clone(), self.clock.clone());
            tokio::spawn(async move {
                let work = async {
                    let until = Monotonic(clock.monotonic().0 + Duration::from_secs(seconds));
                    clock.sleep_until(until).await;
                };
                let done = all.run(address, patience.map(Duration::from_secs), work).await;
                (done, clock.monotonic().0.as_secs())
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn aut_10_slow_domains_do_not_make_others_wait() {
        let house = House::new();
        let slow: Vec<_> = (0..200).map(|client| house.takes(client, 30, None)).collect();
        let honest = house.takes(250, 0, None).await.expect("no panic");
        assert!(
            honest.0.is_ok() && honest.1 <= limits::EXAMINED_QUICKLY.as_secs(),
            "{honest:?}"
        );
        let (mut ended, mut waited) = (0, 0);
        for one in slow {
            match one.await.expect("no panic") {
                (Ok(()), 30) => waited += 1,
                (Err(Crowded::Slow), _) => ended += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            (waited, ended),
            (limits::SLOW_EXAMINATIONS, 200 - limits::SLOW_EXAMINATIONS)
        );
        assert!(house.all.clients().is_empty(), "nobody is remembered");
    }

    #[tokio::test(start_paused = true)]
    async fn aut_10_one_client_has_few_places_and_waits_behind_its_own() {
        let house = House::new();
        let many: Vec<_> = (0..200).map(|_| house.takes(1, 30, None)).collect();
        let other = house.takes(2, 0, None).await.expect("no panic");
        assert_eq!(other, (Ok(()), 0), "another client does not wait at all");
        let mut counts = [0usize; 3];
        for one in many {
            let (done, at) = one.await.expect("no panic");
            assert!(at <= 60, "every wait has an end: {at} s");
            counts[match done {
                Ok(()) => 0,
                Err(Crowded::Slow) => 1,
                Err(_) => 2,
            }] += 1;
        }
        assert_eq!(counts[0], limits::SLOW_EXAMINATIONS_OF_ONE);
        assert!(counts[1] > 0 && counts[2] > 0, "{counts:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn aut_10_many_lines_of_one_site_do_not_put_everybody_off() {
        let house = House::new();
        let line = |site: u16, line: u16| {
            IpAddr::from(std::net::Ipv6Addr::new(0x2001, 0xdb8, site, line, 0, 0, 0, 1))
        };
        let many: Vec<_> = (0..1000)
            .map(|place| house.takes_from(line(1, place), 30, None))
            .collect();
        for other in [line(2, 0), "192.0.2.1".parse().expect("an address")] {
            let done = house.takes_from(other, 0, None).await.expect("no panic");
            assert_eq!(done, (Ok(()), 0), "{other} does not wait at all");
        }
        let slow = house.takes_from(line(2, 0), 30, None);
        let mut waited = 0;
        for one in many {
            waited += usize::from(one.await.expect("no panic").0.is_ok());
        }
        assert_eq!(waited, limits::SLOW_EXAMINATIONS_OF_48);
        let (done, _) = slow.await.expect("no panic");
        assert_eq!(done, Ok(()), "slow places are left for others");
        assert!(house.all.clients().is_empty(), "nobody is remembered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_note_is_not_waited_for_long() {
        let house = House::new();
        for (seconds, want) in [(9, (Ok(()), 9)), (30, (Err(Crowded::Late), 19))] {
            assert_eq!(house.takes(1, seconds, Some(10)).await.expect("no panic"), want);
        }
        let house = House::new();
        let many: Vec<_> = (0..100).map(|_| house.takes(1, 30, Some(10))).collect();
        for one in many {
            let (done, at) = one.await.expect("no panic");
            assert!(
                done.is_err() && at <= 10,
                "with the wait for its place: {done:?} {at} s"
            );
        }
    }
}
