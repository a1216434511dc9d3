//! The senders of recipe R1: strangers, signed-in users, local programs, all at once, until told to stop or cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use super::chance::Chance;
use super::demo::Ports;
use super::ledger::{Ledger, message};
use super::smtp_client::{Sent, Smtp};

/// Which road a sender takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Road {
    /// port 25
    Stranger,
    /// port 587, signed in
    User,
    /// LMTP
    Program,
}

/// Senders at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Sent>>>,
    /// deliveries acknowledged since the start
    pub acknowledged: Arc<AtomicU64>,
}

/// What became of the load.
#[derive(Debug, Default, Clone)]
pub struct LoadEnd {
    /// clients whose message was offered in full and not answered
    pub unanswered: u64,
    /// refusals, first few
    pub refusals: Vec<String>,
}

impl Load {
    /// Starts senders to `user0..user{users}`; sizes mostly small, some above the inline limit.
    pub fn start(
        ledger: &Arc<Ledger>,
        ports: Ports,
        password: &str,
        roads: &[Road],
        users: u64,
        seed: u64,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let threads = roads
            .iter()
            .enumerate()
            .map(|(at, road)| {
                let sender = Sender {
                    ledger: Arc::clone(ledger),
                    ports,
                    password: password.to_owned(),
                    road: *road,
                    users,
                    chance: Chance::new(seed.wrapping_add(at as u64 * 7919)),
                    stop: Arc::clone(&stop),
                    acknowledged: Arc::clone(&acknowledged),
                };
                std::thread::spawn(move || sender.run())
            })
            .collect();
        Self {
            stop,
            threads,
            acknowledged,
        }
    }

    /// Waits for all senders (they end when the server is gone, or at `stop`).
    pub fn join(self) -> LoadEnd {
        self.stop.store(true, Ordering::Relaxed);
        let mut end = LoadEnd::default();
        for thread in self.threads {
            for sent in thread.join().expect("a sender does not panic") {
                match sent {
                    Sent::BrokenUnanswered => end.unanswered += 1,
                    Sent::Refused(reply) if end.refusals.len() < 5 => end.refusals.push(reply),
                    _ => {}
                }
            }
        }
        end
    }
}

struct Sender {
    ledger: Arc<Ledger>,
    ports: Ports,
    password: String,
    road: Road,
    users: u64,
    chance: Chance,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
}

impl Sender {
    /// Sends until stopped or cut off; returns what did not end with an acknowledgement.
    fn run(mut self) -> Vec<Sent> {
        let mut trouble = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let Ok(mut session) = self.connect() else { break };
            for _ in 0..20 {
                if self.stop.load(Ordering::Relaxed) {
                    break;
                }
                match self.one(&mut session) {
                    Sent::Acknowledged(_) => {}
                    broken @ (Sent::BrokenBefore | Sent::BrokenUnanswered) => {
                        trouble.push(broken);
                        return trouble;
                    }
                    refused => trouble.push(refused),
                }
            }
        }
        trouble
    }

    fn connect(&mut self) -> std::io::Result<Smtp> {
        match self.road {
            Road::Stranger => Smtp::connect(self.ports.smtp, false),
            Road::Program => Smtp::connect(self.ports.lmtp, true),
            Road::User => {
                let mut session = Smtp::connect(self.ports.submission, false)?;
                session.sign_in("user0@example.test", &self.password)?;
                Ok(session)
            }
        }
    }

    fn one(&mut self, session: &mut Smtp) -> Sent {
        let first = self.chance.between(0, self.users);
        let count = if self.chance.between(0, 10) == 0 { 3 } else { 1 };
        let recipients: Vec<String> = (0..count.min(self.users))
            .map(|step| format!("user{}@example.test", (first + step) % self.users))
            .collect();
        let size = match self.chance.between(0, 40) {
            0 => 100_000,
            1..10 => 12_000,
            _ => 2_000,
        };
        let from = if self.road == Road::User {
            "user0@example.test"
        } else {
            "sender@remote.test"
        };
        let seq = self.ledger.attempt(&recipients);
        let body = message(seq, from, &recipients[0], size);
        let sent = session.send(from, &recipients, &body, self.road == Road::Program);
        if let Sent::Acknowledged(reply) = &sent {
            self.ledger.acknowledge(seq, reply);
            self.acknowledged
                .fetch_add(recipients.len() as u64, Ordering::Relaxed);
        }
        sent
    }
}
