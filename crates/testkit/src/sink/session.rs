//! The server's side of one connection.

use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use rustls::{ServerConnection, StreamOwned};

use super::Shared;
use super::behave::{End, LOOK, Line, is_wait, perform};
use super::record::Accepted;
use super::script::{Behaviour, Stage, class_of};

/// A command line longer than this is not waited for.
const LINE_OCTETS: usize = 64 << 10;
/// RFC 5321 §4.5.3.1.6, without CRLF.
const TEXT_LINE_OCTETS: usize = 998;

/// Plays the server until the connection ends.
pub(super) fn serve(stream: TcpStream, shared: &Shared) {
    let number = shared.record.opened();
    let mut session = Session {
        shared,
        number,
        line: Line::Plain(stream),
        received: Vec::new(),
        secure: false,
        user: None,
        greeted: false,
        hello: String::new(),
        transaction: None,
        late_close: None,
    };
    // The end of a connection is what it is.
    let _ = session.run();
    shared.record.closed();
}

struct Transaction {
    reverse_path: String,
    parameters: String,
    eight_bit: bool,
    /// Recipients asked for, refused ones too.
    asked: usize,
    recipients: Vec<(String, String)>,
    body: Body,
}

/// A message while it comes in.
#[derive(Default)]
struct Body {
    octets: u64,
    content: Vec<u8>,
    message_id: String,
    in_header: bool,
}

struct Session<'a> {
    shared: &'a Shared,
    number: u64,
    line: Line,
    received: Vec<u8>,
    secure: bool,
    user: Option<String>,
    greeted: bool,
    /// what the client called itself last
    hello: String,
    transaction: Option<Transaction>,
    late_close: Option<std::time::Duration>,
}

impl Session<'_> {
    fn run(&mut self) -> Result<(), End> {
        let socket = self.line.socket();
        for set in [
            socket.set_nodelay(true),
            socket.set_read_timeout(Some(LOOK)),
            socket.set_write_timeout(Some(LOOK)),
        ] {
            set.map_err(|_| End)?;
        }
        match self.shared.behaviour(Stage::Connect, 0, "") {
            Behaviour::Good | Behaviour::Refuse | Behaviour::BlackHole => {}
            other => drop(perform(&other, &mut self.line, self.shared)?),
        }
        self.answer(Stage::Banner, b"220 sink.test ESMTP ready\r\n")?;
        loop {
            if let Some(pause) = self.late_close {
                std::thread::sleep(pause);
                let _ = self.line.socket().shutdown(Shutdown::Both);
                return Err(End);
            }
            let command = self.command()?;
            self.obey(&command)?;
        }
    }

    fn obey(&mut self, command: &str) -> Result<(), End> {
        let verb = command.split([' ', ':']).next().unwrap_or_default();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.hello(Stage::Ehlo, command),
            "HELO" => self.hello(Stage::Helo, command),
            "STARTTLS" if self.may_start_tls() => self.start_tls(),
            "AUTH" if self.shared.script().offers("AUTH") => self.auth(command),
            "MAIL" => self.mail(command),
            "RCPT" => self.rcpt(command),
            "DATA" => self.data(),
            "BDAT" if self.shared.script().offers("CHUNKING") => self.bdat(command),
            "RSET" => {
                self.transaction = None;
                self.answer(Stage::Rset, b"250 2.0.0 forgotten\r\n").map(drop)
            }
            "NOOP" => self.say(b"250 2.0.0 nothing done\r\n"),
            "QUIT" => {
                self.answer(Stage::Quit, b"221 2.0.0 good bye\r\n")?;
                Err(End)
            }
            _ => {
                self.violation(format!("a command that was not offered: {command:.60}"));
                self.say(b"502 5.5.1 not here\r\n")
            }
        }
    }

    fn hello(&mut self, stage: Stage, command: &str) -> Result<(), End> {
        let reply = if stage == Stage::Helo {
            b"250 sink.test\r\n".to_vec()
        } else {
            self.offers()
        };
        let class = self.answer(stage, &reply)?;
        self.greeted |= class == b'2';
        self.hello = command.get(5..).unwrap_or_default().trim().to_owned();
        self.transaction = None;
        Ok(())
    }

    fn offers(&self) -> Vec<u8> {
        let script = self.shared.script();
        let mut lines = vec!["sink.test".to_owned()];
        for offer in &script.offers {
            if offer != "STARTTLS" || self.may_start_tls() {
                lines.push(offer.replace(['=', ','], " "));
            }
        }
        let last = lines.len() - 1;
        let line =
            |(at, text): (usize, &String)| format!("250{}{text}\r\n", if at == last { ' ' } else { '-' });
        lines
            .iter()
            .enumerate()
            .map(line)
            .collect::<String>()
            .into_bytes()
    }

    fn may_start_tls(&self) -> bool {
        !self.secure && self.shared.certificates.is_some() && self.shared.script().offers("STARTTLS")
    }

    fn start_tls(&mut self) -> Result<(), End> {
        if self.answer(Stage::StartTls, b"220 2.0.0 go ahead\r\n")? != b'2' {
            return Ok(());
        }
        if !self.received.is_empty() {
            self.violation("octets after STARTTLS in the clear".into());
        }
        let fault = match self.shared.behaviour(Stage::Tls, 0, "") {
            Behaviour::Good => None,
            Behaviour::Certificate(fault) => Some(fault),
            other => {
                // ClientHello first: that is when a broken implementation breaks.
                self.fill()?;
                perform(&other, &mut self.line, self.shared)?;
                let _ = self.line.socket().shutdown(Shutdown::Both);
                return Err(End);
            }
        };
        let certificates = self.shared.certificates.as_ref().ok_or(End)?;
        let connection = ServerConnection::new(certificates.choose(fault)).map_err(|_| End)?;
        self.handshake(connection)
    }

    fn handshake(&mut self, connection: ServerConnection) -> Result<(), End> {
        let stream = self.line.socket().try_clone().map_err(|_| End)?;
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            match stream.conn.complete_io(&mut stream.sock) {
                Ok(_) => {}
                Err(error) if is_wait(&error) && !self.is_stopped() => {}
                Err(_) => return Err(End),
            }
        }
        self.shared.record.handshake();
        self.line = Line::Tls(Box::new(stream));
        (self.secure, self.greeted, self.transaction) = (true, false, None);
        self.received.clear();
        Ok(())
    }

    fn auth(&mut self, command: &str) -> Result<(), End> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let token = match words[..] {
            [_, mechanism, token] if mechanism.eq_ignore_ascii_case("PLAIN") => token.to_owned(),
            [_, mechanism] if mechanism.eq_ignore_ascii_case("PLAIN") => {
                self.say(b"334 \r\n")?;
                self.command()?
            }
            [_, mechanism] if mechanism.eq_ignore_ascii_case("LOGIN") => {
                self.say(b"334 VXNlcm5hbWU6\r\n")?;
                let name = self.command()?;
                self.say(b"334 UGFzc3dvcmQ6\r\n")?;
                let secret = self.command()?;
                return self.sign_in(&decode(&name), &decode(&secret));
            }
            _ => return self.say(b"504 5.5.4 PLAIN and LOGIN only\r\n"),
        };
        let plain = decode(&token);
        let mut parts = plain.split('\0');
        let (_, name, secret) = (
            parts.next(),
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let (name, secret) = (name.to_owned(), secret.to_owned());
        self.sign_in(&name, &secret)
    }

    fn sign_in(&mut self, name: &str, secret: &str) -> Result<(), End> {
        if !self.secure {
            self.violation("a password in the clear".into());
        }
        let script = self.shared.script();
        let known = script
            .credentials
            .as_ref()
            .is_none_or(|(user, password)| user == name && password == secret);
        if !known {
            return self.say(b"535 5.7.8 wrong name or password\r\n");
        }
        if self.answer(Stage::Auth, b"235 2.7.0 welcome\r\n")? == b'2' {
            self.user = Some(name.to_owned());
        }
        Ok(())
    }

    fn mail(&mut self, command: &str) -> Result<(), End> {
        let Some((reverse_path, parameters)) = path_of(command) else {
            self.violation(format!("a MAIL that is none: {command:.60}"));
            return self.say(b"501 5.5.4 MAIL FROM:<path>\r\n");
        };
        if !self.greeted || self.transaction.is_some() {
            self.violation("MAIL out of order".into());
            return self.say(b"503 5.5.1 not now\r\n");
        }
        self.judge_parameters(&parameters);
        if self
            .size_limit()
            .is_some_and(|limit| announced_size(&parameters) > limit)
        {
            return self.say(b"552 5.3.4 larger than I take\r\n");
        }
        self.shared.record.transaction();
        if self.answer(Stage::Mail, b"250 2.1.0 sender ok\r\n")? == b'2' {
            let upper = parameters.to_ascii_uppercase();
            self.transaction = Some(Transaction {
                eight_bit: upper.contains("BODY=8BITMIME") || upper.contains("SMTPUTF8"),
                reverse_path,
                parameters,
                asked: 0,
                recipients: Vec::new(),
                body: Body {
                    in_header: true,
                    ..Body::default()
                },
            });
        }
        Ok(())
    }

    fn rcpt(&mut self, command: &str) -> Result<(), End> {
        let Some((address, parameters)) = path_of(command) else {
            self.violation(format!("a RCPT that is none: {command:.60}"));
            return self.say(b"501 5.5.4 RCPT TO:<path>\r\n");
        };
        self.judge_parameters(&parameters);
        let Some(transaction) = &mut self.transaction else {
            return self.say(b"503 5.5.1 MAIL first\r\n");
        };
        transaction.asked += 1;
        let behaviour = self.shared.behaviour(Stage::Rcpt, transaction.asked, &address);
        let class = self.do_it(&behaviour, b"250 2.1.5 recipient ok\r\n")?;
        if class == b'2'
            && let Some(transaction) = &mut self.transaction
        {
            transaction.recipients.push((address, parameters));
        }
        Ok(())
    }

    fn data(&mut self) -> Result<(), End> {
        let has_recipients = self
            .transaction
            .as_ref()
            .is_some_and(|transaction| !transaction.recipients.is_empty());
        if !has_recipients {
            return self.say(b"503 5.5.1 no valid recipients\r\n");
        }
        if self.answer(Stage::Data, b"354 go ahead\r\n")? != b'3' {
            self.transaction = None;
            return Ok(());
        }
        self.in_body()?;
        while self.text_line()? {}
        self.finish()
    }

    fn bdat(&mut self, command: &str) -> Result<(), End> {
        let mut words = command.split_whitespace().skip(1);
        let size: usize = words.next().and_then(|word| word.parse().ok()).ok_or(End)?;
        let last = words.next().is_some_and(|word| word.eq_ignore_ascii_case("LAST"));
        while self.received.len() < size {
            self.fill()?;
        }
        let chunk: Vec<u8> = self.received.drain(..size).collect();
        let kept = self.shared.kept_octets;
        let Some(transaction) = &mut self.transaction else {
            return self.say(b"503 5.5.1 MAIL first\r\n");
        };
        for line in chunk.split_inclusive(|octet| *octet == b'\n') {
            transaction.body.add(line, kept);
        }
        if last {
            return self.finish();
        }
        self.answer(Stage::Data, b"250 2.0.0 more\r\n").map(drop)
    }

    /// The first octets of a body are there: now it may go wrong.
    fn in_body(&mut self) -> Result<(), End> {
        while self.received.is_empty() {
            self.fill()?;
        }
        match self.shared.behaviour(Stage::Body, 0, "") {
            Behaviour::Good => Ok(()),
            other => {
                perform(&other, &mut self.line, self.shared)?;
                let _ = self.line.socket().shutdown(Shutdown::Both);
                Err(End)
            }
        }
    }

    /// One line of a body; whether there is more.
    fn text_line(&mut self) -> Result<bool, End> {
        let end = loop {
            match self.received.iter().position(|octet| *octet == b'\n') {
                Some(end) => break end,
                None => self.fill()?,
            }
        };
        // Many lines come at a time: take all that are whole.
        let whole = self
            .received
            .iter()
            .rposition(|octet| *octet == b'\n')
            .unwrap_or(end);
        let block: Vec<u8> = self.received.drain(..=whole).collect();
        let mut taken = 0;
        for line in block.split_inclusive(|octet| *octet == b'\n') {
            taken += line.len();
            if line == b".\r\n" {
                self.received.splice(..0, block[taken..].iter().copied());
                return Ok(false);
            }
            self.take_line(line);
        }
        Ok(true)
    }

    fn take_line(&mut self, line: &[u8]) {
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let wrong = if text.len() == line.len() || text.contains(&b'\r') {
            Some("a lone CR or LF in the text")
        } else if text.len() > TEXT_LINE_OCTETS + usize::from(text.starts_with(b".")) {
            Some("a text line of more than 998 octets")
        } else if !transaction.eight_bit && !text.is_ascii() {
            Some("8-bit text without BODY=8BITMIME")
        } else {
            None
        };
        transaction
            .body
            .add(line.strip_prefix(b".").unwrap_or(line), self.shared.kept_octets);
        if let Some(wrong) = wrong {
            self.violation(wrong.to_owned());
        }
    }

    fn finish(&mut self) -> Result<(), End> {
        self.shared.record.whole_message();
        let Some(transaction) = self.transaction.take() else {
            return Err(End);
        };
        if self
            .size_limit()
            .is_some_and(|limit| transaction.body.octets > limit)
        {
            return self.say(b"552 5.3.4 larger than I take\r\n");
        }
        let behaviour = self.shared.behaviour(Stage::AfterDot, 0, "");
        // Written down before it is said: a reader of the record never misses what the client has been told.
        let takes = match &behaviour {
            Behaviour::Good | Behaviour::LateClose(_) => true,
            Behaviour::Reply(reply) | Behaviour::Twice(reply) => class_of(reply) == b'2',
            _ => false,
        };
        if takes {
            let message = Accepted {
                message_id: transaction.body.message_id,
                reverse_path: transaction.reverse_path,
                mail_parameters: transaction.parameters,
                recipients: transaction.recipients,
                octets: transaction.body.octets,
                content: transaction.body.content,
                peer: self.line.socket().peer_addr().map(|peer| peer.ip()).ok(),
                hello: self.hello.clone(),
                secure: self.secure,
                user: self.user.clone(),
                connection: self.number,
                at: Instant::now(),
            };
            self.shared.record.accept(message, self.shared.kept_octets > 0);
        }
        self.do_it(&behaviour, b"250 2.0.0 taken\r\n").map(drop)
    }

    fn size_limit(&self) -> Option<u64> {
        let script = self.shared.script();
        let value = |offer: &String| offer.strip_prefix("SIZE=").and_then(|text| text.parse().ok());
        script.offers.iter().find_map(value)
    }

    /// Every parameter must have been offered (RFC 5321 §4.1.1.11).
    fn judge_parameters(&self, parameters: &str) {
        let script = self.shared.script();
        for parameter in parameters.split_whitespace() {
            let keyword = parameter
                .split('=')
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            let needs = match keyword.as_str() {
                "BODY" => "8BITMIME",
                "RET" | "ENVID" | "NOTIFY" | "ORCPT" => "DSN",
                "BY" => "DELIVERBY",
                other => other,
            };
            if !script.offers(needs) {
                self.violation(format!("{parameter:.60} although {needs:.20} was not offered"));
            }
        }
    }

    fn answer(&mut self, stage: Stage, good: &[u8]) -> Result<u8, End> {
        let behaviour = self.shared.behaviour(stage, 0, "");
        self.do_it(&behaviour, good)
    }

    fn do_it(&mut self, behaviour: &Behaviour, good: &[u8]) -> Result<u8, End> {
        match behaviour {
            Behaviour::Good => {}
            Behaviour::LateClose(pause) => {
                self.shared.record.misbehaved();
                self.late_close = Some(*pause);
            }
            other => return perform(other, &mut self.line, self.shared),
        }
        self.say(good)?;
        Ok(class_of(good))
    }

    fn say(&mut self, octets: &[u8]) -> Result<(), End> {
        self.line.say(octets, self.shared, self.shared.generation())
    }

    /// One command line without its CRLF.
    fn command(&mut self) -> Result<String, End> {
        let end = loop {
            match self.received.iter().position(|octet| *octet == b'\n') {
                Some(end) => break end,
                None if self.received.len() > LINE_OCTETS => return Err(End),
                None => self.fill()?,
            }
        };
        let line: Vec<u8> = self.received.drain(..=end).collect();
        let Some(line) = line.strip_suffix(b"\r\n") else {
            self.violation("a command that ends in a lone LF".into());
            return Err(End);
        };
        if !self.received.is_empty() && !self.shared.script().offers("PIPELINING") {
            self.violation("commands sent ahead although PIPELINING was not offered".into());
        }
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    /// Waits for octets.
    fn fill(&mut self) -> Result<(), End> {
        let mut some = [0; 16 << 10];
        loop {
            match self.line.read(&mut some) {
                Ok(0) => return Err(End),
                Ok(count) => {
                    self.received.extend_from_slice(&some[..count]);
                    return Ok(());
                }
                Err(error) if is_wait(&error) && !self.is_stopped() => {}
                Err(_) => return Err(End),
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.shared.stopped.load(std::sync::atomic::Ordering::Acquire)
    }

    fn violation(&self, what: String) {
        self.shared.record.violation(what);
    }
}

impl Body {
    fn add(&mut self, line: &[u8], kept_octets: usize) {
        self.octets += line.len() as u64;
        let room = kept_octets.saturating_sub(self.content.len());
        self.content.extend_from_slice(&line[..line.len().min(room)]);
        if !self.in_header {
            return;
        }
        self.in_header = line != b"\r\n";
        let name = line.get(..11).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"message-id:") {
            self.message_id = String::from_utf8_lossy(&line[11..]).trim().to_owned();
        }
    }
}

/// `MAIL FROM:<path> parameters`
fn path_of(command: &str) -> Option<(String, String)> {
    let (_, rest) = command.split_once(":<")?;
    // A quoted local part may hold a `>`.
    let mut quoted = false;
    let end = rest.char_indices().find(|(_, character)| {
        quoted ^= *character == '"';
        *character == '>' && !quoted
    })?;
    Some((rest[..end.0].to_owned(), rest[end.0 + 1..].trim().to_owned()))
}

fn announced_size(parameters: &str) -> u64 {
    let size = parameters
        .split_whitespace()
        .find_map(|parameter| parameter.strip_prefix("SIZE="));
    size.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// RFC 4648 §4; what is none becomes the empty text.
fn decode(text: &str) -> String {
    let digit = |octet: u8| match octet {
        b'A'..=b'Z' => Some(octet - b'A'),
        b'a'..=b'z' => Some(octet - b'a' + 26),
        b'0'..=b'9' => Some(octet - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut out, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for octet in text.trim_end_matches('=').bytes() {
        let Some(value) = digit(octet) else {
            return String::new();
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
