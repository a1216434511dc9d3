//! The reference: the contract in memory, written for plainness. One lock, a copy of everything per batch.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use mail::ids::{AccountId, BlobId, Id, MailboxId, MessageId, QueueId};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use world::clock::{BoxFuture, Clock, UnixMs};

use crate::contract::*;
use crate::durable::Durable;
use crate::flags::{DELETED, FlagMask, Flags, MAX_KEYWORDS_PER_MAILBOX, SEEN};
use crate::limits::MAILBOX_NAME_BYTES;
use crate::rights::{Grant, Grantee, RightsChange, Side};
use crate::uids::UidSet;

/// The contract in memory.
pub struct Model {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    claims: Mutex<(u64, HashMap<(QueueId, u32), u64>)>,
    staged: Arc<Mutex<HashMap<BlobId, Bytes>>>,
    notices: broadcast::Sender<Notice>,
    last_notice: std::sync::atomic::AtomicU64,
    commits: std::sync::atomic::AtomicU64,
}

#[derive(Clone, Default)]
struct State {
    accounts: BTreeMap<AccountId, Account>,
    mailboxes: BTreeMap<MailboxId, Mailbox>,
    messages: HashMap<MessageId, MessageRow>,
    bodies: HashMap<BlobId, Bytes>,
    domains: BTreeMap<String, String>,
    aliases: BTreeMap<String, Vec<String>>,
    deliveries: std::collections::HashSet<(QueueId, u32, MailboxId)>,
    accepted: HashMap<QueueId, Accept>,
    waiting: BTreeMap<(QueueId, u32), Row>,
    attempts: BTreeMap<(QueueId, u32), Vec<AttemptRow>>,
    audit: Vec<AuditRow>,
    metadata: BTreeMap<(AccountId, Option<MailboxId>, String), Bytes>,
    subscribed_names: BTreeSet<(AccountId, String)>,
    grants: BTreeMap<(MailboxId, Grantee), Grant>,
    saved: HashMap<(MailboxId, u32), UnixMs>,
    now: UnixMs,
    next_message: u64,
    touched: HashMap<AccountId, (u64, usize)>,
}

#[derive(Clone)]
struct Row {
    waiting: Waiting,
    held: bool,
    attempts: u32,
}

#[derive(Clone)]
struct Account {
    row: AccountRow,
    inbox: MailboxId,
    modseq: u64,
    last_uidvalidity: u32,
}

#[derive(Clone)]
struct Mailbox {
    row: MailboxRow,
    placed: BTreeMap<u32, (PlacementRow, u64)>,
    buried: Vec<(u64, u32)>,
    keywords: Vec<String>,
}

fn refuse<T>(conflict: Conflict) -> Result<T> {
    Err(StoreError::Conflict(conflict))
}

impl Model {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::new(State::default()),
            claims: Mutex::default(),
            staged: Arc::default(),
            notices: broadcast::channel(1024).0,
            last_notice: std::sync::atomic::AtomicU64::new(0),
            commits: std::sync::atomic::AtomicU64::new(0),
        }
    }

    fn run(&self, batch: &Batch) -> Result<Receipt> {
        let mut held = self.state.lock();
        let mut state = held.clone();
        state.touched.clear();
        state.now = self.clock.now();
        let results = batch
            .ops
            .iter()
            .map(|op| state.perform(self, op))
            .collect::<Result<_>>()?;
        for op in &batch.ops {
            let settled = match op {
                Op::RecordOutcome { claim, .. } => (claim.queue_id, claim.recipient),
                Op::Purge {
                    queue_id, recipient, ..
                } => (*queue_id, *recipient),
                _ => continue,
            };
            self.claims.lock().1.remove(&settled);
        }
        let of_anyone = |op: &Op| {
            matches!(
                op,
                Op::ChangeGrant {
                    who: Grantee::Anyone,
                    ..
                }
            )
        };
        let everybody = batch.ops.iter().any(of_anyone);
        for (&account, &(modseq, _)) in &state.touched {
            // Nobody may be listening.
            let last = self.last_notice.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
            let _ = self.notices.send(Notice {
                number: last + 1,
                account,
                modseq,
                mailboxes: Vec::new(),
                everybody,
            });
        }
        *held = state;
        // Nobody sees it before the lock is let go.
        self.commits.fetch_add(1, std::sync::atomic::Ordering::Release);
        Ok(Receipt { results })
    }
}

impl State {
    fn perform(&mut self, model: &Model, op: &Op) -> Result<OpResult> {
        match op {
            Op::Accept(accept) => self.accept(model, accept),
            Op::RecordOutcome {
                claim,
                outcome,
                prior_attempts,
                attempt,
            } => {
                let key = (claim.queue_id, claim.recipient);
                let address = self.waiting.get(&key).map(|row| row.waiting.address.clone());
                let recorded = self.record(model, claim, outcome, *prior_attempts)?;
                if let Some(attempt) = attempt {
                    self.keep_attempt(key, address.unwrap_or_default(), attempt.clone());
                }
                Ok(recorded)
            }
            Op::Hold {
                queue_id,
                recipient,
                held,
            } => {
                self.one((*queue_id, *recipient))?.held = *held;
                Ok(OpResult::Done)
            }
            Op::Reschedule {
                queue_id,
                recipient,
                due,
                deadline,
            } => {
                let waiting = &mut self.one((*queue_id, *recipient))?.waiting;
                waiting.due = *due;
                waiting.deadline = deadline.unwrap_or(waiting.deadline);
                Ok(OpResult::Done)
            }
            Op::Purge {
                queue_id,
                recipient,
                note,
            } => {
                let key = (*queue_id, *recipient);
                let address = self.one(key)?.waiting.address.clone();
                let (at, text) = (model.clock.now(), note.clone());
                self.keep_attempt(key, address, Attempt { at, text });
                self.settle(key);
                Ok(OpResult::Done)
            }
            Op::Audit { text } => {
                let id = self.audit.last().map_or(1, |last| last.id + 1);
                let (at, text) = (model.clock.now(), text.clone());
                self.audit.push(AuditRow { id, at, text });
                Ok(OpResult::Done)
            }
            Op::Append {
                account,
                mailbox,
                body,
                flags,
                internal_date,
            } => {
                if self.mailbox(*mailbox)?.row.account != *account {
                    return refuse(Conflict::NoSuchMailbox);
                }
                self.check_quota(*account, body.size_bytes)?;
                self.keep_body(model, body);
                let message = self.message(*account, body, &[], *internal_date, model.clock.now());
                let flags = self.admit(*mailbox, flags, true)?;
                let placed = self.place(*mailbox, message, body.size_bytes, flags)?;
                Ok(OpResult::Appended(placed))
            }
            Op::Replace {
                account,
                from,
                uid,
                mailbox,
                body,
                flags,
                internal_date,
            } => {
                if self.chosen(*from, &UidSet::from_uids([*uid]))?.is_empty() {
                    return refuse(Conflict::NoSuchMessage);
                }
                self.remove(*from, *uid)?;
                self.bury(*from, vec![*uid])?;
                let append = Op::Append {
                    account: *account,
                    mailbox: *mailbox,
                    body: body.clone(),
                    flags: flags.clone(),
                    internal_date: *internal_date,
                };
                self.perform(model, &append)
            }
            Op::SetFlags {
                mailbox,
                uids,
                edit,
                unchanged_since,
            } => self.set_flags(*mailbox, uids, edit, *unchanged_since),
            Op::Copy { from, uids, to, keep } => {
                let sources = self.chosen(*from, uids)?;
                let (account, uidvalidity) = self.destination(*to)?;
                self.check_quota(account, sources.iter().map(|(_, size)| size).sum())?;
                let sources = self.as_of(account, sources);
                let pairs = self.copy(&sources, (*to, *keep))?;
                Ok(OpResult::Copied { uidvalidity, pairs })
            }
            Op::Move { from, uids, to, keep } => {
                let sources = self.chosen(*from, uids)?;
                let (account, uidvalidity) = self.destination(*to)?;
                if account != self.mailbox(*from)?.row.account {
                    self.check_quota(account, sources.iter().map(|(_, size)| size).sum())?;
                }
                sources
                    .iter()
                    .try_for_each(|(row, _)| self.remove(*from, row.uid))?;
                let sources = self.as_of(account, sources);
                let pairs = self.copy(&sources, (*to, *keep))?;
                self.bury(*from, sources.iter().map(|(row, _)| row.uid).collect())?;
                Ok(OpResult::Moved {
                    uidvalidity,
                    pairs,
                    modseq: self.mailbox(*from)?.row.modseq,
                })
            }
            Op::Expunge {
                mailbox,
                uids,
                only_deleted,
            } => {
                let chosen = self.chosen(*mailbox, uids)?;
                let gone: Vec<u32> = chosen
                    .iter()
                    .filter(|(row, _)| !only_deleted || row.flags.has(DELETED))
                    .map(|(row, _)| row.uid)
                    .collect();
                gone.iter().try_for_each(|&uid| self.remove(*mailbox, uid))?;
                self.bury(*mailbox, gone.clone())?;
                Ok(OpResult::Expunged {
                    uids: UidSet::from_uids(gone),
                    modseq: self.mailbox(*mailbox)?.row.modseq,
                })
            }
            Op::CreateMailbox {
                account,
                mailbox,
                parent,
                name,
                special_use,
            } => {
                self.account(*account)?;
                self.check_place(*account, None, *parent, name)?;
                let now = model.clock.now();
                let uidvalidity = self.add_mailbox(now, *account, *mailbox, *parent, name, *special_use)?;
                Ok(OpResult::MailboxCreated { uidvalidity })
            }
            Op::DeleteMailbox { mailbox } => self.delete_mailbox(*mailbox),
            Op::RenameMailbox {
                mailbox,
                parent,
                name,
            } => {
                let account = self.mailbox(*mailbox)?.row.account;
                if self.account(account)?.inbox == *mailbox {
                    return refuse(Conflict::NotAllowed);
                }
                self.check_place(account, Some(*mailbox), *parent, name)?;
                let modseq = self.modseq(account)?;
                let row = &mut self.mailbox(*mailbox)?.row;
                (row.parent, row.name, row.modseq) = (*parent, name.clone(), modseq);
                Ok(OpResult::Done)
            }
            Op::RenameInbox {
                account,
                mailbox,
                parent,
                name,
            } => {
                let inbox = self.account(*account)?.inbox;
                self.check_place(*account, None, *parent, name)?;
                let now = model.clock.now();
                let uidvalidity = self.add_mailbox(now, *account, *mailbox, *parent, name, None)?;
                let sources = self.chosen(inbox, &UidSet::from_ranges([(1, u32::MAX)]))?;
                sources
                    .iter()
                    .try_for_each(|(row, _)| self.remove(inbox, row.uid))?;
                self.copy(&sources, (*mailbox, FlagMask::ALL))?;
                self.bury(inbox, sources.iter().map(|(row, _)| row.uid).collect())?;
                Ok(OpResult::MailboxCreated { uidvalidity })
            }
            Op::SetSubscribed { mailbox, subscribed } => {
                let row = &mut self.mailbox(*mailbox)?.row;
                row.subscribed = *subscribed;
                let account = row.account;
                self.modseq(account)?;
                Ok(OpResult::Done)
            }
            Op::SetSubscribedName {
                account,
                name,
                subscribed,
            } => self.set_subscribed_name(*account, name, *subscribed),
            Op::ChangeGrant {
                mailbox,
                who,
                side,
                change,
            } => self.change_grant(*mailbox, *who, *side, *change),
            Op::SetMetadata {
                account,
                mailbox,
                entries,
            } => self.set_metadata(*account, *mailbox, entries),
            Op::CreateDomain { name, settings } => match self.domains.contains_key(name) {
                true => refuse(Conflict::DomainExists),
                false => self.done(|state| drop(state.domains.insert(name.clone(), settings.clone()))),
            },
            Op::SetDomain { name, settings } => match self.domains.contains_key(name) {
                false => refuse(Conflict::NoSuchDomain),
                true => self.done(|state| drop(state.domains.insert(name.clone(), settings.clone()))),
            },
            Op::RemoveDomain { name } => {
                let suffix = format!("@{name}");
                let used = self
                    .accounts
                    .values()
                    .any(|account| account.row.address.ends_with(&suffix))
                    || self.aliases.keys().any(|key| key.ends_with(&suffix));
                match (used, self.domains.contains_key(name)) {
                    (true, _) => refuse(Conflict::DomainInUse),
                    (_, false) => refuse(Conflict::NoSuchDomain),
                    _ => self.done(|state| drop(state.domains.remove(name))),
                }
            }
            Op::CreateAccount { account } => self.create_account(model, account),
            Op::SetAccount {
                account,
                credential,
                quota_bytes,
                enabled,
                settings,
            } => {
                let row = &mut self.account(*account)?.row;
                row.credential = credential.clone().or(row.credential.take());
                row.quota_bytes = quota_bytes.unwrap_or(row.quota_bytes);
                row.enabled = enabled.unwrap_or(row.enabled);
                row.settings = settings.clone().unwrap_or(std::mem::take(&mut row.settings));
                Ok(OpResult::Done)
            }
            Op::RemoveAccount { account } => {
                self.account(*account)?;
                self.accounts.remove(account);
                self.mailboxes
                    .retain(|_, mailbox| mailbox.row.account != *account);
                let there: BTreeSet<MailboxId> = self.mailboxes.keys().copied().collect();
                let is_there = |id: &Option<MailboxId>| id.is_none_or(|id| there.contains(&id));
                self.metadata
                    .retain(|(owner, mailbox, _), _| owner != account && is_there(mailbox));
                let gone = Grantee::Account(*account);
                self.grants
                    .retain(|(mailbox, who), _| *who != gone && there.contains(mailbox));
                self.subscribed_names.retain(|(owner, _)| owner != account);
                Ok(OpResult::Done)
            }
            Op::CreateAlias { key, targets } => {
                self.check_free(key)?;
                self.done(|state| drop(state.aliases.insert(key.clone(), targets.clone())))
            }
            Op::SetAlias { key, targets } => match self.aliases.contains_key(key) {
                false => refuse(Conflict::NoSuchAlias),
                true => self.done(|state| drop(state.aliases.insert(key.clone(), targets.clone()))),
            },
            Op::RemoveAlias { key } => match self.aliases.remove(key) {
                None => refuse(Conflict::NoSuchAlias),
                Some(_) => Ok(OpResult::Done),
            },
        }
    }

    fn done(&mut self, act: impl FnOnce(&mut Self)) -> Result<OpResult> {
        act(self);
        Ok(OpResult::Done)
    }

    fn account(&mut self, id: AccountId) -> Result<&mut Account> {
        self.accounts
            .get_mut(&id)
            .ok_or(StoreError::Conflict(Conflict::NoSuchAccount))
    }

    fn mailbox(&mut self, id: MailboxId) -> Result<&mut Mailbox> {
        self.mailboxes
            .get_mut(&id)
            .ok_or(StoreError::Conflict(Conflict::NoSuchMailbox))
    }

    fn modseq(&mut self, account: AccountId) -> Result<u64> {
        // One value per batch, but at most a page of rows under one.
        if let Some((value, rows)) = self.touched.get_mut(&account)
            && *rows < PAGE_ROWS
        {
            *rows += 1;
            return Ok(*value);
        }
        let account_state = self.account(account)?;
        account_state.modseq += 1;
        let value = account_state.modseq;
        self.touched.insert(account, (value, 1));
        Ok(value)
    }

    fn accept(&mut self, model: &Model, accept: &Accept) -> Result<OpResult> {
        self.keep_body(model, &accept.body);
        let mut placed = Vec::new();
        for delivery in &accept.deliveries {
            self.deliver(model, accept, delivery, &mut placed)?;
        }
        if !accept.waiting.is_empty() && self.accepted.insert(accept.queue_id, accept.clone()).is_some() {
            return refuse(Conflict::AlreadyDelivered);
        }
        for waiting in &accept.waiting {
            let key = (accept.queue_id, waiting.recipient);
            let row = Row {
                waiting: waiting.clone(),
                held: false,
                attempts: 0,
            };
            if self.waiting.insert(key, row).is_some() {
                return refuse(Conflict::AlreadyDelivered);
            }
        }
        let waiting = accept.waiting.len() as u32;
        Ok(OpResult::Accepted(Accepted {
            queue_id: accept.queue_id,
            placed,
            waiting,
        }))
    }

    fn deliver(
        &mut self,
        model: &Model,
        source: &Accept,
        delivery: &Delivery,
        placed: &mut Vec<Placed>,
    ) -> Result<()> {
        let inbox = self.account(delivery.account)?.inbox;
        let mut targets: Vec<(MailboxId, &Flags)> = Vec::new();
        for (target, flags) in &delivery.targets {
            let mailbox = match target {
                Target::Mailbox(id)
                    if self
                        .mailboxes
                        .get(id)
                        .is_some_and(|found| found.row.account == delivery.account) =>
                {
                    *id
                }
                Target::Special(special_use) => self
                    .special(model, delivery.account, *special_use)?
                    .unwrap_or(inbox),
                _ => inbox,
            };
            if !targets.iter().any(|(known, _)| *known == mailbox) {
                targets.push((mailbox, flags));
            }
        }
        if targets.is_empty() {
            return refuse(Conflict::NoSuchMailbox);
        }
        let (received, now) = (source.received_at, model.clock.now());
        let message = self.message(delivery.account, &source.body, &delivery.prefix, received, now);
        let size = delivery.prefix.len() as u64 + source.body.size_bytes;
        for (mailbox, flags) in targets {
            if !self
                .deliveries
                .insert((source.queue_id, delivery.recipient, mailbox))
            {
                return refuse(Conflict::AlreadyDelivered);
            }
            let flags = self.admit(mailbox, flags, false)?;
            placed.push(Placed {
                recipient: delivery.recipient,
                ..self.place(mailbox, message, size, flags)?
            });
        }
        Ok(())
    }

    fn special(
        &mut self,
        model: &Model,
        account: AccountId,
        special_use: SpecialUse,
    ) -> Result<Option<MailboxId>> {
        let name = special_use.usual_name();
        let of_account = || {
            self.mailboxes
                .values()
                .filter(|found| found.row.account == account)
        };
        let by_use = of_account().find(|found| found.row.special_use == Some(special_use));
        let by_name = || of_account().find(|found| found.row.parent.is_none() && found.row.name == name);
        if let Some(found) = by_use.or_else(by_name) {
            return Ok(Some(found.row.id));
        }
        if self.check_place(account, None, None, name).is_err() {
            return Ok(None);
        }
        self.next_message += 1;
        let id = MailboxId::from_raw(self.next_message);
        let now = model.clock.now();
        self.add_mailbox(now, account, id, None, name, Some(special_use))?;
        Ok(Some(id))
    }

    fn record(&mut self, model: &Model, claim: &Claim, outcome: &Outcome, prior: u32) -> Result<OpResult> {
        let key = (claim.queue_id, claim.recipient);
        let held = model.claims.lock().1.get(&key) == Some(&claim.token);
        if !held || !self.waiting.contains_key(&key) {
            return refuse(Conflict::ClaimLost);
        }
        match outcome {
            Outcome::Retry {
                due,
                deadline,
                reason,
            } => {
                let row = self.one(key)?;
                row.attempts = prior + 1;
                (row.waiting.due, row.waiting.deadline) = (*due, *deadline);
                row.waiting.reason.clone_from(reason);
                return Ok(OpResult::Recorded);
            }
            Outcome::Told { deadline, params } => {
                let waiting = &mut self.one(key)?.waiting;
                (waiting.deadline, waiting.params) = (*deadline, params.clone());
                return Ok(OpResult::Recorded);
            }
            Outcome::DeliveredHere(delivery) => {
                let source = self.accepted.get(&claim.queue_id).cloned();
                let source = source.ok_or(StoreError::Conflict(Conflict::ClaimLost))?;
                self.deliver(model, &source, delivery, &mut Vec::new())?;
            }
            Outcome::DeliveredElsewhere | Outcome::Failed { .. } => {}
        }
        self.settle(key);
        Ok(OpResult::Recorded)
    }

    fn one(&mut self, key: (QueueId, u32)) -> Result<&mut Row> {
        self.waiting
            .get_mut(&key)
            .ok_or(StoreError::Conflict(Conflict::NotWaiting))
    }

    fn settle(&mut self, key: (QueueId, u32)) {
        self.waiting.remove(&key);
        if !self.waiting.keys().any(|(queue_id, _)| *queue_id == key.0) {
            self.accepted.remove(&key.0);
        }
    }

    fn keep_attempt(&mut self, key: (QueueId, u32), address: String, attempt: Attempt) {
        let attempts = self.attempts.entry(key).or_default();
        let number = attempts.last().map_or(0, |last| last.number + 1);
        attempts.push(AttemptRow {
            recipient: key.1,
            number,
            at: attempt.at,
            address,
            text: attempt.text,
        });
        if attempts.len() > ATTEMPTS_KEPT as usize {
            attempts.remove(FIRST_ATTEMPTS_KEPT as usize);
        }
    }

    fn keep_body(&mut self, model: &Model, body: &Body) {
        let bytes = match &body.place {
            BodyPlace::Inline(bytes) => bytes.clone(),
            BodyPlace::Staged(_) => model.staged.lock().get(&body.blob).cloned().unwrap_or_default(),
        };
        self.bodies.insert(body.blob, bytes);
    }

    fn message(
        &mut self,
        account: AccountId,
        body: &Body,
        prefix: &[u8],
        internal_date: UnixMs,
        saved_at: UnixMs,
    ) -> MessageId {
        self.next_message += 1;
        let id = MessageId::from_raw(self.next_message);
        let prefix = Bytes::copy_from_slice(prefix);
        let body_bytes = body.size_bytes;
        let row = MessageRow {
            id,
            account,
            blob: body.blob,
            prefix,
            body_bytes,
            internal_date,
            saved_at,
        };
        self.messages.insert(id, row);
        id
    }

    fn place(&mut self, id: MailboxId, message: MessageId, size: u64, flags: Flags) -> Result<Placed> {
        let account = self.mailbox(id)?.row.account;
        let modseq = self.modseq(account)?;
        self.account(account)?.row.used_bytes += size;
        let mailbox = self.mailbox(id)?;
        let uid = mailbox.row.uidnext;
        mailbox.row.uidnext += 1;
        mailbox.row.modseq = modseq;
        let now = self.now;
        self.saved.insert((id, uid), now);
        let mailbox = self.mailbox(id)?;
        mailbox.placed.insert(
            uid,
            (
                PlacementRow {
                    uid,
                    message,
                    flags,
                    modseq,
                    size_bytes: size,
                },
                size,
            ),
        );
        mailbox.recount();
        let uidvalidity = mailbox.row.uidvalidity;
        Ok(Placed {
            recipient: 0,
            account,
            mailbox: id,
            message,
            uidvalidity,
            uid,
            modseq,
        })
    }

    fn remove(&mut self, id: MailboxId, uid: u32) -> Result<()> {
        let mailbox = self.mailbox(id)?;
        let account = mailbox.row.account;
        let size = mailbox.placed.remove(&uid).map_or(0, |(_, size)| size);
        mailbox.recount();
        self.account(account)?.row.used_bytes -= size;
        Ok(())
    }

    fn bury(&mut self, id: MailboxId, uids: Vec<u32>) -> Result<()> {
        if uids.is_empty() {
            return Ok(());
        }
        let account = self.mailbox(id)?.row.account;
        let modseq = self.modseq(account)?;
        let mailbox = self.mailbox(id)?;
        mailbox.row.modseq = modseq;
        mailbox.buried.extend(uids.into_iter().map(|uid| (modseq, uid)));
        Ok(())
    }

    fn copy(
        &mut self,
        sources: &[(PlacementRow, u64)],
        (to, keep): (MailboxId, FlagMask),
    ) -> Result<Vec<(u32, u32)>> {
        let mut pairs = Vec::new();
        for (row, size) in sources {
            let flags = self.admit(to, &keep.of(&row.flags), true)?;
            pairs.push((row.uid, self.place(to, row.message, *size, flags)?.uid));
        }
        Ok(pairs)
    }

    /// The same messages, as an account's own.
    fn as_of(&mut self, account: AccountId, sources: Vec<(PlacementRow, u64)>) -> Vec<(PlacementRow, u64)> {
        let mut own = sources;
        for (row, _) in &mut own {
            let Some(message) = self.messages.get(&row.message).filter(|it| it.account != account) else {
                continue;
            };
            self.next_message += 1;
            let copy = MessageRow {
                id: MessageId::from_raw(self.next_message),
                account,
                saved_at: self.now,
                ..message.clone()
            };
            row.message = copy.id;
            self.messages.insert(copy.id, copy);
        }
        own
    }

    fn chosen(&mut self, id: MailboxId, uids: &UidSet) -> Result<Vec<(PlacementRow, u64)>> {
        let mailbox = self.mailbox(id)?;
        Ok(mailbox
            .placed
            .values()
            .filter(|(row, _)| uids.contains(row.uid))
            .cloned()
            .collect())
    }

    /// Spells rare keywords as the mailbox does; new ones are added while there is room.
    fn admit(&mut self, id: MailboxId, flags: &Flags, strict: bool) -> Result<Flags> {
        let mailbox = self.mailbox(id)?;
        let mut admitted = Flags::bits(flags.bits);
        for name in &flags.keywords {
            let known = mailbox
                .keywords
                .iter()
                .find(|known| known.eq_ignore_ascii_case(name))
                .cloned();
            match known {
                Some(known) => admitted.add_keyword(&known),
                None if mailbox.keywords.len() < MAX_KEYWORDS_PER_MAILBOX => {
                    mailbox.keywords.push(name.clone());
                    admitted.add_keyword(name);
                }
                None if strict => return refuse(Conflict::TooManyKeywords),
                None => {}
            }
        }
        Ok(admitted)
    }

    fn set_flags(
        &mut self,
        id: MailboxId,
        uids: &UidSet,
        edit: &crate::flags::FlagEdit,
        unchanged_since: Option<u64>,
    ) -> Result<OpResult> {
        let (account, before) = (self.mailbox(id)?.row.account, self.mailbox(id)?.row.modseq);
        let (mut changed, mut modified) = (Vec::new(), Vec::new());
        for (row, _) in self.chosen(id, uids)? {
            if unchanged_since.is_some_and(|limit| row.modseq > limit) {
                modified.push(row.uid);
                continue;
            }
            let after = row.flags.edited(edit);
            if after == row.flags {
                continue;
            }
            let flags = self.admit(id, &after, true)?;
            let modseq = self.modseq(account)?;
            let mailbox = self.mailbox(id)?;
            mailbox.row.modseq = modseq;
            if let Some((placed, _)) = mailbox.placed.get_mut(&row.uid) {
                (placed.flags, placed.modseq) = (flags.clone(), modseq);
            }
            mailbox.recount();
            changed.push(FlagsRow {
                uid: row.uid,
                flags,
                modseq,
            });
        }
        let modseq = self.mailbox(id)?.row.modseq;
        Ok(OpResult::FlagsSet {
            before,
            modseq,
            changed,
            modified: UidSet::from_uids(modified),
        })
    }

    fn check_quota(&mut self, account: AccountId, more: u64) -> Result<()> {
        let row = &self.account(account)?.row;
        let over = row.quota_bytes > 0 && row.used_bytes + more > row.quota_bytes;
        if over { refuse(Conflict::OverQuota) } else { Ok(()) }
    }

    fn destination(&mut self, to: MailboxId) -> Result<(AccountId, u32)> {
        let row = &self.mailbox(to)?.row;
        Ok((row.account, row.uidvalidity))
    }

    fn check_place(
        &mut self,
        account: AccountId,
        moved: Option<MailboxId>,
        parent: Option<MailboxId>,
        name: &str,
    ) -> Result<()> {
        if name.is_empty() || name.len() > MAILBOX_NAME_BYTES {
            return refuse(Conflict::NotAllowed);
        }
        if parent.is_none() && name.eq_ignore_ascii_case("INBOX") {
            return refuse(Conflict::MailboxExists);
        }
        let mut above = parent;
        while let Some(id) = above {
            let row = &self.mailbox(id)?.row;
            if row.account != account {
                return refuse(Conflict::NoSuchMailbox);
            }
            if Some(id) == moved {
                return refuse(Conflict::NotAllowed);
            }
            above = row.parent;
        }
        let taken = self.mailboxes.values().any(|mailbox| {
            let row = &mailbox.row;
            row.account == account && row.parent == parent && row.name == name && Some(row.id) != moved
        });
        if taken {
            refuse(Conflict::MailboxExists)
        } else {
            Ok(())
        }
    }

    fn add_mailbox(
        &mut self,
        now: UnixMs,
        account: AccountId,
        id: MailboxId,
        parent: Option<MailboxId>,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Result<u32> {
        let modseq = self.modseq(account)?;
        let owner = self.account(account)?;
        owner.last_uidvalidity = ((now.0 / 1000) as u32).max(owner.last_uidvalidity + 1);
        let uidvalidity = owner.last_uidvalidity;
        let row = MailboxRow {
            id,
            account,
            parent,
            name: name.to_owned(),
            special_use,
            subscribed: true,
            uidvalidity,
            uidnext: 1,
            modseq,
            messages: 0,
            unseen: 0,
            deleted: 0,
            size_bytes: 0,
        };
        let mailbox = Mailbox {
            row,
            placed: BTreeMap::new(),
            buried: Vec::new(),
            keywords: Vec::new(),
        };
        if self.mailboxes.insert(id, mailbox).is_some() {
            return refuse(Conflict::MailboxExists);
        }
        let above = self
            .grants
            .iter()
            .filter(|((above, _), _)| Some(*above) == parent);
        let room = self.public_of(account) < PUBLIC_MAILBOXES_PER_ACCOUNT;
        let inherited: Vec<_> = above
            .filter(|((_, who), _)| *who != Grantee::Anyone || room)
            .map(|((_, who), grant)| ((id, *who), *grant))
            .collect();
        self.grants.extend(inherited);
        Ok(uidvalidity)
    }

    fn delete_mailbox(&mut self, id: MailboxId) -> Result<OpResult> {
        let row = self.mailbox(id)?.row.clone();
        if self.account(row.account)?.inbox == id {
            return refuse(Conflict::NotAllowed);
        }
        if self
            .mailboxes
            .values()
            .any(|mailbox| mailbox.row.parent == Some(id))
        {
            return refuse(Conflict::HasChildren);
        }
        self.mailboxes.remove(&id);
        self.metadata.retain(|(_, mailbox, _), _| *mailbox != Some(id));
        self.grants.retain(|(mailbox, _), _| *mailbox != id);
        self.account(row.account)?.row.used_bytes -= row.size_bytes;
        self.modseq(row.account)?;
        Ok(OpResult::Done)
    }

    fn set_subscribed_name(&mut self, account: AccountId, name: &str, subscribed: bool) -> Result<OpResult> {
        self.account(account)?;
        let key = (account, name.to_owned());
        if !subscribed {
            self.subscribed_names.remove(&key);
            return Ok(OpResult::Done);
        }
        if name.is_empty() {
            return refuse(Conflict::NotAllowed);
        }
        self.subscribed_names.insert(key);
        let mine = |(owner, _): &&(AccountId, String)| *owner == account;
        if self.subscribed_names.iter().filter(mine).count() > SUBSCRIBED_NAMES_PER_ACCOUNT {
            return refuse(Conflict::TooManyEntries);
        }
        Ok(OpResult::Done)
    }

    fn set_metadata(
        &mut self,
        account: AccountId,
        mailbox: Option<MailboxId>,
        entries: &[(String, Option<Bytes>)],
    ) -> Result<OpResult> {
        self.account(account)?;
        if let Some(id) = mailbox {
            self.mailbox(id)?;
        }
        for (entry, value) in entries {
            let key = (account, mailbox, entry.clone());
            match value {
                Some(value) if value.len() > METADATA_VALUE_BYTES => {
                    return refuse(Conflict::MetadataTooLarge);
                }
                Some(value) => drop(self.metadata.insert(key, value.clone())),
                None => drop(self.metadata.remove(&key)),
            }
        }
        let mine = || {
            self.metadata
                .iter()
                .filter(|((owner, _, entry), _)| *owner == account && entry.starts_with('/'))
        };
        if mine().count() > METADATA_ENTRIES_PER_ACCOUNT {
            return refuse(Conflict::TooManyEntries);
        }
        let bytes: usize = mine()
            .map(|((_, _, entry), value)| entry.len() + value.len())
            .sum();
        if bytes > METADATA_BYTES_PER_ACCOUNT {
            return refuse(Conflict::MetadataTooLarge);
        }
        Ok(OpResult::Done)
    }

    fn change_grant(
        &mut self,
        id: MailboxId,
        who: Grantee,
        side: Side,
        change: RightsChange,
    ) -> Result<OpResult> {
        let owner = self.mailbox(id)?.row.account;
        if let Grantee::Account(account) = who {
            self.account(account)?;
            if account == owner {
                return refuse(Conflict::NotAllowed);
            }
        }
        let changed = self.grants.get(&(id, who)).copied().unwrap_or_default();
        let changed = changed.changed(side, change);
        let entries = self.grants.keys().filter(|(mailbox, _)| *mailbox == id).count();
        let public = who == Grantee::Anyone && !self.grants.contains_key(&(id, who)) && !changed.is_empty();
        if changed.is_empty() {
            self.grants.remove(&(id, who));
        } else if public
            && entries < GRANTS_PER_MAILBOX
            && self.public_of(owner) >= PUBLIC_MAILBOXES_PER_ACCOUNT
        {
            return refuse(Conflict::TooManyPublic);
        } else if self.grants.contains_key(&(id, who)) || entries < GRANTS_PER_MAILBOX {
            self.grants.insert((id, who), changed);
        } else {
            return refuse(Conflict::TooManyEntries);
        }
        self.modseq(owner)?;
        Ok(OpResult::Done)
    }

    /// Mailboxes of an account that have an entry about anyone.
    fn public_of(&self, owner: AccountId) -> usize {
        self.grant_rows(|_, who, of| who == Grantee::Anyone && of == owner)
            .len()
    }

    fn grant_rows(&self, wanted: impl Fn(MailboxId, Grantee, AccountId) -> bool) -> Vec<GrantRow> {
        let rows = self.grants.iter().filter_map(|(&(mailbox, who), &grant)| {
            let owner = self.mailboxes.get(&mailbox)?.row.account;
            wanted(mailbox, who, owner).then_some(GrantRow {
                mailbox,
                owner,
                who,
                grant,
            })
        });
        rows.collect()
    }

    fn create_account(&mut self, model: &Model, new: &NewAccount) -> Result<OpResult> {
        self.check_free(&new.address)?;
        if self.accounts.contains_key(&new.id) {
            return refuse(Conflict::AccountExists);
        }
        let row = AccountRow {
            id: new.id,
            address: new.address.clone(),
            credential: new.credential.clone(),
            quota_bytes: new.quota_bytes,
            used_bytes: 0,
            enabled: true,
            settings: new.settings.clone(),
        };
        self.accounts.insert(
            new.id,
            Account {
                row,
                inbox: new.inbox,
                modseq: 0,
                last_uidvalidity: 0,
            },
        );
        let now = model.clock.now();
        self.add_mailbox(now, new.id, new.inbox, None, "INBOX", None)?;
        for (id, name, special_use) in &new.mailboxes {
            self.check_place(new.id, None, None, name)?;
            self.add_mailbox(now, new.id, *id, None, name, *special_use)?;
        }
        Ok(OpResult::Done)
    }

    fn check_free(&self, key: &str) -> Result<()> {
        if self.accounts.values().any(|account| account.row.address == key) {
            return refuse(Conflict::AccountExists);
        }
        if self.aliases.contains_key(key) {
            refuse(Conflict::AliasExists)
        } else {
            Ok(())
        }
    }
}

impl Mailbox {
    fn recount(&mut self) {
        let rows = || self.placed.values();
        self.row.messages = rows().count() as u32;
        self.row.unseen = rows().filter(|(row, _)| !row.flags.has(SEEN)).count() as u32;
        self.row.deleted = rows().filter(|(row, _)| row.flags.has(DELETED)).count() as u32;
        self.row.size_bytes = rows().map(|(_, size)| size).sum();
    }

    fn changes_since(&self, modseq: u64) -> Changes {
        let mut rows: Vec<PlacementRow> = self
            .placed
            .values()
            .map(|(row, _)| row)
            .filter(|row| row.modseq > modseq)
            .cloned()
            .collect();
        rows.sort_by_key(|row| (row.modseq, row.uid));
        let highest = self.row.modseq;
        let upto = rows.get(PAGE_ROWS).map_or(highest, |row| row.modseq - 1);
        rows.retain(|row| row.modseq <= upto);
        let gone = self
            .buried
            .iter()
            .filter(|(at, _)| *at > modseq && *at <= upto)
            .map(|(_, uid)| *uid);
        Changes {
            rows,
            vanished: UidSet::from_uids(gone),
            upto,
            highest,
            too_old: false,
        }
    }
}

struct ModelStage {
    blob: BlobId,
    bytes: Vec<u8>,
    staged: Arc<Mutex<HashMap<BlobId, Bytes>>>,
}

impl BodyStage for ModelStage {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> BoxFuture<'a, Result<()>> {
        self.bytes.extend_from_slice(bytes);
        ready(Ok(()))
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Body>> {
        let hash = *blake3::hash(&self.bytes).as_bytes();
        let size_bytes = self.bytes.len() as u64;
        let bytes = Bytes::from(self.bytes);
        let place = if bytes.len() <= INLINE_BODY_BYTES {
            BodyPlace::Inline(bytes)
        } else {
            self.staged.lock().insert(self.blob, bytes);
            BodyPlace::Staged(Staged::default())
        };
        ready(Ok(Body {
            blob: self.blob,
            size_bytes,
            hash,
            place,
        }))
    }
}

fn ready<T: Send + 'static>(value: T) -> BoxFuture<'static, T> {
    Box::pin(std::future::ready(value))
}

fn page<'a, K: Ord + Clone + 'a, V: Clone + 'a>(rows: impl Iterator<Item = (&'a K, &'a V)>) -> Vec<(K, V)> {
    rows.take(PAGE_ROWS)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

impl Store for Model {
    fn stage(&self, blob: BlobId) -> Box<dyn BodyStage> {
        Box::new(ModelStage {
            blob,
            bytes: Vec::new(),
            staged: Arc::clone(&self.staged),
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Durable<Receipt>>> {
        ready(self.run(&batch).map(Durable::synced))
    }

    fn admission(&self) -> Admission {
        Admission::Open
    }

    fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    fn notices(&self) -> u64 {
        self.last_notice.load(std::sync::atomic::Ordering::Acquire)
    }

    fn commits(&self) -> Option<u64> {
        Some(self.commits.load(std::sync::atomic::Ordering::Acquire))
    }

    fn mailboxes(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<MailboxRow>>> {
        let state = self.state.lock();
        let rows = state.mailboxes.values().map(|mailbox| mailbox.row.clone());
        ready(Ok(rows.filter(|row| row.account == account).collect()))
    }

    fn mailbox(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<Option<MailboxRow>>> {
        ready(Ok(self
            .state
            .lock()
            .mailboxes
            .get(&mailbox)
            .map(|mailbox| mailbox.row.clone())))
    }

    fn placements(&self, mailbox: MailboxId, after_uid: u32) -> BoxFuture<'_, Result<Vec<PlacementRow>>> {
        let mut state = self.state.lock();
        let found = state.mailbox(mailbox).map(|mailbox| {
            let rows = mailbox
                .placed
                .values()
                .map(|(row, _)| row)
                .filter(|row| row.uid > after_uid);
            rows.take(PAGE_ROWS).cloned().collect()
        });
        ready(found)
    }

    fn changes_since(&self, mailbox: MailboxId, modseq: u64) -> BoxFuture<'_, Result<Changes>> {
        ready(
            self.state
                .lock()
                .mailbox(mailbox)
                .map(|mailbox| mailbox.changes_since(modseq)),
        )
    }

    fn messages(&self, ids: Vec<MessageId>) -> BoxFuture<'_, Result<Vec<MessageRow>>> {
        let state = self.state.lock();
        ready(Ok(ids
            .iter()
            .take(PAGE_ROWS)
            .filter_map(|id| state.messages.get(id).cloned())
            .collect()))
    }

    fn read_messages(
        &self,
        ids: Vec<MessageId>,
        together: Together,
    ) -> BoxFuture<'_, Result<Vec<Result<Option<ReadMessage>>>>> {
        let state = self.state.lock();
        let mut left = together.all_bytes;
        let read = ids.iter().take(PAGE_ROWS).map(|id| {
            let Some(row) = state.messages.get(id).cloned() else {
                return Ok(None);
            };
            let fits = row.body_bytes <= together.body_bytes.min(left);
            let body = state.bodies.get(&row.blob).filter(|_| fits);
            left -= body.map_or(0, |body| body.len() as u64);
            let octets = body.map(|body| [&row.prefix[..], body].concat().into());
            Ok(Some(ReadMessage { row, octets }))
        });
        ready(Ok(read.collect()))
    }

    fn read_body(&self, blob: BlobId, offset: u64, length: u64) -> BoxFuture<'_, Result<Bytes>> {
        let state = self.state.lock();
        let Some(body) = state.bodies.get(&blob) else {
            return ready(Err(StoreError::Damaged(format!("body {blob}"))));
        };
        let start = offset.min(body.len() as u64) as usize;
        let length = length
            .min(crate::limits::READ_BODY_BYTES)
            .min((body.len() - start) as u64);
        ready(Ok(body.slice(start..start + length as usize)))
    }

    fn read_bodies(&self, wanted: Vec<(BlobId, u64)>) -> BoxFuture<'_, Result<Vec<Result<Bytes>>>> {
        Box::pin(async move {
            let mut read = Vec::new();
            for (blob, length) in wanted {
                read.push(self.read_body(blob, 0, length).await);
            }
            Ok(read)
        })
    }

    fn keywords(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<Vec<String>>> {
        ready(Ok(self
            .state
            .lock()
            .mailbox(mailbox)
            .map(|mailbox| mailbox.keywords.clone())
            .unwrap_or_default()))
    }

    fn save_dates(&self, mailbox: MailboxId, uids: UidSet) -> BoxFuture<'_, Result<Vec<(u32, UnixMs)>>> {
        let state = self.state.lock();
        let placed = state
            .mailboxes
            .get(&mailbox)
            .into_iter()
            .flat_map(|found| found.placed.keys());
        let dates = placed
            .filter(|uid| uids.contains(**uid))
            .filter_map(|uid| Some((*uid, *state.saved.get(&(mailbox, *uid))?)))
            .take(PAGE_ROWS)
            .collect();
        ready(Ok(dates))
    }

    fn deleted_bytes(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<u64>> {
        let state = self.state.lock();
        let placed = state
            .mailboxes
            .get(&mailbox)
            .into_iter()
            .flat_map(|found| found.placed.values());
        let deleted = placed.filter(|(row, _)| row.flags.has(DELETED));
        ready(Ok(deleted.map(|(_, size)| size).sum()))
    }

    fn metadata(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<MetadataRow>>> {
        let state = self.state.lock();
        let mine = state
            .metadata
            .iter()
            .filter(|((owner, _, _), _)| *owner == account);
        let rows = mine
            .map(|((_, mailbox, entry), value)| MetadataRow {
                mailbox: *mailbox,
                entry: entry.clone(),
                value: value.clone(),
            })
            .collect();
        ready(Ok(rows))
    }

    fn subscribed_names(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<String>>> {
        let state = self.state.lock();
        let mine = state
            .subscribed_names
            .iter()
            .filter(|(owner, _)| *owner == account);
        ready(Ok(mine.map(|(_, name)| name.clone()).collect()))
    }

    fn grants(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<Vec<GrantRow>>> {
        let state = self.state.lock();
        if !state.mailboxes.contains_key(&mailbox) {
            return ready(refuse(Conflict::NoSuchMailbox));
        }
        ready(Ok(state.grant_rows(|id, _, _| id == mailbox)))
    }

    fn grants_to(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<GrantRow>>> {
        let state = self.state.lock();
        ready(Ok(state.grant_rows(|_, who, owner| {
            owner != account && who.covers(account)
        })))
    }

    fn grants_of(
        &self,
        account: AccountId,
        after: Option<MailboxId>,
    ) -> BoxFuture<'_, Result<Vec<GrantRow>>> {
        let state = self.state.lock();
        ready(Ok(state.grant_rows(|mailbox, _, owner| {
            owner == account && after.is_none_or(|after| mailbox > after)
        })))
    }

    fn domains(&self, after: &str) -> BoxFuture<'_, Result<Vec<(String, String)>>> {
        let state = self.state.lock();
        ready(Ok(page(
            state.domains.iter().filter(|(name, _)| name.as_str() > after),
        )))
    }

    fn account(&self, account: AccountId) -> BoxFuture<'_, Result<Option<AccountRow>>> {
        let state = self.state.lock();
        ready(Ok(state.accounts.get(&account).map(|found| found.row.clone())))
    }

    fn accounts(&self, after: Option<AccountId>) -> BoxFuture<'_, Result<Vec<AccountRow>>> {
        let state = self.state.lock();
        let rows = state.accounts.values().map(|account| account.row.clone());
        ready(Ok(rows
            .filter(|row| after.is_none_or(|after| row.id > after))
            .take(PAGE_ROWS)
            .collect()))
    }

    fn aliases(&self, after: &str) -> BoxFuture<'_, Result<Vec<(String, Vec<String>)>>> {
        let state = self.state.lock();
        ready(Ok(page(
            state.aliases.iter().filter(|(key, _)| key.as_str() > after),
        )))
    }

    fn lanes(&self, after: &str) -> BoxFuture<'_, Result<Vec<Lane>>> {
        let state = self.state.lock();
        let names: BTreeSet<&String> = state.waiting.values().map(|row| &row.waiting.lane).collect();
        let names = names.into_iter().filter(|name| name.as_str() > after);
        let lanes = names.take(PAGE_ROWS).map(|name| Lane {
            lane: name.clone(),
            due: self.lane_due_in(&state, name),
        });
        ready(Ok(lanes.collect()))
    }

    fn lane_due(&self, lane: &str) -> BoxFuture<'_, Result<Option<UnixMs>>> {
        let state = self.state.lock();
        ready(Ok(self.lane_due_in(&state, lane)))
    }

    fn claim_lane(
        &self,
        lane: &str,
        now: UnixMs,
        n: usize,
    ) -> BoxFuture<'_, Result<Vec<(Claim, WaitingRow)>>> {
        let due = |row: &Row| Some(row.waiting.due).filter(|due| *due <= now && row.waiting.lane == lane);
        ready(Ok(self.claim(n, due)))
    }

    fn claim_overdue(&self, now: UnixMs, n: usize) -> BoxFuture<'_, Result<Vec<(Claim, WaitingRow)>>> {
        ready(Ok(self.claim(n, |row| {
            Some(row.waiting.deadline).filter(|deadline| *deadline <= now)
        })))
    }

    fn next_deadline(&self) -> BoxFuture<'_, Result<Option<UnixMs>>> {
        let state = self.state.lock();
        ready(Ok(self.free(&state).map(|(_, row)| row.waiting.deadline).min()))
    }

    fn holds(&self, claim: Claim) -> bool {
        self.claims.lock().1.get(&(claim.queue_id, claim.recipient)) == Some(&claim.token)
    }

    fn abandon(&self, claim: Claim) {
        self.release(claim);
    }

    fn release(&self, claim: Claim) {
        let mut claims = self.claims.lock();
        if claims.1.get(&(claim.queue_id, claim.recipient)) == Some(&claim.token) {
            claims.1.remove(&(claim.queue_id, claim.recipient));
        }
    }

    fn waiting(&self, after: Option<(QueueId, u32)>) -> BoxFuture<'_, Result<Vec<WaitingRow>>> {
        let state = self.state.lock();
        let keys = state
            .waiting
            .keys()
            .filter(|key| after.is_none_or(|after| **key > after));
        ready(Ok(keys
            .take(PAGE_ROWS)
            .filter_map(|key| state.waiting_row(*key))
            .collect()))
    }

    fn accepted_message(&self, queue_id: QueueId) -> BoxFuture<'_, Result<Option<AcceptedMessage>>> {
        let state = self.state.lock();
        let waiting = state
            .waiting
            .keys()
            .filter(|key| key.0 == queue_id)
            .take(PAGE_ROWS)
            .filter_map(|key| state.waiting_row(*key))
            .collect();
        let found = state.accepted.get(&queue_id).map(|accepted| AcceptedMessage {
            queue_id,
            reverse_path: accepted.reverse_path.clone(),
            envelope: accepted.envelope.clone(),
            queue_prefix: accepted.queue_prefix.clone().into(),
            blob: accepted.body.blob,
            body_bytes: accepted.body.size_bytes,
            received_at: accepted.received_at,
            waiting,
        });
        ready(Ok(found))
    }

    fn attempts(
        &self,
        queue_id: QueueId,
        after: Option<(u32, u32)>,
    ) -> BoxFuture<'_, Result<Vec<AttemptRow>>> {
        let state = self.state.lock();
        let of = state.attempts.iter().filter(|((of, _), _)| *of == queue_id);
        let rows = of.flat_map(|(_, attempts)| attempts.iter().cloned());
        let rows = rows.filter(|row| after.is_none_or(|after| (row.recipient, row.number) > after));
        ready(Ok(rows.take(PAGE_ROWS).collect()))
    }

    fn audit(&self, after: u64) -> BoxFuture<'_, Result<Vec<AuditRow>>> {
        let state = self.state.lock();
        let rows = state.audit.iter().filter(|row| row.id > after);
        ready(Ok(rows.take(PAGE_ROWS).cloned().collect()))
    }

    fn id_floor(&self) -> u64 {
        0
    }
}

impl Model {
    /// Rows that are neither held nor claimed.
    fn free<'a>(&self, state: &'a State) -> impl Iterator<Item = (&'a (QueueId, u32), &'a Row)> {
        let claimed: Vec<(QueueId, u32)> = self.claims.lock().1.keys().copied().collect();
        let rows = state.waiting.iter();
        rows.filter(move |(key, row)| !row.held && !claimed.contains(key))
    }

    fn lane_due_in(&self, state: &State, lane: &str) -> Option<UnixMs> {
        let rows = self.free(state).map(|(_, row)| &row.waiting);
        rows.filter(|waiting| waiting.lane == lane)
            .map(|waiting| waiting.due)
            .min()
    }

    /// Claims the first `n` of those for which `at` gives a time, in the order of that time.
    fn claim(&self, n: usize, at: impl Fn(&Row) -> Option<UnixMs>) -> Vec<(Claim, WaitingRow)> {
        let state = self.state.lock();
        let free = self.free(&state);
        let mut found: Vec<_> = free.filter_map(|(key, row)| Some((at(row)?, *key))).collect();
        found.sort();
        let mut claims = self.claims.lock();
        let mut claimed = Vec::new();
        for (_, key) in found.into_iter().take(n.min(PAGE_ROWS)) {
            claims.0 += 1;
            let token = claims.0;
            claims.1.insert(key, token);
            let claim = Claim {
                queue_id: key.0,
                recipient: key.1,
                token,
            };
            claimed.extend(state.waiting_row(key).map(|row| (claim, row)));
        }
        claimed
    }
}

impl State {
    fn waiting_row(&self, key: (QueueId, u32)) -> Option<WaitingRow> {
        let row = self.waiting.get(&key)?;
        let waiting = &row.waiting;
        let accepted = self.accepted.get(&key.0)?;
        Some(WaitingRow {
            queue_id: key.0,
            recipient: key.1,
            address: waiting.address.clone(),
            account: waiting.account,
            lane: waiting.lane.clone(),
            due: waiting.due,
            deadline: waiting.deadline,
            held: row.held,
            attempts: row.attempts,
            reason: waiting.reason.clone(),
            params: waiting.params.clone(),
            reverse_path: accepted.reverse_path.clone(),
            envelope: accepted.envelope.clone(),
            queue_prefix: accepted.queue_prefix.clone().into(),
            blob: accepted.body.blob,
            body_bytes: accepted.body.size_bytes,
            received_at: accepted.received_at,
        })
    }
}
