//! The contract's reads of the queue: lanes, deadlines, claims, who waits, attempts, and the audit. None of them reads more
//! rows than it answers, but for those that are claimed just now.

use mail::ids::{Id, QueueId};
use rusqlite::{OptionalExtension, Params, params};
use world::clock::UnixMs;

use crate::contract::{
    AcceptedMessage, Attempt, AttemptRow, AuditRow, Claim, Lane, PAGE_ROWS, Result, StoreError, WaitingRow,
};
use crate::embedded::apply::{attempt_sum, audit_sum};
use crate::embedded::claims::Purpose;
use crate::embedded::load::{self, AcceptedRow, StoredWaiting};
use crate::embedded::readers::Reader;
use crate::embedded::rows::{int, uint, verify};

const PAGE: i64 = PAGE_ROWS as i64;

pub(super) const NEXT_LANE: &str = "SELECT lane FROM waiting WHERE lane>? ORDER BY lane LIMIT 1";
pub(super) const IN_LANE: &str = "SELECT queue_id,recipient,due FROM waiting WHERE lane=? AND held=0 AND due<=? \
     ORDER BY due,queue_id,recipient";
pub(super) const OVERDUE: &str = "SELECT queue_id,recipient,deadline FROM waiting WHERE held=0 AND deadline<=? \
     ORDER BY deadline,queue_id,recipient";
pub(super) const WHO_WAITS: &str = "SELECT queue_id,recipient FROM waiting WHERE (queue_id,recipient)>(?,?) \
     ORDER BY queue_id,recipient LIMIT ?";
pub(super) const ATTEMPTS: &str = "SELECT recipient,number,at,address,text,sum FROM attempts WHERE queue_id=?1 \
     AND (recipient,number)>(?2,?3) ORDER BY recipient,number LIMIT ?4";
pub(super) const AUDIT: &str = "SELECT id,at,text,sum FROM audit WHERE id>? ORDER BY id LIMIT ?";

/// A time no row has.
const NEVER: i64 = i64::MAX;

impl Reader {
    pub fn lanes(&mut self, after: &str) -> Result<Vec<Lane>> {
        self.snapshot(|reader| {
            let mut found: Vec<Lane> = Vec::new();
            while found.len() < PAGE_ROWS {
                let last = found.last().map_or(after, |lane| lane.lane.as_str());
                let next: Option<String> = reader
                    .conn
                    .prepare_cached(NEXT_LANE)?
                    .query_row(params![last], |row| row.get(0))
                    .optional()?;
                let Some(lane) = next else { break };
                let due = reader.lane_due(&lane)?;
                found.push(Lane { lane, due });
            }
            Ok(found)
        })
    }

    pub fn lane_due(&mut self, lane: &str) -> Result<Option<UnixMs>> {
        let first = self.free((IN_LANE, Purpose::Delivery), params![lane, NEVER], 1)?;
        Ok(first.first().map(|&(_, _, due)| due))
    }

    pub fn next_deadline(&mut self) -> Result<Option<UnixMs>> {
        let first = self.free((OVERDUE, Purpose::Deadline), params![NEVER], 1)?;
        Ok(first.first().map(|&(_, _, deadline)| deadline))
    }

    pub fn claim_lane(&mut self, lane: &str, now: UnixMs, n: usize) -> Result<Vec<(Claim, WaitingRow)>> {
        let found = self.free((IN_LANE, Purpose::Delivery), params![lane, int(now.0)], n)?;
        self.claim(found, Purpose::Delivery, |row| row.waiting.due <= now)
    }

    pub fn claim_overdue(&mut self, now: UnixMs, n: usize) -> Result<Vec<(Claim, WaitingRow)>> {
        let found = self.free((OVERDUE, Purpose::Deadline), params![int(now.0)], n)?;
        self.claim(found, Purpose::Deadline, |row| row.waiting.deadline <= now)
    }

    /// The first `n` rows a question finds that nobody has claimed.
    fn free(
        &self,
        (question, purpose): (&str, Purpose),
        with: impl Params,
        n: usize,
    ) -> Result<Vec<(QueueId, u32, UnixMs)>> {
        let mut statement = self.conn.prepare_cached(question)?;
        let mut rows = statement.query(with)?;
        let mut found = Vec::new();
        while found.len() < n.min(PAGE_ROWS) {
            let Some(row) = rows.next()? else { break };
            let (queue_id, recipient) = (QueueId::from_raw(uint(row.get(0)?)), load::low(row.get(1)?));
            if self.shared.claims.is_free(queue_id, recipient, purpose) {
                found.push((queue_id, recipient, UnixMs(uint(row.get(2)?))));
            }
        }
        Ok(found)
    }

    /// Claims the rows that are still wanted. A row may be finished by somebody else between the question and the claim; so
    /// every claimed row is read again: an outcome is committed before its claim ends, and this read begins after the claims.
    fn claim(
        &mut self,
        found: Vec<(QueueId, u32, UnixMs)>,
        purpose: Purpose,
        wanted: impl Fn(&StoredWaiting) -> bool,
    ) -> Result<Vec<(Claim, WaitingRow)>> {
        let claims: Vec<Claim> = found
            .into_iter()
            .filter_map(|(queue_id, recipient, _)| self.shared.claims.take(queue_id, recipient, purpose))
            .collect();
        let mut claimed = Vec::with_capacity(claims.len());
        self.snapshot(|reader| {
            for claim in claims {
                match reader.stored_and_accepted(claim.queue_id, claim.recipient) {
                    Ok(Some((row, accepted))) if !row.held && wanted(&row) => {
                        claimed.push((claim, waiting_row(row, accepted)));
                    }
                    Ok(_) => reader.shared.claims.release(&claim),
                    Err(error) => {
                        // One damaged row must not keep the rest of the queue waiting; its claim stays, so that it is not
                        // read again and again.
                        let _ = reader.shared.watch::<()>(Err(error));
                    }
                }
            }
            Ok(())
        })?;
        Ok(claimed)
    }

    pub fn waiting(&mut self, after: Option<(QueueId, u32)>) -> Result<Vec<WaitingRow>> {
        let after = after.map_or((-1, 0), |(id, recipient)| (int(id.raw()), recipient));
        self.snapshot(|reader| reader.waiting_page(after, |_| true))
    }

    fn waiting_page(&mut self, after: (i64, u32), of: impl Fn(QueueId) -> bool) -> Result<Vec<WaitingRow>> {
        let keys: Vec<(i64, u32)> = self
            .conn
            .prepare_cached(WHO_WAITS)?
            .query_map(params![after.0, after.1, PAGE], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let mut found = Vec::with_capacity(keys.len());
        for (queue_id, recipient) in keys {
            let queue_id = QueueId::from_raw(uint(queue_id));
            if !of(queue_id) {
                break;
            }
            let row = self.stored_and_accepted(queue_id, recipient)?;
            found.extend(row.map(|(row, accepted)| waiting_row(row, accepted)));
        }
        Ok(found)
    }

    pub fn accepted_message(&mut self, queue_id: QueueId) -> Result<Option<AcceptedMessage>> {
        self.snapshot(|reader| {
            let Some(accepted) = load::accepted(&reader.conn, queue_id)? else {
                return Ok(None);
            };
            // Just before the message's first recipient.
            let before = (int(queue_id.raw()) - 1, u32::MAX);
            let waiting = reader.waiting_page(before, |of| of == queue_id)?;
            Ok(Some(AcceptedMessage {
                queue_id,
                reverse_path: accepted.reverse_path,
                envelope: accepted.envelope,
                queue_prefix: accepted.queue_prefix.into(),
                blob: accepted.blob,
                body_bytes: accepted.body_bytes,
                received_at: accepted.received_at,
                waiting,
            }))
        })
    }

    fn stored_and_accepted(
        &mut self,
        queue_id: QueueId,
        recipient: u32,
    ) -> Result<Option<(StoredWaiting, AcceptedRow)>> {
        let Some(row) = load::waiting(&self.conn, queue_id, recipient)? else {
            return Ok(None);
        };
        let missing = || StoreError::Damaged(format!("accepted message {queue_id}"));
        let accepted = load::accepted(&self.conn, queue_id)?.ok_or_else(missing)?;
        Ok(Some((row, accepted)))
    }

    pub fn attempts(&mut self, queue_id: QueueId, after: Option<(u32, u32)>) -> Result<Vec<AttemptRow>> {
        let after = after.map_or((-1, 0), |(recipient, number)| {
            (i64::from(recipient), i64::from(number))
        });
        let mut statement = self.conn.prepare_cached(ATTEMPTS)?;
        let mut rows = statement.query(params![int(queue_id.raw()), after.0, after.1, PAGE])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (recipient, number) = (load::low(row.get(0)?), load::low(row.get(1)?));
            let attempt = Attempt {
                at: UnixMs(uint(row.get(2)?)),
                text: row.get(4)?,
            };
            let address: String = row.get(3)?;
            let sum = attempt_sum(queue_id, (recipient, u64::from(number)), &address, &attempt);
            verify(row.get(5)?, sum, || {
                format!("attempt {number} for recipient {recipient} of {queue_id}")
            })?;
            found.push(AttemptRow {
                recipient,
                number,
                at: attempt.at,
                address,
                text: attempt.text,
            });
        }
        Ok(found)
    }

    pub fn audit(&mut self, after: u64) -> Result<Vec<AuditRow>> {
        let mut statement = self.conn.prepare_cached(AUDIT)?;
        let mut rows = statement.query(params![int(after), PAGE])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, at, text): (_, _, String) = (uint(row.get(0)?), UnixMs(uint(row.get(1)?)), row.get(2)?);
            verify(row.get(3)?, audit_sum(id, at, &text), || {
                format!("audit entry {id}")
            })?;
            found.push(AuditRow { id, at, text });
        }
        Ok(found)
    }
}

fn waiting_row(row: StoredWaiting, accepted: AcceptedRow) -> WaitingRow {
    let waiting = row.waiting;
    WaitingRow {
        queue_id: row.queue_id,
        recipient: waiting.recipient,
        address: waiting.address,
        account: waiting.account,
        lane: waiting.lane,
        due: waiting.due,
        deadline: waiting.deadline,
        held: row.held,
        attempts: row.attempts,
        reason: waiting.reason,
        params: waiting.params,
        reverse_path: accepted.reverse_path,
        envelope: accepted.envelope,
        queue_prefix: accepted.queue_prefix.into(),
        blob: accepted.blob,
        body_bytes: accepted.body_bytes,
        received_at: accepted.received_at,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, StatementStatus};

    use super::*;
    use crate::embedded::schema;

    fn database(rows: u32) -> Connection {
        let conn = Connection::open_in_memory().expect("a database");
        conn.execute_batch(&schema::all_tables()).expect("tables");
        conn.execute_batch("BEGIN").expect("a transaction");
        for n in 0..rows {
            let lane = if n % 100 == 0 {
                "healthy.test -".to_owned()
            } else {
                format!("dead{}.test -", n % 1000)
            };
            conn.prepare_cached("INSERT INTO waiting VALUES(?,0,'a@b.test',0,?,?,?,0,0,'','',0)")
                .expect("a statement")
                .execute(params![n, lane, n + 1_000, 1_000_000 - n])
                .expect("a row");
            conn.prepare_cached("INSERT INTO attempts VALUES(?,0,0,0,'','',0)")
                .expect("a statement")
                .execute(params![n])
                .expect("a row");
        }
        conn.execute_batch("COMMIT").expect("written");
        conn
    }

    /// What is asked all the time.
    fn questions() -> Vec<(&'static str, Vec<i64>)> {
        vec![
            (NEXT_LANE, vec![]),
            (IN_LANE, vec![NEVER]),
            (OVERDUE, vec![NEVER]),
            (WHO_WAITS, vec![77, 0, 1]),
            (ATTEMPTS, vec![77, -1, 0, 1]),
            (AUDIT, vec![0, 1]),
        ]
    }

    fn asked(statement: &mut rusqlite::Statement<'_>, numbers: &[i64]) -> i32 {
        let lane = numbers.len() < statement.parameter_count();
        let lane: Option<&dyn rusqlite::ToSql> = lane.then_some(&"healthy.test -");
        let numbers = numbers.iter().map(|number| number as &dyn rusqlite::ToSql);
        let all: Vec<&dyn rusqlite::ToSql> = lane.into_iter().chain(numbers).collect();
        let mut rows = statement.query(&all[..]).expect("an answer");
        for _ in 0..64 {
            if rows.next().expect("a row").is_none() {
                break;
            }
        }
        drop(rows);
        statement.get_status(StatementStatus::VmStep)
    }

    #[test]
    fn every_question_goes_through_an_index() {
        let conn = database(10);
        for (question, numbers) in questions() {
            let mut explain = conn
                .prepare(&format!("EXPLAIN QUERY PLAN {question}"))
                .expect("a plan");
            let lane = numbers.len() < explain.parameter_count();
            let lane: Option<&dyn rusqlite::ToSql> = lane.then_some(&"healthy.test -");
            let numbers = numbers.iter().map(|number| number as &dyn rusqlite::ToSql);
            let all: Vec<&dyn rusqlite::ToSql> = lane.into_iter().chain(numbers).collect();
            let plan: Vec<String> = explain
                .query_map(&all[..], |row| row.get(3))
                .expect("a plan")
                .collect::<rusqlite::Result<_>>()
                .expect("lines");
            let plan = plan.join("; ");
            assert!(plan.contains("SEARCH"), "{question}: {plan}");
            assert!(
                !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"),
                "{question}: {plan}"
            );
        }
    }

    /// 64 rows cost the same whether 10,000 wait or 100,000.
    #[test]
    fn a_long_queue_does_not_slow_the_questions() {
        let (short, long) = (database(10_000), database(100_000));
        for (question, numbers) in questions() {
            let steps = |conn: &Connection| {
                let mut statement = conn.prepare(question).expect("a statement");
                asked(&mut statement, &numbers)
            };
            let (few, many) = (steps(&short), steps(&long));
            assert!(many <= few + 64, "{question}: {few} steps, then {many}");
        }
    }
}
