//! One message against the lines below an expectation.

use super::{Check, Family};
use crate::internet::sinks::Taken;
use testkit::story::line_fits;

/// Holds a text against lines that it has or lacks.
///
/// # Errors
///
/// The first check that does not hold, with the text.
pub fn text(text: &str, checks: &[Check]) -> Result<(), String> {
    for check in checks {
        let (pattern, wanted) = match check {
            Check::Has(pattern) => (pattern, true),
            Check::Lacks(pattern) => (pattern, false),
            _ => continue,
        };
        if text.lines().any(|line| line_fits(pattern, line)) != wanted {
            let should = if wanted { "should have" } else { "should not have" };
            return Err(format!("it {should} the line {pattern}, and is:\n{text}"));
        }
    }
    Ok(())
}

/// Holds a message that a sink took against everything that can be asked of it.
///
/// # Errors
///
/// The first check that does not hold.
pub fn taken(taken: &Taken, checks: &[Check]) -> Result<(), String> {
    let message = &taken.message;
    for check in checks {
        let (holds, is) = match check {
            Check::Over(family) => (taken.door == *family, shown(taken.door).to_owned()),
            Check::Tls(secure) => (
                message.secure == *secure,
                if message.secure { "TLS" } else { "in the clear" }.to_owned(),
            ),
            Check::From(address) => (message.peer == Some(*address), format!("{:?}", message.peer)),
            Check::Greeted(name) => (message.hello == *name, message.hello.clone()),
            Check::SignedIn(user) => (message.user.as_ref() == Some(user), format!("{:?}", message.user)),
            Check::Has(_) | Check::Lacks(_) => continue,
        };
        if !holds {
            return Err(format!(
                "{} was expected of {}, and it is {is}",
                asked(check),
                message.message_id
            ));
        }
    }
    text(
        &String::from_utf8_lossy(&message.content).replace("\r\n", "\n"),
        checks,
    )
}

fn shown(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

fn asked(check: &Check) -> String {
    match check {
        Check::Over(family) => format!("`over {}`", shown(*family)),
        Check::Tls(true) => "`under TLS`".into(),
        Check::Tls(false) => "`in the clear`".into(),
        Check::From(address) => format!("`from {address}`"),
        Check::Greeted(name) => format!("`greeted as {name}`"),
        Check::SignedIn(user) => format!("`signed in as {user}`"),
        Check::Has(line) | Check::Lacks(line) => format!("`{line}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_there_or_not() {
        let message = "Subject: x\nReceived: from y ([IPv6:2001:db8::1])\n";
        let has = |pattern: &str| text(message, &[Check::Has(pattern.into())]).is_ok();
        assert!(has("Subject: x") && has("*[IPv6:2001:db8::1]*") && !has("x"));
        let lacks = |pattern: &str| text(message, &[Check::Lacks(pattern.into())]).is_ok();
        assert!(lacks("Bcc:") && !lacks("*IPv6*"));
    }
}
