//! What cargo-nextest and libtest print, read for the closing summary: how many tests did what, and why each failed one did.

/// Passed, failed, skipped.
pub type Counts = (u64, u64, u64);

/// What stands at the beginning of nextest's lines about a test that did not hold.
const VERDICTS: [&str; 6] = ["FAIL", "TIMEOUT", "SIG", "ABORT", "LEAK-FAIL", "EXECFAIL"];
/// Lines of a panic's message that are told.
const REASON_LINES: usize = 4;

/// Each test that failed, once, in the order in which they did: `BINARY NAME: why` of nextest, `NAME: why` of libtest.
pub fn failures(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found: Vec<(String, String)> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some((name, verdict)) = nextest_verdict(line).or_else(|| libtest_verdict(line)) {
            if !found.iter().any(|(known, _)| known.ends_with(&name)) {
                found.push((name, verdict));
            }
        } else if let Some((name, place)) = panic_at(line) {
            let rest = lines[at + 1..].iter().take(REASON_LINES).take_while(|line| {
                !line.is_empty() && !line.starts_with("note: ") && **line != "stack backtrace:"
            });
            let message = rest.copied().collect::<Vec<_>>().join(" ");
            // The first panic is the cause; what it brings down comes later.
            if let Some((_, why)) = found
                .iter_mut()
                .find(|(test, why)| test.ends_with(name) && !why.contains(": "))
            {
                *why = format!("{place}: {message}");
            }
        }
    }
    found
        .into_iter()
        .map(|(name, why)| format!("{name}: {why}"))
        .collect()
}

/// `FAIL [   0.5s] (1/3) crate::binary module::test`; without the place in the run in older versions.
fn nextest_verdict(line: &str) -> Option<(String, String)> {
    let (verdict, rest) = line.split_once(" [")?;
    if !VERDICTS.iter().any(|known| verdict.starts_with(known)) {
        return None;
    }
    let (took, name) = rest.split_once(']')?;
    let name = name.trim();
    let name = match name.strip_prefix('(') {
        Some(counted) => counted.split_once(')')?.1.trim(),
        None => name,
    };
    Some((name.to_owned(), format!("{verdict} after {}", took.trim())))
}

/// `test module::name ... FAILED`
fn libtest_verdict(line: &str) -> Option<(String, String)> {
    let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
    Some((name.to_owned(), "FAILED".to_owned()))
}

/// `thread 'module::test' (7443) panicked at file:line:column:`, the number in newer versions of Rust.
fn panic_at(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("thread '")?.split_once('\'')?;
    let (_, place) = rest.split_once("panicked at ")?;
    Some((name, place.trim_end_matches(':')))
}

/// `Summary [ 1.2s] 5 tests run: 3 passed (1 slow), 2 failed, 1 skipped`
pub fn nextest_counts(text: &str) -> Option<Counts> {
    let line = text
        .lines()
        .rev()
        .find(|line| line.contains("Summary [") && line.contains(" run:"))?;
    let list = line.split(" run:").nth(1)?;
    let number = |word: &str| -> u64 {
        let found = list
            .split([',', '('])
            .find(|part| part.trim().trim_end_matches(')').ends_with(word));
        found
            .and_then(|part| part.split_whitespace().next())
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(0)
    };
    Some((
        number("passed"),
        number("failed") + number("timed out"),
        number("skipped"),
    ))
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; …`, once for each test program.
pub fn libtest_counts(text: &str) -> Option<Counts> {
    let mut counts = (0, 0, 0);
    let mut any = false;
    for line in text.lines().filter_map(|line| line.split_once("test result: ")) {
        let number = |word: &str| -> u64 {
            let part = line
                .1
                .split([';', '.'])
                .find(|part| part.trim_end().ends_with(word));
            part.and_then(|part| part.split_whitespace().next())
                .and_then(|digits| digits.parse().ok())
                .unwrap_or(0)
        };
        counts = (
            counts.0 + number("passed"),
            counts.1 + number("failed"),
            counts.2 + number("ignored"),
        );
        any = true;
    }
    any.then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextest_summaries_are_read() {
        let cases: &[(&str, Counts)] = &[
            (
                "     Summary [   0.014s] 3 tests run: 3 passed, 0 skipped",
                (3, 0, 0),
            ),
            (
                "     Summary [  10.2s] 12 tests run: 9 passed (2 slow), 3 failed, 4 skipped",
                (9, 3, 4),
            ),
            (
                "     Summary [  10.2s] 2 tests run: 1 passed (1 flaky), 1 timed out, 0 skipped",
                (1, 1, 0),
            ),
            (
                "     Summary [   0.014s] 1 test run: 1 passed, 0 skipped",
                (1, 0, 0),
            ),
        ];
        for (line, counts) in cases {
            assert_eq!(nextest_counts(line), Some(*counts), "{line}");
        }
    }

    #[test]
    fn libtest_summaries_add_up() {
        let text = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                    test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(libtest_counts(text), Some((7, 2, 1)));
        assert_eq!(libtest_counts("error: could not compile"), None);
    }

    #[test]
    fn a_failed_test_is_named_once_with_its_reason() {
        let text = "        FAIL [   3.050s] ( 32/183) hearthpost::program history::kept\n  stdout ───\n\n    test history::kept ... FAILED\n\n\
                    \x20 stderr ───\n\n    thread 'history::kept' (7443) panicked at tests/history.rs:29:5:\n    assertion failed\n      left: 1\n\
                    \x20    right: 2\n    note: run with more\n\n    thread 'history::kept' (7443) panicked at again.rs:1:1:\n    twice\n\
                    \x20    TIMEOUT [ 480.243s] (259/259) receive::compile_fail no\n     Summary [   0.5s] 3 tests run: 1 passed, 2 failed\n\
                    \x20       FAIL [   3.050s] ( 32/183) hearthpost::program history::kept\n";
        let expected = [
            "hearthpost::program history::kept: tests/history.rs:29:5: assertion failed left: 1 right: 2",
            "receive::compile_fail no: TIMEOUT after 480.243s",
        ];
        assert_eq!(failures(text), expected);
        assert_eq!(
            failures("test a::b ... FAILED\ntest a::c ... ok"),
            ["a::b: FAILED"]
        );
    }
}
