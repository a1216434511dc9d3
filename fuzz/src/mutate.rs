//! Seeded mutations: the same seed and corpus give the same inputs.

use crate::INPUT_LIMIT_BYTES;

/// What the protocols are made of; random bytes alone would never find it.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b".",
    b"\r\n.\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b"\"",
    b"\\",
    b"(",
    b")",
    b"<",
    b">",
    b"@",
    b":",
    b";",
    b",",
    b"=",
    b"+",
    b"*",
    b"%",
    b"{",
    b"}",
    b"[",
    b"]",
    b"{5}\r\n",
    b"{5+}\r\n",
    b"{18446744073709551616}\r\n",
    b"{4294967296+}\r\n",
    b"0",
    b"1",
    b"-1",
    b"4294967295",
    b"4294967296",
    b"9223372036854775807",
    b"18446744073709551615",
    b"18446744073709551616",
    b"BDAT 5 LAST\r\n",
    b"MAIL FROM:<",
    b"RCPT TO:<",
    b"SIZE=",
    b"BODY=8BITMIME",
    b"SMTPUTF8",
    b"AUTH PLAIN ",
    b"DATA\r\n",
    b"STARTTLS\r\n",
    b"EHLO x\r\n",
    b"a1 ",
    b"FETCH 1:* ",
    b"BODY.PEEK[",
    b"HEADER.FIELDS (",
    b"]<0.10>",
    b"UID ",
    b"SEARCH ",
    b"NOT ",
    b"OR ",
    b"STORE 1 +FLAGS (",
    b"\\Seen",
    b"CHARSET UTF-8 ",
    b"APPEND x {3}\r\n",
    b"LIST \"\" *",
    b"(MODSEQ 1)",
    b"CHANGEDSINCE 1",
    b"NIL",
    b"&AOk-",
    b"&",
    b"~{3}\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"\r\n--b\r\n",
    b"\r\n--b--\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"message/rfc822",
    b"multipart/",
    b"boundary=",
    b"charset*0*=utf-8''%e2",
    b"name*1=",
    b"=?utf-8?q?=41?=",
    b"=?utf-8?b?QQ==?=",
    b"=?",
    b"?=",
    b"=\r\n",
    b"=ZZ",
    b"From: a@b\r\n",
    b"Subject:",
    b"Date: Mon, 1 Jan 2024",
    b"\xc3\xa9",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\xe2\x80\xae",
    b"$argon2id$v=19$m=19456,t=2,p=1$",
];

/// A small generator of choices; xorshift64*.
pub struct Mutator(u64);

impl Mutator {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        let mut mutator = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        mutator.next();
        mutator
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 7
    }

    /// A number below `limit`, 0 when there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit == 0 {
            0
        } else {
            (self.next() % limit as u64) as usize
        }
    }

    /// A new input made of the corpus.
    pub fn input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus.get(self.below(corpus.len())).cloned().unwrap_or_default();
        // Mostly a few changes: an input that is nearly right gets deepest.
        let changes = 1 + self.below(4) * self.below(4);
        for _ in 0..changes {
            self.change(&mut input, corpus);
        }
        input.truncate(INPUT_LIMIT_BYTES);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let length = 1 + self.below(32);
        let end = (at + length).min(input.len());
        match self.below(10) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.next() as u8,
            2 => drop(input.drain(at..end)),
            3 | 4 => {
                let word = WORDS[self.below(WORDS.len())];
                input.splice(at..at, word.iter().copied());
            }
            5 => {
                let word = WORDS[self.below(WORDS.len())];
                let end = (at + word.len()).min(input.len());
                input.splice(at..end, word.iter().copied());
            }
            6 => {
                let piece = input[at..end].to_vec();
                let times = [1, 2, 7, 100, 1000][self.below(5)];
                let room = INPUT_LIMIT_BYTES.saturating_sub(input.len()) / piece.len().max(1);
                input.splice(at..at, piece.repeat(times.min(room)));
            }
            7 => {
                let other = &corpus.get(self.below(corpus.len())).cloned().unwrap_or_default();
                let from = self.below(other.len() + 1);
                let to = from + self.below(other.len() - from + 1);
                input.splice(at..end, other[from..to].iter().copied());
            }
            8 => input.truncate(at),
            _ => {
                let other = self.below(input.len() + 1);
                let piece = input[at..end].to_vec();
                let other = other.min(input.len());
                input.splice(other..other, piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs_within_the_limit() {
        let corpus = vec![b"MAIL FROM:<a@b>\r\n".to_vec(), vec![b'x'; INPUT_LIMIT_BYTES]];
        let (mut one, mut two) = (Mutator::new(7), Mutator::new(7));
        let mut different = 0;
        for _ in 0..2000 {
            let input = one.input(&corpus);
            assert_eq!(input, two.input(&corpus));
            assert!(input.len() <= INPUT_LIMIT_BYTES);
            different += usize::from(!corpus.contains(&input));
        }
        assert!(different > 1500, "{different} of 2000 inputs were new");
    }
}
