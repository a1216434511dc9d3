//! A person with a mail program: sends by submission with STARTTLS and a password, reads by IMAP over TLS.

use std::net::SocketAddr;

use base64::Engine;
use testkit::talk::{Talk, TlsClient};

/// One person.
#[derive(Clone)]
pub struct Person {
    /// her address, which is also what she signs in with
    pub address: String,
    /// her password
    pub password: String,
    /// where she sends
    pub submission: SocketAddr,
    /// where she reads
    pub imaps: SocketAddr,
    /// the name in the server's certificate
    pub server: String,
    /// whom she trusts
    pub tls: TlsClient,
}

/// A message to be sent.
pub struct Letter<'a> {
    /// recipients
    pub to: &'a [&'a str],
    /// stands in Subject
    pub subject: &'a str,
    /// stands in Message-ID with the sender's domain; when empty, the subject does
    pub id: &'a str,
    /// parameters of MAIL FROM
    pub mail: &'a str,
    /// parameters of each RCPT TO
    pub rcpt: &'a str,
    /// further fields of the header, CRLF lines
    pub header: &'a str,
    /// the text, CRLF lines
    pub text: &'a str,
}

impl<'a> Letter<'a> {
    /// A plain one.
    pub fn new(to: &'a [&'a str], subject: &'a str) -> Self {
        Self {
            to,
            subject,
            id: "",
            mail: "",
            rcpt: "",
            header: "",
            text: "Hello.\r\n",
        }
    }
}

impl Person {
    /// Sends; the server's final reply, or what it refused.
    pub fn send(&self, letter: &Letter<'_>) -> Result<String, String> {
        let mut session = self.session()?;
        let sent = self.send_in(&mut session, letter);
        session.ask("QUIT");
        sent
    }

    /// Signs in for several messages.
    pub fn session(&self) -> Result<Talk, String> {
        let mut talk = Talk::connect_to(self.submission).map_err(|error| error.to_string())?;
        talk.reply();
        talk.ask("EHLO client.test");
        expect(&talk.ask("STARTTLS"), '2')?;
        talk.start_tls_as(&self.tls, &self.server)
            .map_err(|error| format!("TLS with {}: {error}", self.server))?;
        talk.ask("EHLO client.test");
        let token = format!("\0{}\0{}", self.address, self.password);
        let token = base64::engine::general_purpose::STANDARD.encode(token);
        expect(&talk.ask(&format!("AUTH PLAIN {token}")), '2')?;
        Ok(talk)
    }

    /// Sends within a session.
    pub fn send_in(&self, talk: &mut Talk, letter: &Letter<'_>) -> Result<String, String> {
        expect(
            &talk.ask(&format!("MAIL FROM:<{}> {}", self.address, letter.mail)),
            '2',
        )?;
        for to in letter.to {
            expect(&talk.ask(&format!("RCPT TO:<{to}> {}", letter.rcpt)), '2')?;
        }
        expect(&talk.ask("DATA"), '3')?;
        let domain = self.address.rsplit('@').next().unwrap_or_default();
        let id = if letter.id.is_empty() {
            letter.subject.replace(' ', "-")
        } else {
            letter.id.to_owned()
        };
        let text = format!(
            "From: <{}>\r\nTo: <{}>\r\nSubject: {}\r\nMessage-ID: <{id}@{domain}>\r\n{}\r\n{}.",
            self.address,
            letter.to.join(">, <"),
            letter.subject,
            letter.header,
            letter.text
        );
        let reply = talk.ask(&text);
        expect(&reply, '2')?;
        Ok(reply)
    }

    /// Every message of a mailbox, whole.
    pub fn read(&self, mailbox: &str) -> Result<Vec<String>, String> {
        let mut talk = Talk::connect_to(self.imaps).map_err(|error| error.to_string())?;
        talk.start_tls_as(&self.tls, &self.server)
            .map_err(|error| format!("TLS with {}: {error}", self.server))?;
        talk.line();
        let login = talk.imap("l", &format!("LOGIN \"{}\" \"{}\"", self.address, self.password));
        let opened = talk.imap("e", &format!("EXAMINE \"{mailbox}\""));
        let exists: usize = opened
            .iter()
            .find_map(|line| line.strip_prefix("* ")?.strip_suffix(" EXISTS")?.parse().ok())
            .ok_or_else(|| format!("{} cannot read {mailbox}: {login:?} {opened:?}", self.address))?;
        let mut messages = Vec::new();
        for number in 1..=exists {
            let lines = talk.imap("f", &format!("FETCH {number} BODY.PEEK[]"));
            let end = lines.len().saturating_sub(1);
            messages.push(lines.get(1..end).unwrap_or_default().join("\n"));
        }
        Ok(messages)
    }
}

/// Whether the message has exactly this line.
pub fn has_line(message: &str, line: &str) -> bool {
    message.lines().any(|found| found == line)
}

/// Whether this is a report about this recipient with this action.
pub fn is_report(message: &str, action: &str, recipient: &str) -> bool {
    let lower = message.to_ascii_lowercase();
    lower.contains("report-type=")
        && has_line(&lower, &format!("action: {action}"))
        && lower.lines().any(|line| {
            (line.starts_with("final-recipient:") || line.starts_with("original-recipient:"))
                && line.ends_with(&format!(" {}", recipient.to_ascii_lowercase()))
        })
}

fn expect(reply: &str, class: char) -> Result<(), String> {
    if reply.starts_with(class) {
        Ok(())
    } else if reply.is_empty() {
        Err("the server closed the connection".into())
    } else {
        Err(reply.replace('\n', " "))
    }
}
