//! By whose rules `hearthpost check message` judges: those of a server (its settings and its domains), or only what the options say.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Authenticity, Config};
use mail::address::Domain;
use msgauth::examine::Evidence;
use msgauth::policy::{Decision, Local, Reason};
use msgauth::suffixes::PublicSuffixes;
use receive::Genuine;
use serde::{Deserialize, Serialize};

use super::{block_on, parse};
use crate::cli::{CheckMessageArgs, DEFAULT_CONFIG};
use crate::control::Request;
use crate::control::client::{connect, has_store};
use crate::control::domain::Request as DomainRequest;
use crate::exit::{Failure, Outcome};
use crate::files::{self, Shelf};
use crate::serve;

/// What the option for believed seals is called where a setting is named.
const SEALER_OPTION: &str = "--trust-sealer";

/// What a message is judged by beside its evidence.
pub struct Rules {
    /// the settings that were named, and what they say
    server: Option<(PathBuf, Config)>,
    /// overrules and the list of public suffixes
    genuine: Genuine,
    /// domains whose mail is ours, canonical
    own: Vec<String>,
}

/// A domain as the directory answers; only its name is of use here.
#[derive(Deserialize)]
struct Named {
    name: String,
}

/// The operator's own word that decided.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Overrule {
    /// the setting, or the option
    pub setting: &'static str,
    /// which of its entries
    pub entry: String,
}

impl Rules {
    /// Those of `--config`, and what the other options add to them.
    ///
    /// # Errors
    /// Settings or a list cannot be read, a name is no domain, or the server's domains cannot be asked for.
    pub fn of(args: &CheckMessageArgs) -> Outcome<Self> {
        let (sealers, mut own) = (domains(&args.trust_sealer)?, domains(&args.own)?);
        let list = args.suffixes.as_deref().map(suffixes).transpose()?;
        let mut rules = match &args.config {
            Some(file) => of_server(file)?,
            None => Self {
                server: None,
                genuine: Genuine::default(),
                own: Vec::new(),
            },
        };
        rules.genuine.sealers.extend(sealers);
        rules.own.append(&mut own);
        rules.genuine.suffixes = list.map(Arc::new).or(rules.genuine.suffixes);
        Ok(rules)
    }

    /// Our own name, as SPF records may ask for it.
    pub fn receiver(&self) -> &str {
        self.server
            .as_ref()
            .map_or("localhost", |(_, config)| config.hostname.as_str())
    }

    /// Where registries end.
    pub fn suffixes(&self) -> Option<&PublicSuffixes> {
        self.genuine.suffixes.as_deref()
    }

    /// For the verdict about a message of this client.
    pub fn local(&self, client: IpAddr) -> Local<'_> {
        self.genuine.local(&self.own, client)
    }

    /// Whether the operator decided, against or for what the author's domain wants.
    pub fn overrule(&self, evidence: &Evidence, decision: &Decision) -> Option<Overrule> {
        let (setting, entry) = match &decision.reason {
            Reason::Refused(domain) => ("smtp.refused_domains", domain.clone()),
            Reason::Brought(network) => ("smtp.own_servers", network.to_string()),
            Reason::Sealed(sealer) => (self.who_believes(sealer), sealer.clone()),
            Reason::Wish {
                domain,
                lenient: true,
                ..
            } => ("smtp.lenient_domains", self.lenient_entry(evidence, domain)),
            _ => return None,
        };
        Some(Overrule { setting, entry })
    }

    fn who_believes(&self, sealer: &str) -> &'static str {
        let settings = self.server.as_ref().map(|(_, config)| &config.arc_sealers);
        match settings.is_some_and(|sealers| sealers.iter().any(|known| known == sealer)) {
            true => "smtp.arc_sealers",
            false => SEALER_OPTION,
        }
    }

    /// The author's domain itself, or the one whose record decides about it.
    fn lenient_entry(&self, evidence: &Evidence, domain: &str) -> String {
        let record = evidence
            .dmarc
            .applied
            .as_ref()
            .map(|applied| applied.domain.as_str());
        let mut names = [Some(domain), record].into_iter().flatten();
        let named = names.find(|name| self.genuine.lenient.iter().any(|known| known == name));
        named.unwrap_or(domain).to_owned()
    }

    /// The settings file that was named.
    pub fn file(&self) -> Option<&Path> {
        self.server.as_ref().map(|(file, _)| file.as_path())
    }

    /// What the server does with verdicts: a word of `smtp.authenticity`.
    pub fn mode(&self) -> Option<&'static str> {
        let mode = self.server.as_ref().map(|(_, config)| config.authenticity);
        mode.map(|mode| match mode {
            Authenticity::Off => "off",
            Authenticity::Note => "note",
            Authenticity::Enforce => "enforce",
        })
    }

    /// By what was judged, for people.
    pub fn told(&self) -> Vec<String> {
        let Some((file, config)) = &self.server else {
            let usual = Path::new(DEFAULT_CONFIG);
            return match usual.exists() {
                true => vec![format!(
                    "settings: none. To judge as the server of {DEFAULT_CONFIG} would: --config {DEFAULT_CONFIG}"
                )],
                false => Vec::new(),
            };
        };
        let does = match config.authenticity {
            Authenticity::Off => {
                "off: its server asks nothing and takes such mail. What it would do with \"enforce\" is above"
            }
            Authenticity::Note => {
                "note: its server writes the results into the message, and takes it whatever the verdict is"
            }
            Authenticity::Enforce => "enforce: its server does as the verdict says",
        };
        vec![
            format!("settings: {}", file.display()),
            format!("smtp.authenticity: {does}"),
            format!("domains of ours: {}", some(&self.own)),
        ]
    }
}

fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{shown} and {} more", count - SHOWN),
        _ => shown,
    }
}

/// The overrules of the settings, and the domains of its server, running or not.
fn of_server(file: &Path) -> Outcome<Rules> {
    let settings = serve::read(file)?;
    let list = files::suffixes(&settings.config, &Shelf::Disk)
        .map_err(|wrong| Failure::Usage(format!("smtp.public_suffixes: {wrong}")))?;
    let config = settings.config;
    Ok(Rules {
        genuine: serve::genuine(&config, list),
        own: own_domains(&config, file)?,
        server: Some((file.to_owned(), config)),
    })
}

/// Those of the settings come into the directory at the next start; before the first one there is no directory, and asking would make it.
fn own_domains(config: &Config, file: &Path) -> Outcome<Vec<String>> {
    let mut own = config.domains.clone();
    if has_store(&config.data_dir) {
        std::fs::File::open(&config.data_dir).map_err(|error| closed(config, file, &error))?;
        let asked = block_on(async {
            let mut link = connect(&config.data_dir).await?;
            link.ask(Request::Domain(DomainRequest::List)).await
        });
        let known: Vec<Named> = parse(asked?)?;
        own.extend(known.into_iter().map(|domain| domain.name));
    }
    own.sort();
    own.dedup();
    Ok(own)
}

/// [`connect`] would name options that this command has not.
fn closed(config: &Config, file: &Path, error: &std::io::Error) -> Failure {
    Failure::Unreachable(format!(
        "the data directory {} of {} cannot be opened: {error}. Run this as the server's user, or with sudo. Without --config it is judged \
         by no server's domains; --own names some.",
        config.data_dir.display(),
        file.display()
    ))
}

fn suffixes(file: &Path) -> Outcome<PublicSuffixes> {
    let text = std::fs::read_to_string(file);
    let text =
        text.map_err(|error| Failure::Usage(format!("{} cannot be read: {error}.", file.display())))?;
    Ok(PublicSuffixes::parse(&text))
}

fn domains(names: &[String]) -> Outcome<Vec<String>> {
    let read = |name: &String| {
        let domain = Domain::parse(name);
        let domain = domain.map_err(|bad| Failure::Usage(format!("{name:?} is no domain: {bad}.")))?;
        Ok(domain.as_str().to_owned())
    };
    names.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use msgauth::dmarc::record::Policy;
    use msgauth::examine::{Doors, Envelope, Examination};
    use msgauth::network::Network;
    use msgauth::policy::Verdict;
    use testkit::clock::SimClock;
    use testkit::dns::SimDns;

    use super::*;

    async fn evidence() -> Evidence {
        let clock = SimClock::new();
        let zone = "_dmarc.careless.example TXT \"v=DMARC1; p=reject\"";
        let dns = SimDns::new(clock.door(), zone).unwrap();
        let doors = Doors {
            dns: &dns,
            clock: &*clock.door(),
            suffixes: None,
        };
        let envelope = Envelope {
            client: "192.0.2.1".parse().unwrap(),
            hello: "mx.example",
            reverse_path: "",
            receiver: "localhost",
        };
        let examination = Examination::begin(b"From: a@deep.careless.example\r\n\r\n");
        examination.finish(doors, envelope).await
    }

    #[tokio::test]
    async fn the_word_that_decided_is_named_with_its_entry() {
        let text = "data_dir = \"/nowhere\"\nhostname = \"mail.example.org\"\ndoors.smtp = [\"127.0.0.1:0\"]\n\
                    smtp.arc_sealers = [\"lists.example.net\"]\n";
        let config = config::read(text).unwrap().config;
        let mut rules = Rules {
            genuine: serve::genuine(&config, None),
            server: Some((PathBuf::from("/x"), config)),
            own: Vec::new(),
        };
        rules.genuine.sealers.push("other.example".to_owned());
        rules.genuine.lenient.push("careless.example".to_owned());
        let evidence = evidence().await;
        let wish = |lenient| Reason::Wish {
            domain: "deep.careless.example".to_owned(),
            policy: Policy::Reject,
            lenient,
        };
        let network = Network::new("192.0.2.0".parse().unwrap(), 28);
        let table = [
            (
                Reason::Refused("spam.example".to_owned()),
                Some(("smtp.refused_domains", "spam.example")),
            ),
            (
                Reason::Brought(network),
                Some(("smtp.own_servers", "192.0.2.0/28")),
            ),
            (
                Reason::Sealed("lists.example.net".to_owned()),
                Some(("smtp.arc_sealers", "lists.example.net")),
            ),
            (
                Reason::Sealed("other.example".to_owned()),
                Some(("--trust-sealer", "other.example")),
            ),
            (wish(true), Some(("smtp.lenient_domains", "careless.example"))),
            (wish(false), None),
            (Reason::NoAnswer, None),
            (Reason::OwnDomain("example.org".to_owned()), None),
        ];
        for (reason, want) in table {
            let decision = Decision {
                verdict: Verdict::Accept,
                reason,
                may_forward: false,
            };
            let got = rules.overrule(&evidence, &decision);
            let want = want.map(|(setting, entry)| Overrule {
                setting,
                entry: entry.to_owned(),
            });
            assert_eq!(got, want, "{decision}");
        }
    }
}
