//! The way out: from settings to the doors of delivery, and to other settings while the server runs.
//!
//! 1. [`Outward::of`] translates the settings and the files they name; the demo makes its own.
//! 2. [`Outgoing::open`] makes the doors: names, network, TLS.
//! 3. [`Outgoing::start`] is the two tasks of delivery, for recipients here and elsewhere.
//! 4. [`Outgoing::prepare`] makes all of other settings that can fail, [`Outgoing::put`] goes by them from the next attempt on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use config::{Config, FallbackTo, ListPower, RouteTls, Serves};
use deliver::remote::{Doors, Remote};
use deliver::settings::{
    Applies, Fallback, Login, Ours, Road, Rule, Settings, Smarthost, SmarthostTls, Source, Way,
};
use mail::address::Domain;
use msgauth::tls::book::Book;
use msgauth::tls::keeper::Keeper;
use msgauth::tls::list::Power;
use msgauth::tls::list::learn::Thresholds;
use msgauth::tls::settings::Settings as TlsSettings;
use msgauth::tls::sts::fetch;
use queue::{Queue, Schedule};
use tokio::sync::watch;
use world_real::dns::{DnsSettings, DnsSetupError, RealDns, Validation};
use world_real::tcp::RealNetwork;
use world_real::tls_client::ClientTls;

use crate::exit::{Failure, Outcome};
use crate::files::Named;
use crate::services::Services;

/// What is decided about the way out.
#[derive(Debug, Clone)]
pub struct Outward {
    /// routes, limits, sources
    pub delivery: Settings,
    /// when it is tried again
    pub schedule: Schedule,
    /// whom names are asked of
    pub dns: DnsSettings,
    /// what is asked of other domains' TLS
    pub tls: TlsSettings,
    /// whose certificates are trusted besides the public authorities', in PEM
    pub extra_roots: Vec<u8>,
}

impl Outward {
    /// As the settings and the files they name say.
    pub fn of(config: &Config, named: &Named) -> Self {
        let doors = config.doors.smtp.iter().copied();
        Self {
            delivery: delivery(config, named, doors),
            schedule: Schedule {
                first: config.queue.retry_first,
                longest: config.queue.retry_longest,
                delay_notice: config.queue.delay_notice,
                give_up: config.queue.give_up,
            },
            dns: DnsSettings {
                servers: named.name_servers.clone(),
                validation: validation(config, named.trust_anchor.as_deref()),
                ..DnsSettings::default()
            },
            tls: tls_of_others(config),
            extra_roots: named.extra_roots.clone().unwrap_or_default(),
        }
    }
}

fn tls_of_others(config: &Config) -> TlsSettings {
    let others = &config.others_tls;
    TlsSettings {
        mta_sts: others.mta_sts,
        mta_sts_port: others.mta_sts_port,
        allow_private: config.deliver.allow_private,
        required: others.domains.clone(),
        shipped: power(others.shipped_list),
        learning: Thresholds {
            most: power(others.learning),
            observe_days: others.observe_days,
            warn_days: others.warn_days,
            require_days: others.require_days,
            sessions: others.sessions,
        },
    }
}

fn power(power: ListPower) -> Power {
    match power {
        ListPower::Off => Power::Off,
        ListPower::Observe => Power::Observe,
        ListPower::Warn => Power::Warn,
        ListPower::Require => Power::Require,
    }
}

/// Who checks DNSSEC signatures, as the settings say; `anchor`: what the file of trust anchors holds that they name.
pub fn validation(config: &Config, anchor: Option<&[u8]>) -> Validation {
    match &config.dns.validation {
        config::Validation::Off => Validation::Off,
        config::Validation::Servers => Validation::TrustAd,
        config::Validation::Root => Validation::Root,
        config::Validation::File(_) => {
            let text = String::from_utf8_lossy(anchor.unwrap_or_default());
            Validation::Anchors(text.into_owned())
        }
    }
}

fn delivery(config: &Config, named: &Named, doors: impl Iterator<Item = SocketAddr>) -> Settings {
    let deliver = &config.deliver;
    let (mut v4, mut v6) = (
        Source::any(&deliver.ehlo_name),
        Source::any(&deliver.ehlo_name_v6),
    );
    if let Some(IpAddr::V4(address)) = deliver.source_v4 {
        v4.address = Some(address);
    }
    if let Some(IpAddr::V6(address)) = deliver.source_v6 {
        v6.address = Some(address);
    }
    // Where we listen for other servers. A door on all addresses names none of them.
    let listening = doors.filter(|door| door.port() == deliver.port && !door.ip().is_unspecified());
    let sources = [deliver.source_v4, deliver.source_v6].into_iter().flatten();
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Settings {
        routes: routes(config, named),
        port: deliver.port,
        allow_private: deliver.allow_private,
        v4,
        v6,
        ours: Ours {
            names: vec![
                config.hostname.to_ascii_lowercase(),
                deliver.ehlo_name.to_ascii_lowercase(),
                deliver.ehlo_name_v6.to_ascii_lowercase(),
            ],
            addresses: listening.map(|door| door.ip()).chain(sources).collect(),
        },
        connections: count(deliver.connections),
        connections_per_destination: count(deliver.connections_per_destination),
        ..Settings::new(&config.hostname)
    }
}

fn routes(config: &Config, named: &Named) -> Vec<Rule> {
    let passwords = named
        .passwords
        .iter()
        .map(Option::as_ref)
        .chain(std::iter::repeat(None));
    let routes = config.routes.iter().zip(passwords);
    // A name that is no host was refused when the settings were read.
    routes
        .filter_map(|(route, password)| rule(route, password.map(|secret| secret.reveal())))
        .collect()
}

/// The routes without their passwords: for whoever only asks which way mail goes.
pub fn rules(config: &Config) -> Vec<Rule> {
    config
        .routes
        .iter()
        .filter_map(|route| rule(route, None))
        .collect()
}

fn rule(route: &config::Route, password: Option<&str>) -> Option<Rule> {
    let domains = |names: &[String]| names.iter().filter_map(|name| Domain::parse(name).ok()).collect();
    let way = match &route.road {
        config::Road::Mx => Way::Mx,
        config::Road::Smarthost(host) => {
            let login = host.login.as_ref().zip(password);
            let login = login.map(|(login, password)| Login {
                user: login.user.clone(),
                password: password.to_owned(),
            });
            Way::Smarthost(Arc::new(smarthost(
                &route.name,
                &host.host,
                host.port,
                tls(host.tls),
                login,
            )?))
        }
    };
    Some(Rule {
        name: route.name.clone(),
        applies: match &route.serves {
            Serves::Everything => Applies::Everything,
            Serves::To(names) if names.is_empty() => Applies::FallbackOnly,
            Serves::To(names) => Applies::To(domains(names)),
            Serves::From(names) => Applies::From(domains(names)),
        },
        way,
        fallback: route.fallback.as_ref().map(|fallback| Fallback {
            to: match &fallback.to {
                FallbackTo::Mx => deliver::remote::route::MX.to_owned(),
                FallbackTo::Route(name) => name.clone(),
            },
            after_attempts: fallback.after_attempts,
        }),
    })
}

fn tls(tls: RouteTls) -> SmarthostTls {
    match tls {
        RouteTls::Dane => SmarthostTls::Dane,
        RouteTls::StartTls => SmarthostTls::StartTls,
        RouteTls::Implicit => SmarthostTls::Implicit,
        RouteTls::Opportunistic => SmarthostTls::Opportunistic,
        RouteTls::None => SmarthostTls::None,
    }
}

/// A server that takes everything; `None` when `host` is neither a name nor an address.
pub fn smarthost(
    name: &str,
    host: &str,
    port: u16,
    tls: SmarthostTls,
    login: Option<Login>,
) -> Option<Smarthost> {
    let host = match host.parse::<IpAddr>() {
        Ok(address) => Domain::from_ip(address),
        Err(_) => Domain::parse(host).ok()?,
    };
    Some(Smarthost {
        name: name.to_owned(),
        host,
        port,
        tls,
        login,
    })
}

/// Settings that are checked and not in force.
pub struct Prepared {
    outward: Outward,
    dns: world_real::dns::Prepared,
    trust: world_real::tls_client::Trust,
}

/// The doors of delivery while the server runs.
pub struct Outgoing {
    queue: Arc<Queue>,
    dns: Arc<RealDns>,
    tls: Arc<ClientTls>,
    settings: watch::Sender<Arc<Settings>>,
    remote: Arc<Remote>,
    /// what is known of other domains' TLS
    book: Arc<Book>,
    policies: Arc<Keeper>,
}

impl Outgoing {
    /// Makes the doors.
    pub fn open(outward: &Outward, services: &Services, queue: &Arc<Queue>) -> Outcome<Arc<Self>> {
        let dns = names(&outward.dns).map_err(|error| Failure::Usage(error.to_string()))?;
        let tls = ClientTls::new(&outward.extra_roots).map_err(|error| Failure::Usage(error.to_string()))?;
        let (settings, followed) = watch::channel(Arc::new(outward.delivery.clone()));
        services.tls.set(outward.tls.clone());
        let policies = Keeper::new(
            services.tls.clone(),
            fetch::Doors {
                dns: dns.clone(),
                network: Arc::new(RealNetwork),
                tls: tls.clone(),
                clock: services.clock.clone(),
            },
            deliver::remote::hosts::is_public,
        );
        let remote = Remote::new(Doors {
            queue: queue.clone(),
            directory: services.directory.clone(),
            ids: services.ids.clone(),
            chance: services.chance.clone(),
            dns: dns.clone(),
            network: Arc::new(RealNetwork),
            tls: tls.clone(),
            policies: policies.clone(),
            settings: followed,
        });
        let outgoing = Self {
            queue: queue.clone(),
            dns,
            tls,
            settings,
            remote,
            book: services.tls.clone(),
            policies,
        };
        outgoing.tell_queue(outward);
        Ok(Arc::new(outgoing))
    }

    /// The door to names, which follows the settings.
    pub fn dns(&self) -> Arc<dyn world::dns::Dns> {
        self.dns.clone()
    }

    /// What delivery works with.
    pub fn remote(&self) -> &Arc<Remote> {
        &self.remote
    }

    /// Delivery to other servers, until `stop` turns true.
    pub fn start(&self, stop: watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
        deliver::remote::run(self.remote.clone(), stop)
    }

    /// Remembers what is learned of other domains' TLS, until `stop` turns true.
    pub fn remember(&self, stop: watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
        self.policies.clone().run(stop)
    }

    /// Makes all of other settings that can fail; nothing is in force yet.
    ///
    /// # Errors
    /// Why not.
    pub fn prepare(&self, outward: Outward) -> Result<Prepared, String> {
        let dns = self.dns.prepare(&outward.dns);
        let dns = dns.or_else(|error| match or_this_machine(&outward.dns, &error) {
            Some(other) => self.dns.prepare(&other),
            None => Err(error),
        });
        Ok(Prepared {
            trust: ClientTls::prepare(&outward.extra_roots).map_err(|error| error.to_string())?,
            dns: dns.map_err(|error| error.to_string())?,
            outward,
        })
    }

    /// Goes by them from the next attempt on.
    pub fn put(&self, prepared: Prepared) {
        self.dns.put(prepared.dns);
        self.tls.put(prepared.trust);
        self.book.set(prepared.outward.tls.clone());
        self.settings
            .send_replace(Arc::new(prepared.outward.delivery.clone()));
        self.tell_queue(&prepared.outward);
    }

    fn tell_queue(&self, outward: &Outward) {
        self.queue.set_schedule(outward.schedule);
        self.queue.set_untried(match &outward.delivery.road {
            Road::Open => queue::accept::FIRST_TRY,
            Road::Closed { reason } => reason,
        });
        self.queue
            .set_routes(deliver::remote::route::names(Arc::new(outward.delivery.clone())));
    }
}

/// A machine whose settings name no name server still runs: the one on the machine itself is asked, as resolv.conf(5) has it.
fn or_this_machine(settings: &DnsSettings, error: &DnsSetupError) -> Option<DnsSettings> {
    matches!(error, DnsSetupError::NoServers(_)).then(|| DnsSettings {
        servers: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53)],
        ..settings.clone()
    })
}

fn names(settings: &DnsSettings) -> Result<Arc<RealDns>, DnsSetupError> {
    RealDns::new(settings).or_else(|error| match or_this_machine(settings, &error) {
        Some(other) => RealDns::new(&other),
        None => Err(error),
    })
}
