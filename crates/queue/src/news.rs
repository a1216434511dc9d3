//! Tells the scheduler which lanes have new work. Nothing is lost: when too much is told at once, it is told to look at all
//! lanes ([`store::contract::Store::lanes`]).

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use tokio::sync::Notify;
use world::clock::UnixMs;

use crate::limits::NEWS_LANES;

/// What the scheduler has not heard yet. Any number tell, one listens.
#[derive(Default)]
pub struct News {
    told: Mutex<Told>,
    wake: Notify,
}

/// What was told since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// lanes with new or moved work, with the earliest due time told
    pub lanes: BTreeMap<String, UnixMs>,
    /// lanes that an operator wants tried now, even if their destination is left alone for a while
    pub urgent: BTreeSet<String>,
    /// too many to name: look at all lanes
    pub all: bool,
}

impl News {
    /// A lane has work that is due at `due`.
    pub fn tell(&self, lane: &str, due: UnixMs) {
        {
            let mut told = self.told.lock();
            let room = told.lanes.len() < NEWS_LANES;
            match told.lanes.get_mut(lane) {
                Some(known) => known.0 = known.0.min(due.0),
                None if room => {
                    told.lanes.insert(lane.to_owned(), due);
                }
                None => told.all = true,
            }
        }
        self.wake.notify_one();
    }

    /// An operator wants a lane tried now, whatever is known of its destination.
    pub fn tell_urgent(&self, lane: &str, due: UnixMs) {
        {
            let mut told = self.told.lock();
            if told.urgent.len() < NEWS_LANES {
                told.urgent.insert(lane.to_owned());
            }
        }
        self.tell(lane, due);
    }

    /// All lanes are to be looked at.
    pub fn tell_all(&self) {
        self.told.lock().all = true;
        self.wake.notify_one();
    }

    /// What was told since the last call; does not wait.
    pub fn take(&self) -> Told {
        std::mem::take(&mut *self.told.lock())
    }

    /// Waits until something is told. May come back for nothing. Dropping it loses nothing.
    pub async fn wait(&self) {
        self.wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_told_is_heard_once_with_the_earliest_time() {
        let news = News::default();
        news.tell("a -", UnixMs(5));
        news.tell("b -", UnixMs(7));
        news.tell("a -", UnixMs(3));
        news.wait().await;
        news.tell_urgent("b -", UnixMs(9));
        let told = news.take();
        let want = BTreeMap::from([("a -".to_owned(), UnixMs(3)), ("b -".to_owned(), UnixMs(7))]);
        assert_eq!((told.lanes, told.all), (want, false));
        assert_eq!(told.urgent, BTreeSet::from(["b -".to_owned()]));
        assert_eq!(news.take(), Told::default());
    }

    #[test]
    fn too_much_news_means_look_at_all() {
        let news = News::default();
        for number in 0..=NEWS_LANES {
            news.tell(&format!("{number} -"), UnixMs(1));
        }
        let told = news.take();
        assert_eq!((told.lanes.len(), told.all), (NEWS_LANES, true));
    }
}
