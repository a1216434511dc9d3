//! The welcome message: delivered by the same one commit as all mail, to a mailbox that never had any.

use mail::address::{Mailbox, Path, Utf8};
use mail::build::{Body, MessageBuilder, NamedMailbox};
use mail::date::DateTime;
use mail::ids::{BlobId, QueueId};
use mail::wire::HeaderValue;
use queue::{Envelope, Generated};

use super::{DOMAIN, HOSTNAME};
use crate::exit::{Failure, Outcome};
use crate::services::{Services, disk};

/// Delivers the message unless the account's INBOX has ever held one.
pub async fn ensure(services: &Services, address: &str) -> Outcome<()> {
    let mailbox =
        Mailbox::parse(address, Utf8::Allowed).map_err(|error| Failure::Usage(error.to_string()))?;
    let recipients = services.directory.resolve(&mailbox).recipients().to_vec();
    let Some(account) = recipients.first().map(directory::LocalRecipient::account) else {
        return Ok(());
    };
    let mailboxes = services
        .store
        .mailboxes(account)
        .await
        .map_err(|error| disk(&error))?;
    let fresh =
        |row: &store::contract::MailboxRow| row.parent.is_none() && row.name == "INBOX" && row.uidnext == 1;
    if !mailboxes.iter().any(fresh) {
        return Ok(());
    }
    let now = services.clock.now();
    let queue_id = services.ids.next::<QueueId>();
    let message = text(&mailbox, queue_id, now.0)?;
    let header = message
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(message.len(), |at| at + 4);
    let mut stage = services.store.stage(services.ids.next::<BlobId>());
    stage.write(&message).await.map_err(|error| disk(&error))?;
    let body = stage.finish().await.map_err(|error| disk(&error))?;
    let mut envelope = Envelope::new(queue_id, Path::Null, now, Generated { maker: "demo" });
    envelope.add_local(recipients, &queue::RecipientParams::default());
    let received = format!(
        "Received: by {HOSTNAME} (Hearthpost) id {queue_id}; {}\r\n",
        mail::date::rfc5322(now.0)
    );
    let accepted = queue::Message {
        body,
        header: &message[..header],
        received: received.as_bytes(),
    };
    let durable = queue::accept(&services.queue, &envelope, accepted)
        .await
        .map_err(|error| disk(&error))?;
    drop(durable); // nobody waits for an answer
    Ok(())
}

fn text(to: &Mailbox, queue_id: QueueId, now_ms: u64) -> Outcome<Vec<u8>> {
    let broken = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!("the welcome message cannot be made: {error}"))
    };
    let value = |text: &str| HeaderValue::new(text).map_err(|error| broken(&error));
    let postmaster =
        Mailbox::parse(&format!("postmaster@{DOMAIN}"), Utf8::Refused).map_err(|error| broken(&error))?;
    let body = format!(
        "Welcome, {to}.\n\n\
         This message came through the same road as all mail here: one commit to disk,\n\
         then the answer to whoever sent it. What you can try:\n\n\
         - Send a message to bob@{DOMAIN} or alice@{DOMAIN} and watch it arrive.\n\
         - Write to {local}+anything@{DOMAIN}: the tag is kept, the mail is yours.\n\
         - Stop the demo, even with kill -9, and start it again: this message is still here.\n\n\
         Nothing in this demo can be reached from another machine.\n",
        local = to.local(),
    );
    let message = MessageBuilder::new()
        .from(&NamedMailbox {
            name: value("Hearthpost")?,
            mailbox: postmaster,
        })
        .to(&[NamedMailbox {
            name: value("")?,
            mailbox: to.clone(),
        }])
        .subject(&value("Welcome to Hearthpost")?)
        .date(DateTime::from_unix_ms(
            i64::try_from(now_ms).unwrap_or(i64::MAX),
            0,
        ))
        .message_id(&queue_id.to_string(), HOSTNAME)
        .finish(&Body::Text(body))
        .map_err(|error| broken(&error))?;
    Ok(message.into_bytes())
}
