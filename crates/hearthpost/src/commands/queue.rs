//! `hearthpost queue …`

use super::{block_on, data_dir, parse, show, size_text, table};
use crate::cli::{Common, QueueCommand};
use crate::control::Request;
use crate::control::client::connect;
use crate::control::queue::{Request as QueueRequest, Waiting};
use crate::exit::Outcome;

/// Runs the command.
pub fn run(command: QueueCommand) -> Outcome<()> {
    let QueueCommand::List(common) = command;
    let all = all(&common)?;
    show(&common, &all, || lines(&all))
}

fn all(common: &Common) -> Outcome<Vec<Waiting>> {
    let data = data_dir(common)?;
    block_on(async {
        let mut link = connect(&data).await?;
        let mut all: Vec<Waiting> = Vec::new();
        loop {
            let after = all.last().map(|last| (last.queue_id.clone(), last.recipient));
            let request = Request::Queue(QueueRequest::List { after });
            let page: Vec<Waiting> = parse(link.ask(request).await?)?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    })
}

fn lines(waiting: &[Waiting]) -> Vec<String> {
    if waiting.is_empty() {
        return vec!["Nothing waits.".to_owned()];
    }
    let row = |one: &Waiting| {
        vec![
            one.queue_id.clone(),
            one.received_at.clone(),
            size_text(one.size_bytes),
            one.from.clone(),
            one.to.clone(),
            one.attempts.to_string(),
            one.due.clone(),
            one.reason.clone(),
        ]
    };
    let head = ["ID", "CAME", "SIZE", "FROM", "TO", "TRIES", "NEXT", "WHY"];
    table(&head, &waiting.iter().map(row).collect::<Vec<_>>())
}
