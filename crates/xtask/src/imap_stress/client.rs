//! One client: it chooses what to do, does it, and checks every response against what it and all others know.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::live::{Lists, Others, QUESTIONS};
use super::sight::{During, Known, Sight};
use super::truth::{Truth, keyword};
use super::wire::{Response, Wire, code, ranges, response};
use crate::campaign::chance::Chance;

/// Mailboxes that are there throughout.
pub const LASTING: [&str; 3] = ["INBOX", "Archive", "Junk"];
/// Mailboxes that come and go.
const PASSING: [&str; 3] = ["Pass-a", "Pass-b", "Pass-c"];
/// More messages than this are thinned out.
const MANY: usize = 60;
/// After so many questions a new message must have been told or be gone …
const CATCH_UP_ROUNDS: u32 = 40;
/// … unless they took less than this: on a busy machine the server may be asked faster than it is told.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(5);
/// How long an IDLE lasts.
const IDLE: Duration = Duration::from_millis(60);

/// What a client wants to be told. Messages go only during commands, so that sequence numbers hold.
const NOTIFY: &str = "NOTIFY SET STATUS (selected-delayed (MessageNew (UID FLAGS) MessageExpunge FlagChange)) \
     (personal (MessageNew MessageExpunge FlagChange MailboxName))";
/// At the end: for the last notices to come.
const LAST_NOTICES: Duration = Duration::from_millis(200);
/// How long they may take.
const LAST_NOTICES_LIMIT: Duration = Duration::from_secs(30);

/// How a client behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RFC 3501 and nothing more
    Plain,
    /// with mod-sequences
    Condstore,
    /// with quick resynchronisation
    Qresync,
}

/// How a client learns what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// by asking
    Asks,
    /// it has results of searches kept up to date (RFC 5267)
    Lists,
    /// it is told without asking (RFC 5465)
    Notify,
}

/// Where and who.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Seat {
    pub port: u16,
    pub account: usize,
    pub user: String,
    pub password: String,
    pub number: usize,
    pub kind: Kind,
    pub habit: Habit,
}

/// An open mailbox.
struct Open {
    name: String,
    validity: u32,
    highest: u64,
    read_only: bool,
    sight: Sight,
}

/// What a client with QRESYNC remembers of a mailbox it left.
struct Memory {
    highest: u64,
    known: BTreeMap<u32, Known>,
}

/// One client.
pub struct Client {
    seat: Seat,
    truth: Arc<Truth>,
    wire: Wire,
    open: Option<Open>,
    memories: BTreeMap<u32, Memory>,
    chance: Chance,
    appended: u64,
    /// the command sent last, for whoever looks for a fault
    last: String,
    /// its tag
    tag: String,
    lists: Lists,
    others: Others,
    /// what comes is still about the mailbox that was open before
    leaving: bool,
    /// the mailbox that a SELECT under way leaves: until it is done, somebody may delete that one
    left: Option<String>,
}

/// The answer to a command.
struct Answer {
    texts: Vec<String>,
    searched: Vec<u32>,
    /// `OK …`, `NO …`, `BAD …`
    status: String,
}

impl Answer {
    fn ok(&self) -> bool {
        self.status.starts_with("OK")
    }

    fn code<'a>(&'a self, name: &str) -> Option<&'a str> {
        let texts = self.texts.iter().chain([&self.status]);
        texts.rev().find_map(|text| code(text, name))
    }
}

/// Of which messages something was told during a command.
struct Told {
    flags: BTreeSet<u32>,
    /// only that they changed
    modseq: BTreeSet<u32>,
}

type Done = std::io::Result<()>;

impl Client {
    /// Signs in.
    pub fn sign_in(seat: Seat, truth: Arc<Truth>, seed: u64) -> std::io::Result<Self> {
        let wire = Wire::connect(seat.port)?;
        let chance = Chance::new(seed);
        let mut client = Self {
            seat,
            truth,
            wire,
            open: None,
            memories: BTreeMap::new(),
            chance,
            appended: 0,
            last: String::new(),
            tag: String::new(),
            lists: Lists::default(),
            others: Others::default(),
            leaving: false,
            left: None,
        };
        client.greet()?;
        Ok(client)
    }

    fn greet(&mut self) -> Done {
        let login = format!("LOGIN {} \"{}\"", self.seat.user, self.seat.password);
        self.must(&login, During::Other)?;
        match self.seat.kind {
            Kind::Plain => {}
            Kind::Condstore => drop(self.must("ENABLE CONDSTORE", During::Other)?),
            Kind::Qresync => {
                let answer = self.must("ENABLE QRESYNC", During::Other)?;
                if !answer.texts.iter().any(|text| text.contains("QRESYNC")) {
                    self.truth.wrong("QRESYNC cannot be enabled".to_owned());
                }
            }
        }
        if self.seat.habit == Habit::Notify {
            self.others = Others::default();
            self.must(NOTIFY, During::Other)?;
            self.must("LIST \"\" Pass-*", During::Other)?;
        }
        Ok(())
    }

    /// Works until the end; then waits for everybody and compares.
    pub fn work(&mut self, until: Instant) -> Done {
        while Instant::now() < until {
            let worked = self.step().and_then(|()| self.catch_up());
            match worked.and_then(|()| self.check_lists()) {
                Err(error) if error.kind() == ErrorKind::NotConnected => self.again()?,
                other => other?,
            }
        }
        Ok(())
    }

    /// The open mailbox was deleted: begins anew.
    fn again(&mut self) -> Done {
        self.truth.count("turned away from a deleted mailbox");
        self.left = None;
        self.open = None;
        self.wire = Wire::connect(self.seat.port)?;
        self.greet()
    }

    fn step(&mut self) -> Done {
        let Some(open) = &self.open else {
            return self.select();
        };
        if open.sight.slots.len() > MANY && !open.read_only {
            return self.thin_out();
        }
        match self.chance.between(0, 100) {
            0..14 => self.append(),
            14..36 => self.store(),
            36..44 => self.expunge(),
            44..50 => self.transfer("COPY"),
            50..56 => self.transfer("MOVE"),
            56..66 => self.fetch(),
            66..72 => self.search(),
            72..76 => self.command("NOOP", During::Other).map(drop),
            76..80 => self.idle(),
            80..83 => self.status(),
            83..86 => self.close(),
            86..92 => self.passing(),
            _ => self.select(),
        }
    }

    fn select(&mut self) -> Done {
        let name = match self.chance.between(0, 8) {
            0 => PASSING[self.chance.between(0, 3) as usize],
            at => LASTING[at as usize % 3],
        };
        let read_only = self.chance.between(0, 6) == 0;
        self.open(name, read_only)
    }

    /// SELECT or EXAMINE; with QRESYNC from what is remembered.
    fn open(&mut self, name: &str, read_only: bool) -> Done {
        self.remember();
        let verb = if read_only { "EXAMINE" } else { "SELECT" };
        let before = self.status_of(name)?;
        let memory = before.and_then(|(validity, _)| Some((validity, self.memories.get(&validity)?)));
        let parameter = match (self.seat.kind, memory) {
            (Kind::Qresync, Some((validity, memory))) if self.seat.number.is_multiple_of(2) => {
                let uids: Vec<u32> = memory.known.keys().copied().collect();
                let set = if uids.is_empty() {
                    String::new()
                } else {
                    format!(" {}", set_of(&uids))
                };
                format!(" (QRESYNC ({validity} {}{set}))", memory.highest.max(1))
            }
            (Kind::Qresync, Some((validity, memory))) => {
                format!(" (QRESYNC ({validity} {}))", memory.highest.max(1))
            }
            (Kind::Condstore, _) => " (CONDSTORE)".to_owned(),
            _ => String::new(),
        };
        let resynchronised = parameter.contains("QRESYNC");
        let qresync = self.seat.kind == Kind::Qresync;
        let mut sight = Sight::new(self.seat.kind != Kind::Plain, qresync);
        if resynchronised && let Some((_, memory)) = memory {
            sight.known.clone_from(&memory.known);
        }
        self.left = self.open.take().map(|open| open.name);
        let had_one = self.left.is_some();
        self.leaving = had_one && self.seat.habit != Habit::Asks;
        self.lists = Lists::default();
        let validity = before.map_or(0, |(validity, _)| validity);
        let highest_before = self.truth.highest((self.seat.account, validity));
        self.open = Some(Open {
            name: name.to_owned(),
            validity,
            highest: 0,
            read_only,
            sight,
        });
        let answer = self.command(&format!("{verb} {name}{parameter}"), During::Selecting)?;
        self.left = None;
        if qresync && had_one && !answer.texts.iter().any(|text| text.contains("[CLOSED]")) {
            self.truth
                .wrong(format!("no CLOSED when {verb} {name} leaves a mailbox"));
        }
        if !answer.ok() {
            self.open = None;
            if LASTING.contains(&name) {
                self.truth.wrong(format!("{verb} {name}: {}", answer.status));
            }
            return Ok(());
        }
        self.truth.count(if resynchronised {
            "quick resynchronisations"
        } else {
            verb
        });
        self.opened(&answer, (validity, highest_before), resynchronised);
        self.begin_lists()
    }

    /// Has results kept up to date.
    fn begin_lists(&mut self) -> Done {
        if self.seat.habit != Habit::Lists {
            return Ok(());
        }
        for (at, (key, order, _)) in QUESTIONS.into_iter().enumerate() {
            let command = match order {
                None => format!("UID SEARCH RETURN (UPDATE ALL) {key}"),
                Some(order) => format!("UID SORT RETURN (UPDATE ALL) {order} UTF-8 {key}"),
            };
            if self.must(&command, During::Other)?.ok() {
                self.lists.asked(&self.tag, at);
                self.truth.count("results kept up to date");
            }
        }
        Ok(())
    }

    /// After NOOP everything was told, also what went; changes of results come behind its answer, before that of a command that
    /// tells nothing. Then results are as the flags that were told.
    fn check_lists(&mut self) -> Done {
        if self.seat.habit != Habit::Lists || self.open.is_none() {
            return Ok(());
        }
        self.must("NOOP", During::Other)?;
        self.must("CAPABILITY", During::Other)?;
        let Some(open) = &self.open else { return Ok(()) };
        let there: BTreeSet<u32> = open.sight.uids().into_iter().collect();
        let all_read = open.sight.first_unread().is_none();
        for (at, list) in self.lists.all() {
            let (key, _, belongs) = QUESTIONS[at];
            let extra = list.iter().find(|uid| !there.contains(uid));
            if let Some(uid) = extra.filter(|_| all_read) {
                self.truth.wrong(format!(
                    "client {}: the result of {key} in {} holds UID {uid}, which is not there",
                    self.seat.number, open.name
                ));
            }
            for (uid, known) in &open.sight.known {
                let Some(flags) = known.flags.as_ref().filter(|_| there.contains(uid)) else {
                    continue;
                };
                if belongs(flags) != list.contains(uid) {
                    self.truth.wrong(format!(
                        "client {} after {}: UID {uid} {flags:?} and the result of {key} in {} do not agree: {list:?}",
                        self.seat.number, self.last, open.name
                    ));
                }
            }
        }
        self.truth.count("results compared with flags");
        Ok(())
    }

    /// At the end: the results are those of the same searches asked anew, in their order.
    fn last_lists(&mut self) -> Done {
        self.must("NOOP", During::Other)?;
        self.must("CAPABILITY", During::Other)?;
        let kept: Vec<(usize, Vec<u32>)> = self.lists.all().map(|(at, list)| (at, list.clone())).collect();
        for (at, list) in kept {
            let (key, order, _) = QUESTIONS[at];
            let now = match order {
                None => self.must(&format!("UID SEARCH {key}"), During::Other)?.searched,
                Some(order) => {
                    let answer = self.must(&format!("UID SORT {order} UTF-8 {key}"), During::Other)?;
                    let sorted = answer.texts.iter().find_map(|text| text.strip_prefix("* SORT"));
                    let words = sorted.unwrap_or_default().split(' ');
                    words.filter_map(|word| word.parse().ok()).collect()
                }
            };
            if now != list {
                let number = self.seat.number;
                self.truth.wrong(format!(
                    "client {number}: {key} was kept as {list:?} and is {now:?}"
                ));
            }
        }
        Ok(())
    }

    /// At the end: what was told of other mailboxes is how they are. A busy server may tell the last of it a little later.
    pub fn last_notices(&mut self) -> Done {
        if self.seat.habit != Habit::Notify {
            return Ok(());
        }
        let began = Instant::now();
        loop {
            std::thread::sleep(LAST_NOTICES);
            self.must("NOOP", During::Other)?;
            let told = self.others.clone();
            let wrong = self.told_otherwise(&told)?;
            if wrong.is_empty() || began.elapsed() > LAST_NOTICES_LIMIT {
                wrong.into_iter().for_each(|text| self.truth.wrong(text));
                break;
            }
            self.others = told;
        }
        self.truth.count("notices compared at the end");
        Ok(())
    }

    /// Where other mailboxes are not as they were told.
    fn told_otherwise(&mut self, told: &Others) -> std::io::Result<Vec<String>> {
        let mut wrong = Vec::new();
        let number = self.seat.number;
        let open = self.open.as_ref().map(|open| open.name.clone());
        for name in LASTING.into_iter().filter(|name| open.as_deref() != Some(name)) {
            self.must(&format!("STATUS {name} (MESSAGES UIDNEXT UNSEEN)"), During::Other)?;
            let (was, is) = (told.numbers.get(name), self.others.numbers.get(name));
            for item in ["MESSAGES", "UIDNEXT", "UNSEEN"] {
                let of = |all: Option<&BTreeMap<String, u64>>| all.and_then(|all| all.get(item)).copied();
                let (was, is) = (of(was), of(is));
                // How many are unseen is told when that changes.
                if was != is && (was.is_some() || item != "UNSEEN") {
                    wrong.push(format!(
                        "client {number} was told {item} of {name} is {was:?}, it is {is:?}"
                    ));
                }
            }
        }
        self.others.names.clear();
        self.must("LIST \"\" Pass-*", During::Other)?;
        let passing = |names: &BTreeSet<String>| -> Vec<String> {
            let names = names.iter().filter(|name| PASSING.contains(&name.as_str()));
            names.cloned().collect()
        };
        let (was, is) = (passing(&told.names), passing(&self.others.names));
        if was != is {
            wrong.push(format!(
                "client {number} was told that there are {was:?}, there are {is:?}"
            ));
        }
        Ok(wrong)
    }

    fn opened(&mut self, answer: &Answer, (asked, before): (u32, (u32, u64)), resynchronised: bool) {
        let number = |name: &str| {
            answer
                .code(name)
                .and_then(|word| word.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let validity = number("UIDVALIDITY") as u32;
        let now = (number("UIDNEXT") as u32, number("HIGHESTMODSEQ"));
        let account = self.seat.account;
        self.truth
            .identity(account, answer.code("MAILBOXID").unwrap_or_default(), validity);
        let before = if validity == asked { before } else { (0, 0) };
        self.truth.tell_highest((account, validity), before, now);
        let Some(open) = &mut self.open else { return };
        (open.validity, open.highest) = (validity, now.1);
        if !resynchronised {
            return;
        }
        if validity != asked {
            // It was deleted and made anew in between: what was remembered is worth nothing.
            open.sight.known.clear();
            return;
        }
        if let Err(what) = open.sight.settle_remembered() {
            self.truth
                .wrong(format!("client {} in {}: {what}", self.seat.number, open.name));
        }
    }

    /// UIDVALIDITY and UIDNEXT by STATUS; `None` when the mailbox is not there.
    fn status_of(&mut self, name: &str) -> std::io::Result<Option<(u32, u32)>> {
        let answer = self.command(
            &format!("STATUS {name} (UIDVALIDITY UIDNEXT MESSAGES)"),
            During::Other,
        )?;
        let number = |word: &str| {
            // With NOTIFY others may come before, with less in them.
            let start = format!("* STATUS {name} (");
            let mut texts = answer.texts.iter().rev();
            let text = texts.find(|text| text.starts_with(&start))?;
            let rest = &text[text.find(&format!("{word} "))? + word.len() + 1..];
            rest.split([' ', ')']).next()?.parse().ok()
        };
        Ok(number("UIDVALIDITY").zip(number("UIDNEXT")))
    }

    fn status(&mut self) -> Done {
        let name = LASTING[self.chance.between(0, 3) as usize];
        let validity = self.status_of(name)?.map_or(0, |(validity, _)| validity);
        let before = self.truth.highest((self.seat.account, validity));
        if let Some((again, next)) = self.status_of(name)? {
            if again != validity {
                self.truth
                    .wrong(format!("UIDVALIDITY of {name} went from {validity} to {again}"));
            }
            self.truth
                .tell_highest((self.seat.account, validity), (before.0, 0), (next, 0));
        }
        self.truth.count("STATUS");
        Ok(())
    }

    /// Leaves the mailbox; a client with QRESYNC keeps what it knows.
    fn remember(&mut self) {
        let Some(open) = &mut self.open else { return };
        if self.seat.kind == Kind::Qresync {
            let known = std::mem::take(&mut open.sight.known);
            self.memories.insert(
                open.validity,
                Memory {
                    highest: open.highest,
                    known,
                },
            );
        }
    }

    fn append(&mut self) -> Done {
        let to = LASTING[self.chance.between(0, 3) as usize];
        self.append_to(to)
    }

    fn append_to(&mut self, to: &str) -> Done {
        self.appended += 1;
        let marker = format!("c{}-{}", self.seat.number, self.appended);
        let flags = ["", " (\\Seen)", " (\\Flagged $Important)"][self.chance.between(0, 3) as usize];
        let body = message(&marker, self.chance.between(10, 2_000) as usize);
        let mut command = format!("APPEND {to}{flags} {{{}+}}\r\n", body.len()).into_bytes();
        command.extend_from_slice(&body);
        let answer = self.run(&command, During::Other)?;
        self.truth.count("APPEND");
        match answer.code("APPENDUID").and_then(|words| words.split_once(' ')) {
            Some((validity, uid)) => {
                let place = (self.seat.account, number(validity), number(uid));
                self.truth.placed(place, Some(&marker));
            }
            None if LASTING.contains(&to) => self.truth.wrong(format!("APPEND {to}: {}", answer.status)),
            None => {}
        }
        Ok(())
    }

    /// Some messages: (their UIDs, the set in numbers of the command, `UID ` or nothing).
    fn some(&mut self) -> Option<(Vec<u32>, String, &'static str)> {
        let uids = self.open.as_ref()?.sight.uids();
        if uids.is_empty() {
            return None;
        }
        let first = self.chance.between(0, uids.len() as u64) as usize;
        let length = 1 + self.chance.between(0, 5) as usize;
        let last = (first + length).min(uids.len());
        let chosen = uids[first..last].to_vec();
        if self.chance.between(0, 2) == 0 {
            return Some((chosen.clone(), set_of(&chosen), "UID "));
        }
        Some((chosen, format!("{}:{last}", first + 1), ""))
    }

    fn store(&mut self) -> Done {
        let Some((uids, set, prefix)) = self.some() else {
            return self.append();
        };
        let Some(open) = self.open.as_ref().filter(|open| !open.read_only) else {
            return Ok(());
        };
        let (account, validity) = (self.seat.account, open.validity);
        let own = keyword(self.seat.number);
        let since = (self.seat.kind != Kind::Plain && self.chance.between(0, 4) == 0).then_some(open.highest);
        let sign = ['+', '+', '+', '-', '-', '='][self.chance.between(0, 6) as usize];
        let flag = [
            "\\Seen",
            "\\Flagged",
            "\\Answered",
            "\\Deleted",
            "$Forwarded",
            own.as_str(),
            own.as_str(),
        ][self.chance.between(0, 7) as usize];
        // Whoever is told at any time cannot say whether that was before or after its own silent change.
        let silent = self.chance.between(0, 2) == 0 && self.seat.habit != Habit::Notify;
        if sign == '=' {
            uids.iter()
                .for_each(|&uid| self.truth.replaced((account, validity, uid)));
        }
        let action = format!(
            "{}FLAGS{}",
            if sign == '=' {
                ""
            } else {
                if sign == '+' { "+" } else { "-" }
            },
            if silent { ".SILENT" } else { "" }
        );
        let condition = since
            .map(|since| format!("(UNCHANGEDSINCE {since}) "))
            .unwrap_or_default();
        let before: BTreeMap<u32, u64> = self.modseqs(&uids);
        let told = self.told_flags(|client| {
            client.run(
                format!("{prefix}STORE {set} {condition}{action} ({flag})").as_bytes(),
                numbered(prefix),
            )
        })?;
        let (answer, told) = told;
        self.truth.count(if since.is_some() {
            "conditional STORE"
        } else {
            "STORE"
        });
        if !answer.ok() {
            self.refused("STORE", &answer);
            return Ok(());
        }
        let left = answer.code("MODIFIED").and_then(ranges).unwrap_or_default();
        let left: BTreeSet<u32> = left.into_iter().flat_map(|(first, last)| first..=last).collect();
        self.stored(&uids, (&left, prefix), (sign, flag, silent), &told);
        self.check_condition(since, &before, &left, prefix);
        Ok(())
    }

    /// After the `OK`: what the client must now believe.
    fn stored(
        &mut self,
        uids: &[u32],
        (left, prefix): (&BTreeSet<u32>, &str),
        (sign, flag, silent): (char, &str, bool),
        told: &Told,
    ) {
        let own = keyword(self.seat.number);
        let Some(open) = &mut self.open else { return };
        for &uid in uids {
            let seq = open
                .sight
                .slots
                .iter()
                .position(|slot| *slot == Some(uid))
                .map_or(0, |at| at as u32 + 1);
            // A message that is gone was not stored to.
            if seq == 0 || left.contains(if prefix.is_empty() { &seq } else { &uid }) {
                continue;
            }
            // With mod-sequences each change is told, if only its MODSEQ; without one the message is gone, and nobody said so yet.
            let changed = self.seat.kind == Kind::Plain || told.modseq.contains(&uid);
            if silent && changed && !told.flags.contains(&uid) {
                open.sight.work_out(uid, sign, &[flag]);
            }
            let place = (self.seat.account, open.validity, uid);
            if flag == own && sign != '=' {
                self.truth.keyword(place, self.seat.number, sign == '+');
            }
        }
    }

    /// What is known to have changed after the condition must be left alone.
    fn check_condition(
        &mut self,
        since: Option<u64>,
        before: &BTreeMap<u32, u64>,
        left: &BTreeSet<u32>,
        prefix: &str,
    ) {
        let (Some(since), Some(open), false) = (since, &self.open, prefix.is_empty()) else {
            return;
        };
        for (uid, modseq) in before {
            let there = open.sight.slots.contains(&Some(*uid));
            if *modseq > since && there && !left.contains(uid) {
                self.truth.wrong(format!(
                    "UID {uid} with MODSEQ {modseq} was changed by UNCHANGEDSINCE {since}"
                ));
            }
        }
    }

    fn modseqs(&self, uids: &[u32]) -> BTreeMap<u32, u64> {
        let known = self.open.as_ref().map(|open| &open.sight.known);
        let of = |uid: &u32| Some((*uid, known?.get(uid)?.modseq));
        uids.iter().filter_map(of).collect()
    }

    /// Runs something, and says of which messages flags were told meanwhile.
    fn told_flags(
        &mut self,
        act: impl FnOnce(&mut Self) -> std::io::Result<Answer>,
    ) -> std::io::Result<(Answer, Told)> {
        let answer = act(self)?;
        let of = |start: &str| {
            let texts = answer.texts.iter();
            texts
                .filter_map(|text| text.strip_prefix(start)?.parse().ok())
                .collect()
        };
        let (flags, modseq) = (of("told "), of("changed "));
        Ok((answer, Told { flags, modseq }))
    }

    fn expunge(&mut self) -> Done {
        let Some((uids, set, prefix)) = self.some() else {
            return Ok(());
        };
        if self.open.as_ref().is_none_or(|open| open.read_only) {
            return Ok(());
        }
        let (item, silent) = self.mark_item();
        let (answer, told) = self.told_flags(|client| {
            client.run(
                format!("{prefix}STORE {set} {item} (\\Deleted)").as_bytes(),
                numbered(prefix),
            )
        })?;
        if answer.ok() {
            self.stored(
                &uids,
                (&BTreeSet::new(), prefix),
                ('+', "\\Deleted", silent),
                &told,
            );
        }
        let command = if self.chance.between(0, 2) == 0 {
            "EXPUNGE".to_owned()
        } else {
            format!("UID EXPUNGE {}", set_of(&uids))
        };
        self.expunge_by(&command)
    }

    /// How messages are marked to go, and whether the client then works out their flags itself.
    fn mark_item(&self) -> (&'static str, bool) {
        if self.seat.habit == Habit::Notify {
            ("+FLAGS", false)
        } else {
            ("+FLAGS.SILENT", true)
        }
    }

    fn expunge_by(&mut self, command: &str) -> Done {
        // Whoever expunges must know what: a message told just now may be marked already.
        self.catch_up()?;
        let answer = self.command(command, During::Other)?;
        self.truth.count("EXPUNGE");
        if !answer.ok() {
            self.refused(command, &answer);
        }
        self.raise(&answer);
        Ok(())
    }

    /// HIGHESTMODSEQ in an `OK`: everything up to it was told.
    fn raise(&mut self, answer: &Answer) {
        let told = code(&answer.status, "HIGHESTMODSEQ").and_then(|word| word.parse::<u64>().ok());
        if let (Some(told), Some(open)) = (told, &mut self.open) {
            if told < open.highest {
                self.truth.wrong(format!(
                    "HIGHESTMODSEQ of {} fell from {} to {told}",
                    open.name, open.highest
                ));
            }
            open.highest = told;
        }
    }

    fn thin_out(&mut self) -> Done {
        let (item, silent) = self.mark_item();
        let command = format!("STORE 1:30 {item} (\\Deleted)");
        let (answer, told) = self.told_flags(|client| client.run(command.as_bytes(), During::Numbered))?;
        let uids: Vec<u32> = self
            .open
            .as_ref()
            .map(|open| open.sight.uids()[..30].to_vec())
            .unwrap_or_default();
        if answer.ok() {
            self.stored(&uids, (&BTreeSet::new(), ""), ('+', "\\Deleted", silent), &told);
        }
        self.expunge_by("EXPUNGE")
    }

    fn transfer(&mut self, verb: &'static str) -> Done {
        let Some((_, set, prefix)) = self.some() else {
            return Ok(());
        };
        let Some(open) = self.open.as_ref() else {
            return Ok(());
        };
        if verb == "MOVE" && open.read_only {
            return Ok(());
        }
        let (account, from) = (self.seat.account, open.validity);
        let to = LASTING[self.chance.between(0, 3) as usize];
        let answer = self.command(&format!("{prefix}{verb} {set} {to}"), During::Other)?;
        self.truth.count(verb);
        if !answer.ok() {
            self.refused(&format!("{verb} to {to}"), &answer);
        }
        let Some(words) = answer.code("COPYUID") else {
            return Ok(());
        };
        let words: Vec<&str> = words.split(' ').collect();
        let numbers = |word: &str| {
            let ranges = ranges(word).unwrap_or_default();
            ranges
                .into_iter()
                .flat_map(|(first, last)| first..=last)
                .collect::<Vec<u32>>()
        };
        let (sources, targets) = (numbers(words[1]), numbers(words[2]));
        if sources.len() != targets.len() {
            self.truth.wrong(format!("COPYUID {words:?} does not match"));
        }
        for (source, target) in sources.into_iter().zip(targets) {
            let marker = self.truth.marker_of((account, from, source));
            self.truth
                .placed((account, number(words[0]), target), marker.as_deref());
            if verb == "MOVE" {
                self.truth.gone((account, from, source));
            }
        }
        self.raise(&answer);
        Ok(())
    }

    fn fetch(&mut self) -> Done {
        let Some((uids, set, prefix)) = self.some() else {
            return Ok(());
        };
        let modseq = self.modseq_item();
        let highest = self.open.as_ref().map_or(0, |open| open.highest);
        let command = match (self.seat.kind, self.chance.between(0, 4)) {
            (_, 0) => format!("{prefix}FETCH {set} (UID BODY.PEEK[HEADER.FIELDS (X-STRESS)])"),
            (_, 1) => format!("{prefix}FETCH {set} (UID FLAGS{modseq} BODY[TEXT])"),
            (Kind::Qresync, 2) => {
                let command = format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {highest} VANISHED)");
                self.truth.count("UID FETCH VANISHED");
                return self.command(&command, During::AskedVanished).map(drop);
            }
            (Kind::Condstore, 2) => {
                format!("{prefix}FETCH {set} (UID FLAGS) (CHANGEDSINCE {highest})")
            }
            _ => format!("{prefix}FETCH {set} (UID FLAGS{modseq})"),
        };
        let answer = self.command(&command, numbered(prefix))?;
        if !answer.ok() {
            self.refused(&command, &answer);
        }
        self.truth.count("FETCH");
        drop(uids);
        Ok(())
    }

    fn search(&mut self) -> Done {
        let prefix = if self.chance.between(0, 2) == 0 {
            "UID "
        } else {
            ""
        };
        let key =
            ["ALL", "DELETED", "UNSEEN", "1:*", "KEYWORD $Forwarded"][self.chance.between(0, 5) as usize];
        self.command(&format!("{prefix}SEARCH {key}"), numbered(prefix))?;
        self.truth.count("SEARCH");
        Ok(())
    }

    fn idle(&mut self) -> Done {
        let tag = self.wire.send(b"IDLE")?;
        let until = Instant::now() + IDLE;
        let mut answer = Answer {
            texts: Vec::new(),
            searched: Vec::new(),
            status: String::new(),
        };
        loop {
            let left = until
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(1));
            match self.wire.line(left) {
                Ok(line) if line.starts_with(b"+") => {}
                Ok(line) => self.hear(&line, During::Other, &mut answer)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= until {
                break;
            }
        }
        self.wire.send_raw(b"DONE\r\n")?;
        self.truth.count("IDLE");
        loop {
            let line = self.wire.next()?;
            if line.starts_with(format!("{tag} ").as_bytes()) {
                return Ok(());
            }
            if !line.starts_with(b"+") {
                self.hear(&line, During::Other, &mut answer)?;
            }
        }
    }

    fn close(&mut self) -> Done {
        // CLOSE expunges what the client was told of: whoever is told at any time cannot say what that was.
        let unselect = self.chance.between(0, 2) == 0 || self.seat.habit == Habit::Notify;
        if !unselect {
            self.catch_up()?;
        }
        let Some(open) = &self.open else { return Ok(()) };
        if !unselect && !open.read_only {
            for uid in open.sight.uids() {
                self.truth.may_be_gone((self.seat.account, open.validity, uid));
            }
        }
        let command = if unselect { "UNSELECT" } else { "CLOSE" };
        let answer = self.command(command, During::Other)?;
        if !answer.ok() {
            // It stays open: the next command says that it was deleted.
            self.refused(command, &answer);
            return Ok(());
        }
        self.remember();
        self.open = None;
        self.truth.count("CLOSE and UNSELECT");
        Ok(())
    }

    /// A mailbox that comes, changes its name and goes. Others do the same: every `NO` is as good as an `OK`.
    fn passing(&mut self) -> Done {
        let name = PASSING[self.chance.between(0, 3) as usize];
        let other = PASSING[self.chance.between(0, 3) as usize];
        self.truth.count("CREATE, RENAME, DELETE");
        match self.chance.between(0, 5) {
            0 | 1 => {
                if self.command(&format!("CREATE {name}"), During::Other)?.ok() {
                    self.others.is_there(name, true);
                }
            }
            2 => self.append_to(name)?,
            3 => {
                let renamed = self.command(&format!("RENAME {name} {other}"), During::Other)?;
                if renamed.ok() {
                    self.others.is_there(name, false);
                    self.others.is_there(other, true);
                }
            }
            _ => {
                if self.command(&format!("DELETE {name}"), During::Other)?.ok() {
                    self.others.is_there(name, false);
                }
            }
        }
        Ok(())
    }

    /// Reads what the client does not know yet: UIDs and flags of new messages, and which message each is. Then nothing is left of
    /// which it was told and whose UID it does not know.
    pub fn catch_up(&mut self) -> Done {
        loop {
            self.read_new()?;
            self.read_rest()?;
            // Of more it may have been told with that.
            if self
                .open
                .as_ref()
                .and_then(|open| open.sight.first_unread())
                .is_none()
            {
                return Ok(());
            }
        }
    }

    const fn modseq_item(&self) -> &'static str {
        match self.seat.kind {
            Kind::Plain => "",
            Kind::Condstore | Kind::Qresync => " MODSEQ",
        }
    }

    /// UIDs of what is new, with flags and markers.
    fn read_new(&mut self) -> Done {
        let modseq = self.modseq_item();
        let began = Instant::now();
        for round in 0_u32.. {
            let unread = self.open.as_ref().and_then(|open| open.sight.first_unread());
            let Some(first) = unread else { break };
            if round >= CATCH_UP_ROUNDS && began.elapsed() > CATCH_UP_LIMIT {
                let number = self.seat.number;
                self.truth.wrong(format!(
                    "client {number}: message {first} is neither there nor gone"
                ));
                return Err(ErrorKind::NotConnected.into());
            }
            let items = format!("(UID FLAGS{modseq} BODY.PEEK[HEADER.FIELDS (X-STRESS)])");
            self.must(&format!("FETCH {first}:* {items}"), During::Numbered)?;
            if self
                .open
                .as_ref()
                .is_some_and(|open| open.sight.first_unread().is_some())
            {
                self.must("NOOP", During::Other)?;
            }
        }
        Ok(())
    }

    /// Tells all others what this client knows, and reads what nobody knows of that.
    fn read_rest(&mut self) -> Done {
        let modseq = self.modseq_item();
        let Some(open) = &self.open else { return Ok(()) };
        let place = |uid: u32| (self.seat.account, open.validity, uid);
        for uid in &open.sight.gone {
            self.truth.gone(place(*uid));
        }
        let who = format!("says client {} after {}", self.seat.number, self.last);
        let known = &open.sight.known;
        known.iter().for_each(|(uid, known)| {
            if self.seat.kind == Kind::Plain {
                return;
            }
            self.truth.flags(place(*uid), known, &who);
        });
        let unmarked: Vec<u32> = known
            .keys()
            .copied()
            .filter(|&uid| self.truth.marker_of(place(uid)).is_none())
            .collect();
        let unread: Vec<u32> = known
            .iter()
            .filter(|(_, known)| known.flags.is_none())
            .map(|(uid, _)| *uid)
            .collect();
        if !unmarked.is_empty() {
            self.must(
                &format!(
                    "UID FETCH {} (BODY.PEEK[HEADER.FIELDS (X-STRESS)])",
                    set_of(&unmarked)
                ),
                During::Other,
            )?;
        }
        if !unread.is_empty() {
            self.must(
                &format!("UID FETCH {} (FLAGS{modseq})", set_of(&unread)),
                During::Other,
            )?;
        }
        Ok(())
    }

    /// At the end: told everything, what the client believes of the open mailbox.
    pub fn last_sight(&mut self) -> std::io::Result<Option<(String, u32, BTreeMap<u32, Known>)>> {
        self.must("NOOP", During::Other)?;
        self.catch_up()?;
        if self.seat.habit == Habit::Lists && self.open.is_some() {
            self.last_lists()?;
        }
        let Some(open) = &self.open else { return Ok(None) };
        let uids = open.sight.uids();
        let known = open.sight.known.iter().filter(|(uid, _)| uids.contains(uid));
        Ok(Some((
            open.name.clone(),
            open.validity,
            known.map(|(uid, known)| (*uid, known.clone())).collect(),
        )))
    }

    /// At the end: a mailbox as it is, read anew.
    pub fn read_anew(&mut self, name: &str) -> std::io::Result<Option<(u32, BTreeMap<u32, Known>)>> {
        self.memories.clear();
        self.open(name, true)?;
        self.catch_up()?;
        Ok(self
            .open
            .as_ref()
            .map(|open| (open.validity, open.sight.known.clone())))
    }

    /// Whose mail.
    pub const fn account(&self) -> usize {
        self.seat.account
    }

    /// Which client.
    pub const fn number(&self) -> usize {
        self.seat.number
    }

    /// Whether it keeps what it knows between two SELECTs.
    pub fn resynchronises(&self) -> bool {
        self.seat.kind == Kind::Qresync
    }

    /// At the end: every mailbox once more by quick resynchronisation.
    pub fn resynchronise(&mut self, name: &str) -> std::io::Result<Option<(u32, BTreeMap<u32, Known>)>> {
        self.open(name, true)?;
        self.catch_up()?;
        Ok(self
            .open
            .as_ref()
            .map(|open| (open.validity, open.sight.known.clone())))
    }

    fn must(&mut self, command: &str, during: During) -> std::io::Result<Answer> {
        let answer = self.command(command, during)?;
        if !answer.ok() {
            self.refused(command, &answer);
        }
        Ok(answer)
    }

    /// Nothing here may be refused, except in a mailbox that another client deleted.
    fn refused(&self, command: &str, answer: &Answer) {
        let lasting = |open: &Open| LASTING.contains(&open.name.as_str());
        if self.open.as_ref().is_none_or(lasting) {
            let (number, status) = (self.seat.number, &answer.status);
            self.truth.wrong(format!("client {number}: {command}: {status}"));
        }
    }

    fn command(&mut self, command: &str, during: During) -> std::io::Result<Answer> {
        self.run(command.as_bytes(), during)
    }

    fn run(&mut self, command: &[u8], during: During) -> std::io::Result<Answer> {
        let tag = self.wire.send(command)?;
        self.tag.clone_from(&tag);
        let text = String::from_utf8_lossy(command);
        text.lines().next().unwrap_or_default().clone_into(&mut self.last);
        let mut answer = Answer {
            texts: Vec::new(),
            searched: Vec::new(),
            status: String::new(),
        };
        loop {
            let line = self.wire.next()?;
            let text = String::from_utf8_lossy(&line);
            if let Some(status) = text.strip_prefix(&format!("{tag} ")) {
                status.clone_into(&mut answer.status);
                if status.starts_with("BAD") {
                    let first = String::from_utf8_lossy(command);
                    self.truth
                        .wrong(format!("{}: {status}", first.lines().next().unwrap_or_default()));
                }
                return Ok(answer);
            }
            self.hear(&line, during, &mut answer)?;
        }
    }

    fn hear(&mut self, line: &[u8], during: During, answer: &mut Answer) -> Done {
        let heard = match response(line) {
            Ok(heard) => heard,
            Err(what) => {
                self.truth.wrong(what);
                return Ok(());
            }
        };
        if heard == Response::Bye {
            let open = self.open.as_ref().map(|open| open.name.as_str());
            let mut selected = [open, self.left.as_deref()].into_iter().flatten();
            if selected.all(|name| LASTING.contains(&name)) {
                self.truth.wrong(format!(
                    "client {} was sent away: {}",
                    self.seat.number,
                    line.escape_ascii()
                ));
            }
            return Err(ErrorKind::NotConnected.into());
        }
        if let Response::Other(text) = &heard {
            self.leaving &= !text.contains("[CLOSED]");
            if !(self.leaving && text.starts_with("* ESEARCH")) {
                self.work_out(text);
            }
        }
        if self.leaving && !matches!(heard, Response::Other(_)) {
            return Ok(());
        }
        if let Some(open) = &mut self.open
            && let Err(what) = open.sight.take(&heard, during)
        {
            self.truth.wrong(format!(
                "client {} {:?} in {}: {what}",
                self.seat.number, self.seat.kind, open.name
            ));
        }
        match heard {
            Response::Other(text) => answer.texts.push(text),
            Response::Search(numbers) => answer.searched = numbers,
            Response::Fetch(fetched) => self.note(fetched, answer),
            _ => {}
        }
        Ok(())
    }

    /// Results that are kept up to date, and other mailboxes.
    fn work_out(&mut self, text: &str) {
        let worked = match self.seat.habit {
            Habit::Lists if text.starts_with("* ESEARCH") => self.lists.take(text),
            Habit::Notify => self.others.take(text),
            Habit::Asks | Habit::Lists => Ok(()),
        };
        if let Err(what) = worked {
            self.truth
                .wrong(format!("client {} after {}: {what}", self.seat.number, self.last));
        }
    }

    /// Which message it is, if that was said.
    fn note(&mut self, fetched: super::wire::Fetched, answer: &mut Answer) {
        let Some(open) = &self.open else { return };
        let slot = open.sight.slots.get(fetched.seq as usize - 1).copied().flatten();
        let Some(uid) = fetched.uid.or(slot) else { return };
        if fetched.flags.is_some() {
            answer.texts.push(format!("told {uid}"));
        } else if fetched.modseq.is_some() {
            answer.texts.push(format!("changed {uid}"));
        }
        let text = fetched
            .literal
            .map(|octets| String::from_utf8_lossy(&octets).into_owned());
        if let Some(marker) = text.as_deref().and_then(marker_in) {
            self.truth.marker((self.seat.account, open.validity, uid), marker);
        }
    }
}

/// A message that says in its header and in its text which it is.
pub fn message(marker: &str, size: usize) -> Vec<u8> {
    let mut text = format!(
        "From: stress@example.test\r\nSubject: stress\r\nX-Stress: {marker}\r\nMessage-ID: <{marker}@stress.test>\r\n\r\nX-Stress: {marker}\r\n"
    );
    for _ in 0..size / 40 {
        text.push_str("0123456789 0123456789 0123456789 01234\r\n");
    }
    text.into_bytes()
}

fn marker_in(text: &str) -> Option<&str> {
    let rest = &text[text.find("X-Stress: ")? + 10..];
    rest.split("\r\n").next()
}

const fn numbered(prefix: &str) -> During {
    if prefix.is_empty() {
        During::Numbered
    } else {
        During::Other
    }
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or(0)
}

/// A set of ascending numbers as it goes on the wire.
fn set_of(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some(last) if last.1 + 1 == number => last.1 = number,
            _ => ranges.push((number, number)),
        }
    }
    let words: Vec<String> = ranges
        .iter()
        .map(|&(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}:{last}")
            }
        })
        .collect();
    words.join(",")
}
