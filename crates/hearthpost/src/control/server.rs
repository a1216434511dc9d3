//! The serving side of the control socket.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, watch};
use world::net::BoxWire;
use world_real::unix::{Caller, ControlDoor};

use super::{Answer, By, Envelope, Reply, VERSION, answer};
use crate::events::ProgramEvent;
use crate::limits::{CONTROL_CALLERS, CONTROL_LINE_BYTES};
use crate::services::Services;

/// Takes callers until the stop.
pub async fn run(door: ControlDoor, services: Arc<Services>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONTROL_CALLERS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => return,
            accepted = door.accept() => accepted,
        };
        let Ok((wire, caller)) = accepted else { continue };
        let services = services.clone();
        tokio::spawn(async move {
            serve(wire, caller, &services).await;
            drop(place);
        });
    }
}

/// Whether the caller is the server's own user or root.
fn may(caller: Caller) -> bool {
    caller.uid == 0 || caller.uid == rustix::process::geteuid().as_raw()
}

async fn serve(mut wire: BoxWire, caller: Caller, services: &Services) {
    let uid = u64::from(caller.uid);
    if !may(caller) {
        services.events.emit(&ProgramEvent::ControlRefused { uid });
        let text = "only the server's own user and root may use the control socket. Use sudo.".to_owned();
        let _ = wire.write_all(&line(Answer::Refused(text))).await; // the caller may be gone
        return;
    }
    let mut reader = BufReader::new(wire);
    loop {
        let mut text = Vec::new();
        let limit = CONTROL_LINE_BYTES as u64 + 1;
        match (&mut reader).take(limit).read_until(b'\n', &mut text).await {
            Ok(read) if read > 0 && text.len() <= CONTROL_LINE_BYTES => {}
            _ => return,
        }
        let answer = match serde_json::from_slice::<Envelope>(&text) {
            Ok(Envelope {
                version: VERSION,
                request,
            }) => {
                services.events.emit(&ProgramEvent::Control {
                    command: request.noun(),
                    uid,
                });
                answer(services, &By::user(caller.uid), request).await
            }
            Ok(Envelope { version, .. }) => other_version(version),
            Err(error) => Answer::Refused(format!(
                "that is no request this server knows ({error}). Use the hearthpost of the same version as the server."
            )),
        };
        if reader.get_mut().write_all(&line(answer)).await.is_err() {
            return;
        }
    }
}

fn other_version(version: u32) -> Answer {
    Answer::Refused(format!(
        "the request is of version {version}, this server speaks version {VERSION}. Use the hearthpost of the same version as the server."
    ))
}

fn line(answer: Answer) -> Vec<u8> {
    let reply = Reply {
        version: VERSION,
        answer,
    };
    let mut line = serde_json::to_vec(&reply).expect("plain values are always JSON");
    line.push(b'\n');
    line
}
