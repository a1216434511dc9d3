//! What URLs lead to (RFC 4467 §7), and batches of UIDs (RFC 10022).

use super::Out;
use crate::command::Tag;

impl Out {
    /// `* GENURLAUTH …`: one full URL for each that was asked for.
    pub fn gen_url_auth<'u>(&mut self, urls: impl IntoIterator<Item = &'u [u8]>) {
        self.raw(b"* GENURLAUTH");
        for url in urls {
            self.raw(b" ");
            self.string(url);
        }
        self.crlf();
    }

    /// `* URLFETCH url NIL`: there is nothing, or it may not be had.
    pub fn url_fetch_nil(&mut self, url: &[u8]) {
        self.raw(b"* URLFETCH ");
        self.string(url);
        self.raw(b" NIL");
        self.crlf();
    }

    /// `* URLFETCH url {n}`: exactly `size_bytes` octets follow, handed on elsewhere, then [`Out::url_fetch_end`].
    pub fn url_fetch_begin(&mut self, url: &[u8], size_bytes: u64) {
        self.raw(b"* URLFETCH ");
        self.string(url);
        self.raw(b" ");
        self.literal_header(size_bytes);
    }

    /// Behind the octets.
    pub fn url_fetch_end(&mut self) {
        self.crlf();
    }

    /// `* UIDBATCHES (TAG "…") 400:301,300:1`: batches as (highest UID, lowest UID), the newest messages first.
    pub fn uid_batches(&mut self, tag: &Tag, batches: &[(u32, u32)]) {
        self.raw(b"* UIDBATCHES (TAG ");
        self.string(tag.as_str().as_bytes());
        self.raw(b")");
        for (at, &(highest, lowest)) in batches.iter().enumerate() {
            self.raw(if at == 0 { b" " } else { b"," });
            self.number(u64::from(highest));
            if lowest != highest {
                self.raw(b":");
                self.number(u64::from(lowest));
            }
        }
        self.crlf();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_batches_are_written() {
        let mut out = Out::new();
        out.gen_url_auth([&b"imap://a@b/c"[..], b"d\"e"]);
        out.url_fetch_nil(b"x");
        out.url_fetch_begin(b"y", 3);
        out.raw(b"abc");
        out.url_fetch_end();
        let tag = Tag::new(b"A143").unwrap();
        out.uid_batches(&tag, &[(215_295, 99_695), (99_694, 7), (6, 6)]);
        out.uid_batches(&tag, &[]);
        assert_eq!(
            String::from_utf8_lossy(out.bytes()),
            "* GENURLAUTH \"imap://a@b/c\" \"d\\\"e\"\r\n* URLFETCH \"x\" NIL\r\n* URLFETCH \"y\" {3}\r\nabc\r\n\
             * UIDBATCHES (TAG \"A143\") 215295:99695,99694:7,6\r\n* UIDBATCHES (TAG \"A143\")\r\n"
        );
    }
}
