//! Taking a recorded change back: the former state is restored, when nothing newer conflicts.
//!
//! 1. [`undo`] waits for its turn, then finds the record and the present state.
//! 2. [`may`] decides, from these alone.
//! 3. [`restore`] makes the former state, and that is a recorded change again, which can be taken back too.

use directory::admin::{AccountChange, AliasSpec};
use directory::{AccountSpec, AdminError, Credential, DomainSettings, Password};
use mail::ids::ChangeId;
use serde_json::{Value, json};

use super::history::{About, By, Noun, Record, Subject, Turn, during, find, newer};
use super::{Answer, tls};
use crate::services::Services;

/// Takes the change back.
pub async fn undo(services: &Services, by: &By, id: ChangeId) -> Answer {
    let turn = Turn::of(services).await;
    let store = services.store.as_ref();
    let record = match find(store, id).await {
        Ok(Some(record)) => record,
        Ok(None) => {
            return Answer::Refused(format!(
                "there is no change {id}. See all with: hearthpost history"
            ));
        }
        Err(error) => return Answer::Failed(error.to_string()),
    };
    if record.noun == "tls" {
        return undo_tls(&turn, services, by, (id, &record)).await;
    }
    let Some(mut subject) = record.subject() else {
        return Answer::Refused(Refused::NoStates.text(&record, id, None));
    };
    let now = subject.state(services);
    if let Err(refused) = may(&record, now.as_ref(), used_bytes(services, &subject).await) {
        let newer = newer(store, id, &record).await.ok().flatten();
        return Answer::Refused(refused.text(&record, id, newer));
    }
    let about = About {
        by,
        subjects: vec![subject.clone()],
        undoes: Some(id),
    };
    during(
        &turn,
        services,
        about,
        restore(services, &subject, now, record.before),
    )
    .await
}

async fn undo_tls(
    turn: &Turn<'_>,
    services: &Services,
    by: &By,
    (id, record): (ChangeId, &Record),
) -> Answer {
    let now = tls::state(services, &record.name);
    if let Err(refused) = may(record, now.as_ref(), 0) {
        let newer = newer(services.store.as_ref(), id, record).await.ok().flatten();
        return Answer::Refused(refused.text(record, id, newer));
    }
    tls::restore(turn, services, by, (&record.name, record.before.as_ref(), id)).await
}

async fn used_bytes(services: &Services, subject: &Subject) -> u64 {
    let fresh = subject.noun == Noun::Account && services.directory.refresh_usage().await.is_ok();
    let account = fresh
        .then(|| services.directory.account(&subject.name).ok())
        .flatten();
    account.map_or(0, |account| account.used_bytes)
}

/// Why a change cannot be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// It is not about something that has a former state.
    NoStates,
    /// Something changed it again.
    Changed,
    /// Only a password was set, and former ones are not kept.
    Password,
    /// Mail went with the account.
    MailGone,
    /// The account has mail now.
    MailCame,
}

/// Whether the former state may be restored. `used_bytes` is what the account holds now.
fn may(record: &Record, now: Option<&Value>, used_bytes: u64) -> Result<(), Refused> {
    if now != record.after.as_ref() {
        return Err(Refused::Changed);
    }
    if record.before == record.after {
        return Err(if record.password {
            Refused::Password
        } else {
            Refused::NoStates
        });
    }
    if record.noun == "account" && record.after.is_none() && record.lost_bytes > 0 {
        return Err(Refused::MailGone);
    }
    if record.noun == "account" && record.before.is_none() && used_bytes > 0 {
        return Err(Refused::MailCame);
    }
    Ok(())
}

impl Refused {
    fn text(self, record: &Record, id: ChangeId, newer: Option<ChangeId>) -> String {
        let Record { noun, name, .. } = record;
        match (self, newer) {
            (Self::NoStates, _) if noun == "mailbox" => format!(
                "undo does not take back rights in mailboxes; hearthpost history tells what they were before {id}. \
                 Set them anew: hearthpost mailbox acl set"
            ),
            (Self::NoStates, _) if noun == "dkim" => format!(
                "a step in the life of a key is not taken back ({id}): mail may be on its way under it. Where the keys stand: hearthpost dkim list"
            ),
            (Self::NoStates, _) if noun == "queue" => format!(
                "what was done to waiting mail is not taken back ({id}). What waits now: hearthpost queue list"
            ),
            (Self::NoStates, _) => format!("the change {id} cannot be taken back: it has no former state."),
            (Self::Changed, Some(newer)) if noun == "tls" => format!(
                "what is asked of the TLS of {name} was changed again since. Undo that first: hearthpost undo {newer}"
            ),
            (Self::Changed, Some(newer)) => {
                format!("the {noun} {name} was changed again since. Undo that first: hearthpost undo {newer}")
            }
            (Self::Changed, None) => {
                format!(
                    "the {noun} {name} is not as the change {id} left it. Look at it with: hearthpost {noun} list"
                )
            }
            (Self::Password, _) => format!(
                "former passwords are not kept. Set a new one: hearthpost account password {name} --generate"
            ),
            (Self::MailGone, _) => format!(
                "the mail of {name} was removed with the account and cannot be brought back. \
                 For an empty account of that name: hearthpost account add {name}"
            ),
            (Self::MailCame, _) => format!(
                "{name} has mail now, which would go with the account. If that is meant: hearthpost account remove {name} --yes"
            ),
        }
    }
}

/// Makes `to` of what is now.
async fn restore(services: &Services, subject: &Subject, now: Option<Value>, to: Option<Value>) -> Answer {
    let done = match subject.noun {
        Noun::Domain => domain(services, &subject.name, now, to).await,
        Noun::Alias => alias(services, &subject.name, now, to).await,
        Noun::Account => account(services, &subject.name, now, to).await,
    };
    Answer::from_admin(done)
}

type Done = Result<Value, AdminError>;

/// What the answer tells, beside a new password.
fn told(noun: &str, name: &str) -> Value {
    json!({ "noun": noun, "name": name })
}

async fn domain(services: &Services, name: &str, now: Option<Value>, to: Option<Value>) -> Done {
    let directory = &services.directory;
    let settings = |state: Value| serde_json::from_value::<DomainSettings>(state).unwrap_or_default();
    match (now.map(settings), to.map(settings)) {
        (Some(now), None) if now.alias_of.is_some() => directory.remove_domain_alias(name).await?,
        (Some(_), None) => directory.remove_domain(name).await?,
        (
            None,
            Some(DomainSettings {
                alias_of: Some(of), ..
            }),
        ) => drop(directory.add_domain_alias(name, &of).await?),
        (None, Some(to)) => drop(directory.add_domain(name, to).await?),
        (Some(_), Some(to)) => drop(directory.set_domain(name, to).await?),
        (None, None) => {}
    }
    Ok(told("domain", name))
}

async fn alias(services: &Services, name: &str, now: Option<Value>, to: Option<Value>) -> Done {
    let directory = &services.directory;
    let spec = |state: Value| AliasSpec {
        address: name.to_owned(),
        targets: texts(&state["targets"]),
    };
    match (now, to.map(spec)) {
        (Some(_), None) => directory.remove_alias(name).await?,
        (None, Some(to)) => drop(directory.add_alias(to).await?),
        (Some(_), Some(to)) => drop(directory.set_alias(to).await?),
        (None, None) => {}
    }
    Ok(told("alias", name))
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts
        .filter_map(|text| text.as_str().map(ToOwned::to_owned))
        .collect()
}

async fn account(services: &Services, name: &str, now: Option<Value>, to: Option<Value>) -> Done {
    let directory = &services.directory;
    let mut answer = told("account", name);
    let Some(to) = to else {
        directory.remove_account(name).await?;
        return Ok(answer);
    };
    if now.is_none() {
        let password = Password::generate(services.chance.as_ref());
        answer["password"] = json!(password.reveal());
        let spec = AccountSpec {
            address: name.to_owned(),
            credential: Credential::Password(password),
            quota_bytes: 0,
            name: None,
        };
        directory.add_account(spec).await?;
    }
    let change = AccountChange {
        password: None,
        quota_bytes: to["quota_bytes"].as_u64(),
        enabled: to["enabled"].as_bool(),
        name: Some(to["name"].as_str().unwrap_or_default().to_owned()),
    };
    directory.set_account(name, change).await?;
    let (had, has) = (texts(&to["send_as"]), directory.send_as(name)?);
    let missing: Vec<String> = had.iter().filter(|grant| !has.contains(grant)).cloned().collect();
    let more: Vec<String> = has.into_iter().filter(|grant| !had.contains(grant)).collect();
    if !missing.is_empty() {
        directory.grant_send_as(name, &missing).await?;
    }
    if !more.is_empty() {
        directory.revoke_send_as(name, &more).await?;
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use testkit::clock::SimClock;
    use testkit::events::CollectEvents;

    use super::super::history::{Request as HistoryRequest, Shown};
    use super::super::{Request, alias};
    use super::*;

    fn record(noun: &str, before: Option<Value>, after: Option<Value>) -> Record {
        Record {
            noun: noun.to_owned(),
            name: "x".to_owned(),
            before,
            after,
            ..Record::default()
        }
    }

    #[test]
    fn what_may_be_taken_back() {
        let (one, two) = (Some(json!(1)), Some(json!(2)));
        let lost = Record {
            lost_bytes: 5,
            ..record("account", one.clone(), None)
        };
        let password = Record {
            password: true,
            ..record("account", one.clone(), one.clone())
        };
        let both = Record {
            password: true,
            ..record("account", one.clone(), two.clone())
        };
        let table: [(&Record, Option<&Value>, u64, Result<(), Refused>); 9] = [
            (
                &record("alias", one.clone(), two.clone()),
                two.as_ref(),
                0,
                Ok(()),
            ),
            (
                &record("alias", one.clone(), two.clone()),
                one.as_ref(),
                0,
                Err(Refused::Changed),
            ),
            (
                &record("alias", one.clone(), two.clone()),
                None,
                0,
                Err(Refused::Changed),
            ),
            (&record("account", one.clone(), None), None, 0, Ok(())),
            (&lost, None, 0, Err(Refused::MailGone)),
            (&record("account", None, one.clone()), one.as_ref(), 0, Ok(())),
            (
                &record("account", None, one.clone()),
                one.as_ref(),
                9,
                Err(Refused::MailCame),
            ),
            (&password, one.as_ref(), 0, Err(Refused::Password)),
            (&both, two.as_ref(), 9, Ok(())),
        ];
        for (record, now, used_bytes, wanted) in table {
            assert_eq!(
                may(record, now, used_bytes),
                wanted,
                "{record:?} {now:?} {used_bytes}"
            );
        }
    }

    async fn ask(services: &Services, request: Request) -> Answer {
        super::super::answer(services, &By::user(0), request).await
    }

    async fn history(services: &Services) -> Vec<Shown> {
        let request = HistoryRequest::List {
            noun: None,
            name: None,
            limit: 50,
        };
        match ask(services, Request::History(request)).await {
            Answer::Done(entries) => serde_json::from_value(entries).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn leads_to(target: &str) -> Request {
        Request::Alias(alias::Request::Set {
            alias: alias::New {
                address: "info@example.org".to_owned(),
                targets: vec![target.to_owned()],
            },
        })
    }

    fn requires(host: &str) -> Request {
        Request::Tls(tls::Request::Require {
            domain: "example.net".to_owned(),
            hosts: vec![host.to_owned()],
            any_certificate: false,
        })
    }

    #[tokio::test]
    async fn of_two_undos_at_once_one_is_told_that_the_other_was_first() {
        let dir = tempfile::tempdir().unwrap();
        let events = Arc::new(CollectEvents::new());
        let opened = Services::open(dir.path(), SimClock::new().door(), events).await;
        let services = opened.unwrap_or_else(|failure| panic!("{failure}"));
        let directory = &services.directory;
        directory
            .add_domain("example.org", DomainSettings::default())
            .await
            .unwrap();
        let alias = AliasSpec {
            address: "info@example.org".to_owned(),
            targets: vec!["far@example.com".to_owned()],
        };
        directory.add_alias(alias).await.unwrap();
        for (once, then) in [
            (leads_to("ann@example.com"), leads_to("ben@example.com")),
            (requires("mx.example.net"), requires("mx2.example.net")),
        ] {
            for request in [once, then] {
                assert!(matches!(ask(&services, request).await, Answer::Done(_)));
            }
            let before = history(&services).await;
            let id = before[0].id.clone();
            let undo = || {
                ask(
                    &services,
                    Request::History(HistoryRequest::Undo { id: id.clone() }),
                )
            };
            let answers = tokio::join!(undo(), undo());
            let after = history(&services).await;
            let newest = &after[0].id;
            assert!(
                matches!(&answers, (Answer::Done(_), Answer::Refused(text)) if text.ends_with(newest)),
                "{answers:?}"
            );
            assert_eq!(after.len(), before.len() + 1, "{after:#?}");
        }
        services.embedded.close();
    }
}
