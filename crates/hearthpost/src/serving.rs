//! What stands behind the doors: for each kind how it serves a connection, and with which settings.
//!
//! Journey: [`crate::server`] makes one [`Serving`] and hands each listener its [`Door`]; a reload changes what connections to come begin with
//! ([`Serving::put`]). Absent: listening and accepting, which are [`crate::doors`].

use std::sync::Arc;

use access::imap::{Context as ImapContext, Terms};
use access::pop3::Context as Pop3Context;
use access::{Doors, Security};
use guard::{Class, Guard};
use index::Index;
use mailbox::Mailboxes;
use receive::{
    Context as ReceiveContext, Door as ReceiveDoor, DoorKind, DoorSettings, Examinations, Genuine,
    GenuineMode,
};
use smtp::{BareBytes, TextRules};
use tokio::sync::watch;
use world::dns::Dns;
use world::net::TlsServer;

use crate::doors::{Door, Serve};
use crate::exit::Outcome;
use crate::local_door::ServeLocal;
use crate::server::{Kind, Plan, Tls};
use crate::services::Services;

/// What doors use that only a running server has.
pub struct Uses<'a> {
    /// counts places and guesses
    pub guard: &'a Arc<Guard>,
    /// what is kept ready of messages
    pub index: &'a Arc<Index>,
    /// whom names are asked of
    pub dns: Arc<dyn Dns>,
}

/// How each kind of door serves. What a connection begins with stays with it; [`Serving::put`] is for those to come.
pub struct Serving {
    receive: Arc<ReceiveContext>,
    imap: watch::Sender<Arc<ImapContext>>,
    pop3: Arc<Pop3Context>,
    settings: watch::Sender<DoorSettings>,
    smtp_tls: Option<Arc<dyn TlsServer>>,
    lmtp_tls: Option<Arc<dyn TlsServer>>,
}

impl Serving {
    /// # Errors
    /// The certificate does not fit its key.
    pub fn new(
        plan: &Plan,
        tls: Option<&Tls>,
        services: &Services,
        uses: Uses<'_>,
        stop: &watch::Receiver<bool>,
    ) -> Outcome<Self> {
        let doors = reading_doors(plan, services, &uses, stop);
        let server = |protocol: &str| tls.map(|tls| tls.server(protocol)).transpose();
        let imap = ImapContext {
            doors: Doors {
                tls: server("imap")?,
                ..doors.clone()
            },
            own: Terms {
                append_limit_bytes: plan.message_bytes,
                message_limit: plan.message_limit,
            },
        };
        let pop3 = Pop3Context {
            doors: Doors {
                tls: server("pop3")?,
                ..doors
            },
            own: Arc::default(),
        };
        let settings = DoorSettings {
            max_message_bytes: plan.message_bytes,
            text: text_rules(plan.normalise_newlines),
            genuine: plan.genuine.clone(),
            insecure_auth: plan.insecure_auth,
            ..DoorSettings::new(plan.hostname.clone())
        };
        Ok(Self {
            receive: Arc::new(receive_context(services, uses, stop)),
            imap: watch::Sender::new(Arc::new(imap)),
            pop3: Arc::new(pop3),
            settings: watch::Sender::new(settings),
            smtp_tls: server("smtp")?,
            lmtp_tls: server("lmtp")?,
        })
    }

    /// New connections take messages as said from now on.
    pub fn put(&self, message_bytes: u64, normalise_newlines: bool, genuine: Genuine) {
        self.settings.send_modify(|settings| {
            settings.max_message_bytes = message_bytes;
            settings.text = text_rules(normalise_newlines);
            settings.genuine = genuine;
        });
        self.imap.send_modify(|context| {
            let mut next = ImapContext::clone(context);
            next.own.append_limit_bytes = message_bytes;
            *context = Arc::new(next);
        });
    }

    /// What new connections do about mail that is not from whom it says.
    pub fn genuine_mode(&self) -> GenuineMode {
        self.settings.borrow().genuine.mode
    }

    /// How a door of this kind serves, and what it says when it cannot.
    pub fn door(&self, kind: Kind) -> Door {
        let (full, too_many) = words_when_full(kind);
        Door {
            name: kind.name(),
            serve: self.serve(kind),
            class: class(kind),
            full,
            too_many,
        }
    }

    /// For programs on this machine.
    pub fn local(&self) -> ServeLocal {
        let (context, settings) = (self.receive.clone(), self.settings.subscribe());
        Arc::new(move |wire, peer, sender| {
            let door = ReceiveDoor::new(DoorKind::Local, None, settings.borrow().clone());
            Box::pin(receive::serve_local(context.clone(), door, wire, peer, sender))
        })
    }

    fn serve(&self, kind: Kind) -> Serve {
        match kind {
            Kind::Mail(mail) => self.receiving(mail),
            Kind::Imap => self.imap(Security::StartTls),
            Kind::Imaps => self.imap(Security::ImplicitTls),
            Kind::Pop3 => self.pop3(Security::StartTls),
            Kind::Pop3s => self.pop3(Security::ImplicitTls),
        }
    }

    fn receiving(&self, kind: DoorKind) -> Serve {
        let tls = match kind {
            DoorKind::Lmtp => self.lmtp_tls.clone(),
            DoorKind::Mx | DoorKind::Submission | DoorKind::Submissions | DoorKind::Local => {
                self.smtp_tls.clone()
            }
        };
        let (context, settings) = (self.receive.clone(), self.settings.subscribe());
        Arc::new(move |wire, peer| {
            let door = ReceiveDoor::new(kind, tls.clone(), settings.borrow().clone());
            let context = context.clone();
            Box::pin(receive::serve_connection(context, door, wire, peer))
        })
    }

    fn imap(&self, security: Security) -> Serve {
        let context = self.imap.subscribe();
        Arc::new(move |wire, peer| {
            let context = context.borrow().clone();
            Box::pin(async move { access::imap::serve_connection(&context, wire, peer, security).await })
        })
    }

    fn pop3(&self, security: Security) -> Serve {
        let context = self.pop3.clone();
        Arc::new(move |wire, peer| {
            let context = context.clone();
            Box::pin(async move { access::pop3::serve_connection(&context, wire, peer, security).await })
        })
    }
}

fn receive_context(services: &Services, uses: Uses<'_>, stop: &watch::Receiver<bool>) -> ReceiveContext {
    ReceiveContext {
        guard: uses.guard.clone(),
        queue: services.queue.clone(),
        directory: services.directory.clone(),
        chance: services.chance.clone(),
        dns: Some(uses.dns),
        examining: Arc::new(Examinations::new(services.clock.clone())),
        ids: services.ids.clone(),
        shutdown: stop.clone(),
    }
}

/// What IMAP and POP3 both need, without a certificate.
fn reading_doors(plan: &Plan, services: &Services, uses: &Uses<'_>, stop: &watch::Receiver<bool>) -> Doors {
    Doors {
        guard: uses.guard.clone(),
        directory: services.directory.clone(),
        mailboxes: Mailboxes::start_indexed(
            services.store.clone(),
            services.ids.clone(),
            services.clock.clone(),
            uses.index.clone(),
        ),
        clock: services.clock.clone(),
        events: services.events.clone(),
        tls: None,
        insecure_auth: plan.insecure_auth,
        unpaced: plan.unpaced,
        shutdown: stop.clone(),
    }
}

/// What is said when there is no place at all, and when the client's address has too many. Under TLS from the first byte nothing
/// can be said.
fn words_when_full(kind: Kind) -> (&'static [u8], &'static [u8]) {
    match kind {
        Kind::Mail(DoorKind::Submissions) | Kind::Imaps | Kind::Pop3s => (b"", b""),
        Kind::Mail(_) => (
            b"421 4.3.2 Too many connections, try again in a minute\r\n",
            b"421 4.7.0 Too many connections from your address, try again in a minute\r\n",
        ),
        Kind::Imap => (
            b"* BYE [UNAVAILABLE] Too many connections, try again in a minute\r\n",
            b"* BYE [UNAVAILABLE] Too many connections from your address, try again in a minute\r\n",
        ),
        Kind::Pop3 => (
            b"-ERR [SYS/TEMP] Too many connections, try again in a minute\r\n",
            b"-ERR [SYS/TEMP] Too many connections from your address, try again in a minute\r\n",
        ),
    }
}

/// Who comes through a door: a quarter of the places is kept for our own users.
fn class(kind: Kind) -> Class {
    match kind {
        Kind::Mail(DoorKind::Mx | DoorKind::Lmtp) => Class::Stranger,
        Kind::Mail(DoorKind::Submission | DoorKind::Submissions | DoorKind::Local)
        | Kind::Imap
        | Kind::Imaps
        | Kind::Pop3
        | Kind::Pop3s => Class::User,
    }
}

fn text_rules(normalise_newlines: bool) -> TextRules {
    TextRules {
        bare_bytes: if normalise_newlines {
            BareBytes::Normalise
        } else {
            BareBytes::Refuse
        },
        ..TextRules::default()
    }
}
