//! Telling what speaks to the wrong door.

/// Browsers are made to send requests here (SMT-9, ALPACA); nothing of what follows is read.
pub(crate) fn is_other_protocol(line: &[u8]) -> bool {
    let methods: [&[u8]; 8] = [
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"PUT ",
        b"OPTIONS ",
        b"CONNECT ",
        b"DELETE ",
        b"PATCH ",
    ];
    let upper = line[..line.len().min(16)].to_ascii_uppercase();
    let http = methods.iter().any(|method| upper.starts_with(method));
    let target = line
        .iter()
        .position(|&byte| byte == b' ')
        .and_then(|space| line.get(space + 1));
    (http && matches!(target, Some(b'/' | b'*' | b'h' | b'H')))
        || upper.starts_with(b"HOST:")
        || upper.starts_with(b"EHLO ")
        || upper.starts_with(b"HELO ")
        || line.windows(6).any(|window| window == b" HTTP/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smt_9_requests_of_browsers_are_known() {
        for (line, other) in [
            (&b"GET / HTTP/1.1\r\n"[..], true),
            (b"POST /cgi HTTP/1.0\r\n", true),
            (b"OPTIONS * HTTP/1.1\r\n", true),
            (b"Host: mail.example\r\n", true),
            (b"EHLO client\r\n", true),
            (b"a1 NOOP\r\n", false),
            (b"GET NOOP\r\n", false),
            (b"a1 LOGIN u p\r\n", false),
        ] {
            assert_eq!(is_other_protocol(line), other, "{}", line.escape_ascii());
        }
    }
}
