//! What may stand behind each command, so that a word that no command knows is told instead of passed over: who asks a campaign for
//! `--help`, or writes `--second 600`, does not want it to run for ten minutes.

/// What a command takes.
#[derive(Debug, PartialEq)]
struct Takes {
    command: &'static str,
    /// words that need a value after them
    values: &'static [&'static str],
    /// words that stand alone
    flags: &'static [&'static str],
    /// whether words without dashes may come too
    names: bool,
}

const COMMANDS: &[Takes] = &[
    takes("test", &[], &["--quick"], true),
    takes("rules", &[], &["--fix"], false),
    takes("journey", &[], &["--fix"], false),
    takes("threats", &[], &["--fix"], false),
    takes("reference", &[], &["--fix"], false),
    takes("clients", &[], &[], true),
    takes("differential", &["--binary"], &["--short", "--write"], false),
    takes(
        "crash",
        &["--cycles", "--seed", "--binary"],
        &["--plants", "--release"],
        false,
    ),
    takes("life", &["--binary"], &["--short", "--release"], false),
    takes(
        "powercut",
        &["--cuts", "--seed", "--binary"],
        &["--release"],
        false,
    ),
    takes(
        "diskfaults",
        &["--only", "--binary"],
        &["--short", "--release"],
        false,
    ),
    takes("hostile", &["--binary"], &["--short", "--release"], false),
    takes(
        "imap-stress",
        &["--seconds", "--seed", "--binary"],
        &["--plants", "--release"],
        false,
    ),
    takes("internet", &["--only", "--binary"], &["--release"], false),
    takes("systemd", &["--binary"], &["--release"], false),
    takes(
        "fuzz",
        &["--minutes", "--seconds", "--target", "--seed"],
        &[],
        false,
    ),
    takes(
        "bench",
        &[
            "--rows",
            "--cases",
            "--messages",
            "--mailbox",
            "--queued",
            "--connections",
            "--binary",
        ],
        &["--essential"],
        true,
    ),
    takes("install", &[], &[], false),
];

const fn takes(
    command: &'static str,
    values: &'static [&'static str],
    flags: &'static [&'static str],
    names: bool,
) -> Takes {
    Takes {
        command,
        values,
        flags,
        names,
    }
}

/// What is wrong with the words behind `command`; `None` when it can run. Commands that only the tool itself starts are not judged.
pub fn fault(command: &str, args: &[String]) -> Option<String> {
    let takes = COMMANDS.iter().find(|takes| takes.command == command)?;
    let mut words = args.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if takes.values.contains(&word) {
            if words.next().is_none_or(|value| value.starts_with("--")) {
                return Some(format!("{word} wants a value"));
            }
        } else if !takes.flags.contains(&word) && (word.starts_with('-') || !takes.names) {
            let known: Vec<&str> = takes.values.iter().chain(takes.flags).copied().collect();
            return Some(match known.is_empty() {
                true => format!("it takes no {word}"),
                false => format!("it does not know {word}; it knows {}", known.join(", ")),
            });
        }
    }
    None
}

/// Whether somebody asks what a command does.
pub fn asks_for_help(args: &[String]) -> bool {
    args.iter().any(|word| word == "--help" || word == "-h")
}

/// The lines of `help` about one command: its own and those that are set in below it.
pub fn help_of(help: &str, command: &str) -> String {
    let begins = |line: &str| line.starts_with("  ") && !line.starts_with("   ");
    let own = |line: &&str| line.split_whitespace().next() == Some(command);
    let mut lines = help.lines().skip_while(|line| !(begins(line) && own(line)));
    let first = lines.next().into_iter();
    let rest = lines.take_while(|line| !begins(line));
    first.chain(rest).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_word_that_no_command_knows_is_told() {
        let table = [
            ("crash --cycles 5 --seed 7", None),
            ("crash --plants", None),
            ("test --quick smtp", None),
            ("clients curl swaks", None),
            ("bench quick --rows imap --mailbox 50000", None),
            ("sending-inside anything --at all", None),
            (
                "crash --cycle 5",
                Some("it does not know --cycle; it knows --cycles, --seed, --binary, --plants, --release"),
            ),
            ("crash --cycles", Some("--cycles wants a value")),
            ("crash --cycles --plants", Some("--cycles wants a value")),
            (
                "imap-stress 600",
                Some("it does not know 600; it knows --seconds, --seed, --binary, --plants, --release"),
            ),
            ("install everything", Some("it takes no everything")),
        ];
        for (line, expected) in table {
            let all = words(line);
            assert_eq!(fault(&all[0], &all[1..]).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn the_help_of_one_command_is_its_own_lines() {
        let crash = help_of(crate::HELP, "crash");
        assert!(crash.starts_with("  crash [--cycles N]"), "{crash}");
        assert!(crash.contains("--plants"), "{crash}");
        assert_eq!(crash.lines().count(), 2, "{crash}");
        for takes in COMMANDS {
            assert!(
                !help_of(crate::HELP, takes.command).is_empty(),
                "{} is in the help",
                takes.command
            );
        }
    }
}
