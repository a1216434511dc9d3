//! Items of FETCH written ahead of time, to be kept and put into responses later.
//!
//! Only what these functions wrote may be put in: whoever keeps it must notice when it was damaged.

use super::{Envelope, FetchLine, Out, Structure};

/// ENVELOPE's value.
pub fn envelope(envelope: &Envelope<'_>) -> Vec<u8> {
    let mut out = Out::new();
    envelope.write(&mut out);
    out.take()
}

/// BODY's value.
pub fn body(structure: &Structure<'_>) -> Vec<u8> {
    let mut out = Out::new();
    structure.write(&mut out, false);
    out.take()
}

/// BODYSTRUCTURE's value.
pub fn body_structure(structure: &Structure<'_>) -> Vec<u8> {
    let mut out = Out::new();
    structure.write(&mut out, true);
    out.take()
}

impl FetchLine<'_> {
    /// `ENVELOPE (…)`, of what [`envelope`] wrote.
    pub fn envelope_ready(&mut self, value: &[u8]) {
        self.ready(b"ENVELOPE ", value);
    }

    /// `BODY (…)`, of what [`body`] wrote.
    pub fn body_ready(&mut self, value: &[u8]) {
        self.ready(b"BODY ", value);
    }

    /// `BODYSTRUCTURE (…)`, of what [`body_structure`] wrote.
    pub fn body_structure_ready(&mut self, value: &[u8]) {
        self.ready(b"BODYSTRUCTURE ", value);
    }

    fn ready(&mut self, label: &'static [u8], value: &[u8]) {
        debug_assert!(
            value.starts_with(b"(") && value.ends_with(b")"),
            "a value is a list"
        );
        self.item(label);
        self.out.raw(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe;

    #[test]
    fn what_was_written_ahead_is_what_is_written() {
        let message: &[u8] = b"Subject: \xfc (literal)\r\nFrom: A <a@b.test>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n";
        let structure = describe::structure(message, &mail::mime::Structure::parse(message));
        let header = describe::envelope(message);
        let (mut now, mut ahead) = (Out::new(), Out::new());
        let mut line = now.fetch(1);
        line.envelope(&header);
        line.body(&structure);
        line.body_structure(&structure);
        line.finish();
        let mut line = ahead.fetch(1);
        line.envelope_ready(&envelope(&header));
        line.body_ready(&body(&structure));
        line.body_structure_ready(&body_structure(&structure));
        line.finish();
        assert_eq!(now.take(), ahead.take());
    }
}
