//! `hearthpost demo`: the whole system on loopback, for trying and for measuring.
//!
//! 1. [`state::State`] finds or makes passwords and remembered ports in `demo.json` (mode 0600), before anything else.
//! 2. [`certs::demo::provide`] finds or makes the authority and the server's certificate.
//! 3. [`people::prepare`] makes what is missing of the domain, alice, bob, the bulk users and the welcome messages; a kill at
//!    any point is made good by the next start.
//! 4. [`road`] says where mail for other servers goes: nowhere, unless it is told.
//! 5. [`card`] prints the card or the line of JSON when every door is open.
//!
//! Only here: addresses are loopback, limits per address and pacing are lifted, `--insecure-auth` exists.

mod card;
mod people;
mod road;
mod state;
mod welcome;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use receive::Genuine;
use world::clock::BoxFuture;
use world_real::clock::RealClock;
use world_real::log::Options as LogOptions;
use world_real::tls::Identity;

use crate::cli::DemoArgs;
use crate::exit::{Failure, Outcome};
use crate::files::{self, Shelf};
use crate::limits;
use crate::openings;
use crate::outward::Outward;
use crate::sendmail;
use crate::serve;
use crate::server::{self, Kind, Plan};
use crate::services::Services;
use road::Elsewhere;
use state::State;

/// The demo's domain.
pub const DOMAIN: &str = "example.test";
/// The demo's host name.
pub const HOSTNAME: &str = "mail.example.test";

/// Runs the demo until it is interrupted.
pub fn run(args: DemoArgs, clock: Arc<RealClock>) -> Outcome<()> {
    let elsewhere = Elsewhere::of(&args)?;
    let dir = make_dir(&args.dir)?;
    let state = Arc::new(State::provide(&dir, args.users)?);
    let certificates = certs::demo::provide(&dir).map_err(|error| Failure::Disk(error.to_string()))?;
    let certs::Pem { chain, key } = &certificates.server;
    let identity =
        Identity::from_pem::<&str>(&[], chain, key).map_err(|error| Failure::Usage(error.to_string()))?;
    let (outward, genuine) = settings(&elsewhere)?;
    let plan = Plan {
        data: dir.clone(),
        log: LogOptions::files(dir.join("log")),
        hostname: HOSTNAME.to_owned(),
        doors: Kind::ALL
            .into_iter()
            .filter(|kind| args.pop3 || !matches!(kind, Kind::Pop3 | Kind::Pop3s))
            .map(|kind| (kind, loopback(state.port(kind.name()))))
            .collect(),
        any_port: true,
        handed: openings::handed()?,
        keeper: None,
        tls: Some(identity),
        insecure_auth: args.insecure_auth,
        unpaced: true,
        message_bytes: limits::DEMO_MESSAGE_BYTES,
        message_limit: None,
        normalise_newlines: false,
        connections: limits::DEMO_CONNECTIONS,
        outward,
        genuine,
        signers: Vec::new(),
        rotate_keys: None,
        next_tlsa: None,
        source: None,
        user: None,
        local: Some(dir.join(sendmail::SOCKET)),
        local_users: Vec::new(),
    };
    let (people, users) = (state.clone(), args.users);
    let prepare = move |services: Arc<Services>| -> BoxFuture<'static, Outcome<()>> {
        Box::pin(async move { people::prepare(&services, &people, users).await })
    };
    let json = args.json;
    let ready = move |doors: &[(&'static str, SocketAddr)]| {
        state.remember(&dir, doors)?;
        let facts = card::Facts {
            dir: &dir,
            ca: &certificates.ca_file,
            state: &state,
            doors,
            users,
            elsewhere: &elsewhere,
        };
        card::print(&facts, json)
    };
    server::run(plan, clock, Box::new(prepare), Box::new(ready))
}

/// Whether `dir` is a demo's: it has no settings that could be asked while it is stopped.
pub fn is_in(dir: &Path) -> bool {
    dir.join(state::FILE).exists()
}

/// The command that starts the server of `dir`, a demo or another.
pub fn start_of(dir: &Path) -> String {
    match is_in(dir) {
        true => format!("hearthpost demo --dir {}", dir.display()),
        false => "hearthpost serve --config FILE".to_owned(),
    }
}

/// The way out, and what is asked of names on the way in, read from the same settings that a server would have.
fn settings(elsewhere: &Elsewhere) -> Outcome<(Outward, Genuine)> {
    let text = format!(
        "data_dir = \"/\"\nhostname = \"{HOSTNAME}\"\ndoors.smtp = [\"127.0.0.1:0\"]\n{}",
        elsewhere.settings()
    );
    let told = |problems: Vec<config::Problem>| {
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| format!("{} {}", problem.reason, problem.next_step))
            .collect();
        Failure::Usage(lines.join("\n"))
    };
    let settings = config::read(&text).map_err(told)?;
    let named = files::read(&settings, &Shelf::Disk).map_err(told)?;
    let mut outward = Outward::of(&settings.config, &named);
    outward.delivery.road = elsewhere.road();
    Ok((outward, serve::genuine(&settings.config, named.suffixes)))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// The directory with its full path, so that what is printed holds wherever it is read.
fn make_dir(dir: &Path) -> Outcome<PathBuf> {
    server::make_private_unsynced(dir)?;
    dir.canonicalize().map_err(|error| {
        Failure::Disk(format!(
            "the directory {} cannot be entered: {error}.",
            dir.display()
        ))
    })
}
