//! The task of one connection to one destination: job after job, until there is none.

use std::sync::Arc;

use queue::lanes::destination as destination_of;
use store::contract::{Claim, Result, WaitingRow};
use tokio::sync::watch;
use world::clock::UnixMs;

use super::carry::{self, Hand};
use super::in_hand::InHand;
use super::job::{self, Job};
use super::lanes::Next;
use super::record::{self, Settled};
use super::route::{self, Destination};
use super::scheduler::{Place, Shared};
use super::talk::in_time;
use super::{overdue, stopping};
use crate::limits::{IDLE, LANE_CLAIMS, NO_ROOM, STORE_PAUSE, TURN_MESSAGES};
use crate::settings::Settings;

/// Works for `destination` until there is nothing to do, its turn is over, or the program stops.
pub async fn run(shared: Arc<Shared>, mut place: Place, mut shutdown: watch::Receiver<bool>) {
    let mut hand = Hand {
        pulse: place.pulse.clone(),
        ..Hand::default()
    };
    let mut messages = 0;
    while let Some(job) = next_job(&shared, &mut place, hand.session.is_some(), &mut shutdown).await {
        messages += 1;
        if !one(&shared, &place.destination, job, &mut hand).await {
            break;
        }
        if *shutdown.borrow() || (messages >= TURN_MESSAGES && shared.others_wait()) {
            break;
        }
    }
    hand.pending.settled().await;
    if let Some(session) = hand.session.take() {
        session.quit(&*shared.remote.queue.clock).await;
    }
}

/// Carries a job out and has its outcome recorded; false when the store failed.
async fn one(shared: &Arc<Shared>, destination: &Destination, mut job: Job, hand: &mut Hand) -> bool {
    let remote = &shared.remote;
    // Whoever was purged since the claim is not sent (threat case Q-14).
    job.recipients
        .retain(|waiter| remote.queue.store.holds(waiter.claim));
    if job.recipients.is_empty() {
        return true;
    }
    let settings = remote.settings();
    let clock = remote.queue.clock.clone();
    let began = clock.now();
    let mut in_hand = InHand::take(shared, &hand.pulse, &job.recipients);
    let carried = match carry::carry(remote, &settings, &job, hand).await {
        Ok(carried) => carried,
        Err(error) => {
            in_hand.done();
            shared.give_back(vec![job], in_wall_time(shared, STORE_PAUSE));
            remote.store_failed(&error);
            return false;
        }
    };
    shared.learn(destination, carried.signal);
    let settled: Vec<Settled> = job
        .recipients
        .into_iter()
        .zip(carried.recipients)
        .map(|(waiter, decided)| {
            let has_second = waiter.asks(|asked| route::has_second(&settings, asked, &job.route));
            Settled::new(remote, waiter, decided.with(has_second), began)
        })
        .collect();
    in_hand.decided(&settled);
    let (shared, pulse) = (shared.clone(), hand.pulse.clone());
    hand.pending
        .begin(async move {
            let again = record::record(&shared.remote, &settled).await;
            in_hand.done();
            pulse.set_critical(false);
            shared.again(again);
        })
        .await;
    for session in hand.leaving.drain(..) {
        session.quit(&*clock).await;
    }
    true
}

/// The next job, claimed from a lane if none is ready.
async fn next_job(
    shared: &Arc<Shared>,
    place: &mut Place,
    connected: bool,
    shutdown: &mut watch::Receiver<bool>,
) -> Option<Job> {
    let clock = shared.remote.queue.clock.clone();
    let bell = place.bell.clone();
    let leave_at = in_time(
        &*clock,
        if connected {
            IDLE
        } else {
            std::time::Duration::ZERO
        },
    );
    loop {
        if *shutdown.borrow() {
            return None;
        }
        let called = bell.notified();
        match shared.next(place) {
            Next::Job(job) => return Some(job),
            Next::Claim(lane) => {
                if let Err(error) = claim(shared, &lane).await {
                    shared.remote.store_failed(&error);
                    return None;
                }
            }
            Next::Wait => {
                tokio::select! {
                    () = called => {}
                    () = stopping(shutdown) => {}
                }
            }
            Next::Nothing if clock.monotonic() >= leave_at => return None,
            Next::Nothing => {
                let idle = shared.idle(place);
                tokio::select! {
                    () = called => {}
                    () = clock.sleep_until(leave_at) => {}
                    () = stopping(shutdown) => {}
                }
                drop(idle);
            }
        }
    }
}

/// Claims rows of a lane and makes them jobs.
async fn claim(shared: &Arc<Shared>, lane: &str) -> Result<()> {
    let claimed = claim_rows(shared, lane).await;
    let (rows, next) = match claimed {
        Ok(claimed) => claimed,
        Err(error) => {
            shared.claimed(lane, Vec::new(), Some(in_wall_time(shared, STORE_PAUSE)));
            return Err(error);
        }
    };
    let settings = shared.remote.settings();
    let unreachable = |destination: &Destination| shared.is_parked(destination);
    let grouped = job::group(rows, |asked| route::choose(&settings, asked, unreachable));
    for (claim, row) in grouped.refused {
        overdue::set_aside(&shared.remote, claim, &row).await;
    }
    for (claim, row) in grouped.unreadable {
        overdue::unreadable(&shared.remote, claim, &row).await;
    }
    let jobs = grouped.jobs;
    let home = destination_of_lane(lane);
    let (kept, crowded): (Vec<_>, Vec<_>) = jobs
        .into_iter()
        .partition(|(to, _)| home.as_ref() == Some(to) || shared.has_room(to));
    if crowded.is_empty() {
        shared.claimed(lane, kept, next);
        return Ok(());
    }
    let later = in_wall_time(shared, NO_ROOM);
    shared.claimed(lane, kept, Some(later));
    shared.give_back(crowded.into_iter().map(|(_, job)| job).collect(), later);
    Ok(())
}

type Claimed = (Vec<(Claim, WaitingRow)>, Option<UnixMs>);

async fn claim_rows(shared: &Arc<Shared>, lane: &str) -> Result<Claimed> {
    let store = &shared.remote.queue.store;
    let now = shared.remote.queue.clock.now();
    let rows = store.claim_lane(lane, now, LANE_CLAIMS).await?;
    if rows.len() == LANE_CLAIMS {
        return Ok((rows, Some(now)));
    }
    let next = match store.lane_due(lane).await {
        Ok(next) => next,
        Err(error) => {
            rows.iter().for_each(|(claim, _)| store.release(*claim));
            return Err(error);
        }
    };
    // A due time that no schedule gives was made while the clock was wrong (threat case Q-12).
    let longest = shared.remote.queue.schedule().longest_wait();
    if rows.is_empty() && next.is_some_and(|due| queue::schedule::sane_due(now, due, longest) < due) {
        queue::operate::pull_in(&shared.remote.queue, lane).await?;
    }
    Ok((rows, next.map(|due| queue::schedule::sane_due(now, due, longest))))
}

fn in_wall_time(shared: &Shared, wait: std::time::Duration) -> UnixMs {
    queue::schedule::later(shared.remote.queue.clock.now(), wait)
}

/// The destination that a lane's name tells; the message decides in the end ([`route::choose`]).
pub fn destination_of_lane(lane: &str) -> Option<Destination> {
    destination_of(lane).map(Destination::from)
}

/// What the settings say of the connections there may be.
pub fn most(settings: &Settings) -> super::lanes::Most {
    let number = |count: usize| u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    super::lanes::Most {
        connections: number(settings.connections),
        to_one: number(settings.connections_per_destination),
    }
}
