//! The options of `sendmail`, as its callers have always written them: letters together (`-ti`), values attached or apart.

use std::ffi::OsString;
use std::path::PathBuf;

use smtp::dsn::{EnvId, Notify, Ret};

use super::exit::{Code, Ended};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// read a message and hand it in
    Deliver,
    /// what the server does by itself: rebuild aliases, run the queue
    Nothing,
}

/// The options that mean something here.
#[derive(Debug, PartialEq, Eq)]
pub struct Args {
    /// what to do
    pub mode: Mode,
    /// `-f`, `-r`: the reverse-path
    pub from: Option<String>,
    /// `-F`: the sender's full name
    pub name: Option<String>,
    /// `-t`: recipients are in To, Cc and Bcc, too
    pub recipients_in_header: bool,
    /// without `-i` or `-oi` a line with a lone dot ends the message
    pub lone_dot_ends: bool,
    /// `-N`
    pub notify: Option<Notify>,
    /// `-R`
    pub ret: Option<Ret>,
    /// `-V`
    pub envid: Option<EnvId>,
    /// `-C`: the server's settings
    pub config: Option<PathBuf>,
    /// `--data`: the server's data directory
    pub data: Option<PathBuf>,
    /// the rest
    pub recipients: Vec<String>,
}

/// Letters whose value may be attached or follow.
const WITH_VALUE: &str = "ABCDFLNORVXbdfhoprq";

impl Args {
    /// Reads them. Options of other programs that change nothing here are passed over.
    pub fn read(args: &[OsString]) -> Result<Self, Ended> {
        let mut read = Self {
            mode: Mode::Deliver,
            from: None,
            name: None,
            recipients_in_header: false,
            lone_dot_ends: true,
            notify: None,
            ret: None,
            envid: None,
            config: None,
            data: None,
            recipients: Vec::new(),
        };
        let mut words = args.iter().map(|word| word.to_string_lossy().into_owned());
        while let Some(word) = words.next() {
            match word.strip_prefix('-') {
                None | Some("") => read.recipients.push(word),
                Some("-") => read.recipients.extend(words.by_ref()),
                Some(long) if long.starts_with('-') => read.long(long, &mut words)?,
                Some(letters) => read.letters(letters, &mut words)?,
            }
        }
        Ok(read)
    }

    /// `-data` and `-config`, with the value attached or as the next word.
    fn long(&mut self, long: &str, more: &mut impl Iterator<Item = String>) -> Result<(), Ended> {
        let usage = |what: &str| Ended::new(Code::Usage, format!("-{long} {what}"));
        let (name, attached) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        let place = match name {
            "-data" => &mut self.data,
            "-config" => &mut self.config,
            _ => return Err(usage("is no option of sendmail that is known here.")),
        };
        let value = attached.or_else(|| more.next());
        *place = Some(value.ok_or_else(|| usage("needs a value."))?.into());
        Ok(())
    }

    fn letters(&mut self, letters: &str, more: &mut impl Iterator<Item = String>) -> Result<(), Ended> {
        for (at, letter) in letters.char_indices() {
            if !WITH_VALUE.contains(letter) {
                self.flag(letter)?;
                continue;
            }
            let attached = &letters[at + letter.len_utf8()..];
            // `-q` and `-b` never take the next word.
            let value = if attached.is_empty() && !"qb".contains(letter) {
                more.next()
                    .ok_or_else(|| Ended::new(Code::Usage, format!("-{letter} needs a value.")))?
            } else {
                attached.to_owned()
            };
            return self.valued(letter, value);
        }
        Ok(())
    }

    fn flag(&mut self, letter: char) -> Result<(), Ended> {
        match letter {
            't' => self.recipients_in_header = true,
            'i' => self.lone_dot_ends = false,
            'I' => self.mode = Mode::Nothing,
            'G' | 'U' | 'c' | 'm' | 'n' | 's' | 'T' | 'v' | 'x' | 'e' | 'E' | 'M' => {}
            other => {
                return Err(Ended::new(
                    Code::Usage,
                    format!("-{other} is no option of sendmail that is known here."),
                ));
            }
        }
        Ok(())
    }

    fn valued(&mut self, letter: char, value: String) -> Result<(), Ended> {
        let wrong = |what: &str| Ended::new(Code::Usage, format!("-{letter} {value:?}: {what}"));
        match letter {
            'f' | 'r' => self.from = Some(value),
            'F' => self.name = Some(value),
            'C' => self.config = Some(value.into()),
            'N' => {
                let asked = Notify::parse(&value);
                self.notify =
                    Some(asked.ok_or_else(|| wrong("write never, or some of success,failure,delay."))?);
            }
            'R' => {
                self.ret = Some(Ret::parse(&value).ok_or_else(|| wrong("write full or hdrs."))?);
            }
            'V' => {
                let given = EnvId::new(value.clone());
                self.envid = Some(given.ok_or_else(|| wrong("write at most 100 visible letters."))?);
            }
            'o' if value == "i" => self.lone_dot_ends = false,
            'q' => self.mode = Mode::Nothing,
            'b' => match value.as_str() {
                "m" => self.mode = Mode::Deliver,
                "i" => self.mode = Mode::Nothing,
                "p" => return Err(wrong("see the queue with: hearthpost queue list")),
                _ => return Err(wrong("only -bm is done here.")),
            },
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Args, Ended> {
        Args::read(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_as_cron_and_scripts_write_them() {
        for words in [
            &["-t", "-i"][..],
            &["-ti"],
            &["-i", "-t", "-oem"],
            &["-oi", "-t"],
            &["-o", "i", "-t"],
            &["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t"],
            &["-t", "-i", "-B8BITMIME"],
        ] {
            let args = read(words).unwrap();
            assert!(args.recipients_in_header && !args.lone_dot_ends, "{words:?}");
            assert!(args.recipients.is_empty(), "{words:?}");
        }
        let args = read(&["-f", "a@example.org", "-FAnn Onymous", "bob", "--", "-carl"]).unwrap();
        assert_eq!(args.from.as_deref(), Some("a@example.org"));
        assert_eq!(args.name.as_deref(), Some("Ann Onymous"));
        assert_eq!(args.recipients, ["bob", "-carl"]);
        assert!(args.lone_dot_ends && !args.recipients_in_header);
        let args = read(&[
            "-fa@example.org",
            "-N",
            "success,delay",
            "-Rhdrs",
            "-V",
            "x1",
            "bob",
        ])
        .unwrap();
        assert_eq!(args.from.as_deref(), Some("a@example.org"));
        assert_eq!(args.notify.unwrap().to_string(), "SUCCESS,DELAY");
        assert_eq!(
            (args.ret, args.envid.unwrap().as_str()),
            (Some(Ret::Headers), "x1")
        );
        for words in [
            &["--data", "/d", "--config", "/c", "bob"],
            &["--data=/d", "bob", "--config=/c", "-i", "-i"],
        ] {
            let args = read(words).unwrap();
            assert_eq!(
                (args.data, args.config),
                (Some("/d".into()), Some("/c".into())),
                "{words:?}"
            );
            assert_eq!(args.recipients, ["bob"], "{words:?}");
        }
        assert_eq!(read(&["-bi"]).unwrap().mode, Mode::Nothing);
        assert_eq!(read(&["-q30m"]).unwrap().mode, Mode::Nothing);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        for words in [
            &["-bs"][..],
            &["-bd"],
            &["-bp"],
            &["-f"],
            &["-N", "sometimes"],
            &["-Rnone"],
            &["-V", "a b\n"],
            &["-Z"],
            &["--config"],
            &["--data"],
            &["--dat", "x"],
        ] {
            assert_eq!(read(words).unwrap_err().code, Code::Usage, "{words:?}");
        }
    }
}
