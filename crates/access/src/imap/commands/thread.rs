//! THREAD and UID THREAD (RFC 5256 §3): found, then put into threads.

use imap::command::{Thread, ThreadAlgorithm};
use imap::out::ThreadStep;
use mail::thread::{Numbered, Step, Threaded, Threads};
use mailbox::{Opened, Person};

use super::search::expunges;
use crate::imap::digests::{self, Needs};
use crate::imap::find::{Beyond, Halt, Hit, find, refuse};
use crate::imap::io::Stop;
use crate::imap::results::number_of;
use crate::imap::session::{Cx, Reading, User};
use crate::limits::RANKED_MESSAGES;

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &mut Opened,
    thread: &Thread,
    answer: Reading,
) -> Result<(), Stop> {
    let found = find(cx, user, opened, (&thread.search, false, Beyond::Refuse), answer).await?;
    let Some((hits, _, answer)) = found else {
        return Ok(());
    };
    let steps = match threaded(cx, (user, &user.person.at(opened)), &hits, thread.algorithm).await {
        Ok(steps) => steps,
        Err(halt) => return refuse(cx, user, halt, answer),
    };
    let numbers = thread.search.numbers;
    cx.io.out.thread(steps.into_iter().map(|step| match step {
        Step::Open => ThreadStep::Open,
        Step::Close => ThreadStep::Close,
        Step::Message(at) => ThreadStep::Message(number_of(&hits[at as usize], numbers)),
    }));
    cx.tell(user, opened, expunges(numbers))?;
    answer.ok(&mut cx.io.out, None);
    Ok(())
}

async fn threaded(
    cx: &mut Cx<'_, '_>,
    who: (&User, &Person),
    hits: &[Hit],
    algorithm: ThreadAlgorithm,
) -> Result<Vec<Step>, Halt> {
    if let Some(threads) = numbered(who.1, hits).await {
        return beside(threads, algorithm).await;
    }
    let mut threads = Threads::default();
    let needs = match algorithm {
        ThreadAlgorithm::OrderedSubject => Needs::Keys,
        ThreadAlgorithm::References => Needs::Links,
    };
    digests::each(cx, who, hits, needs, |_, digest| {
        threads.add(Threaded {
            sent_ms: digest.sent_ms(),
            subject: &digest.keys.subject,
            is_reply: digest.keys.is_reply,
            id: digest.links.id.as_deref(),
            references: &digest.links.references,
        });
    })
    .await?;
    beside(threads, algorithm).await
}

/// With numbers from the index instead of texts, if it knows them all.
async fn numbered(person: &Person, hits: &[Hit]) -> Option<Threads> {
    if hits.len() < RANKED_MESSAGES {
        return None;
    }
    let messages = hits.iter().map(|hit| hit.message).collect();
    let linked = person.links(messages).await?;
    let mut threads = Threads::default();
    let mut from = 0;
    for message in linked.messages {
        threads.add_numbered(Numbered {
            sent: i64::from(message.sent),
            subject: message.subject,
            is_reply: message.is_reply,
            id: message.id,
            references: &linked.references[from..message.references_end],
        });
        from = message.references_end;
    }
    Some(threads)
}

/// Threading very many messages takes its time: not on the threads that serve others.
async fn beside(threads: Threads, algorithm: ThreadAlgorithm) -> Result<Vec<Step>, Halt> {
    let threading = tokio::task::spawn_blocking(move || {
        let forest = match algorithm {
            ThreadAlgorithm::OrderedSubject => threads.by_subject(),
            ThreadAlgorithm::References => threads.by_references(),
        };
        forest.walk().collect()
    });
    threading.await.map_err(|_| Halt::Stop(Stop::Gone))
}
