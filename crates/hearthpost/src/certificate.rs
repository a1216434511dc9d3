//! Watching the certificate while the server serves it: its end is told weeks before, and a DANE record that does not fit it at once
//! (threat case TLS-11). Nothing here changes what is served.

use std::sync::Arc;

use tokio::sync::watch::Receiver;
use world::clock::{Monotonic, UnixMs};
use world::dns::{Dns, RecordType};

use crate::control::dns::of_live;
use crate::dns::tlsa::{self, Served};
use crate::events::ProgramEvent;
use crate::limits::{CERTIFICATE_DAYS, CERTIFICATE_LOOK};
use crate::services::{Live, Services};

/// Milliseconds in a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What was told last; it is not told again.
#[derive(Default)]
struct Told {
    ends: Option<(UnixMs, u64)>,
    served: Option<[u8; 32]>,
    next: Option<[u8; 32]>,
}

/// Looks now, every hour, and after each reload, until the stop. Without `dns` only its end is watched.
pub async fn watch(services: Arc<Services>, dns: Option<Arc<dyn Dns>>, mut stop: Receiver<bool>) {
    let mut told = Told::default();
    let Some(live) = services.live.get() else { return };
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = look(&services, live, dns.as_deref(), &mut told) => {}
        }
        let clock = &services.clock;
        let again = clock.sleep_until(Monotonic(clock.monotonic().0 + CERTIFICATE_LOOK));
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = live.reload.read_again() => {}
            () = again => {}
        }
    }
}

async fn look(services: &Services, live: &Live, dns: Option<&dyn Dns>, told: &mut Told) {
    if let Some(until) = live.reload.certificate_until() {
        let due = warning(services.clock.now(), until).map(|days| (until, days));
        if let Some((_, days)) = due.filter(|due| told.ends != Some(*due)) {
            services.events.emit(&ProgramEvent::CertificateEnds {
                until: until.rfc3339(),
                days,
            });
        }
        told.ends = due;
    }
    let Some(dns) = dns else { return };
    let (served, next) = (live.reload.tlsa(), live.reload.next_tlsa());
    if served.is_none() && next.is_none() {
        return;
    }
    let name = format!("_25._tcp.{}", live.hostname);
    let lookup = dns.lookup(&name, RecordType::Tlsa).await;
    let shown = Served::of(&of_live(live, &live.hostname), services.clock.now());
    for (hash, told, is_next) in [(served, &mut told.served, false), (next, &mut told.next, true)] {
        let lacking = hash.filter(|_| tlsa::lacks(&shown, &lookup, is_next));
        if lacking.is_some() && lacking != *told {
            services.events.emit(&ProgramEvent::TlsaLacks {
                name: name.clone(),
                next: is_next,
            });
        }
        *told = lacking;
    }
}

/// The nearest of the days at which it is told; 0 when it has ended, nothing as long as there is time.
fn warning(now: UnixMs, until: UnixMs) -> Option<u64> {
    let left_ms = until.0.saturating_sub(now.0);
    if left_ms == 0 {
        return Some(0);
    }
    let near = CERTIFICATE_DAYS.iter().filter(|days| left_ms <= **days * DAY_MS);
    near.min().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_11_the_end_of_a_certificate_is_told_20_10_5_and_1_days_before() {
        let now = UnixMs(1000 * DAY_MS);
        for (hours_left, want) in [
            (21 * 24, None),
            (20 * 24, Some(20)),
            (11 * 24, Some(20)),
            (10 * 24, Some(10)),
            (6 * 24, Some(10)),
            (5 * 24, Some(5)),
            (25, Some(5)),
            (24, Some(1)),
            (1, Some(1)),
            (0, Some(0)),
        ] {
            let until = UnixMs(now.0 + hours_left * DAY_MS / 24);
            assert_eq!(warning(now, until), want, "{hours_left} hours left");
        }
        assert_eq!(warning(now, UnixMs(0)), Some(0), "it has ended");
    }
}
