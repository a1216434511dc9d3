//! What the peers of the benchmark have in common: the services of Debian's Postfix.

/// `master.cf` with one door for SMTP, at a port or an address with its port, and every service that a peer may need.
pub fn master_cf(door: &str) -> String {
    let mut out = format!("{door} inet n - n - - smtpd\n");
    for (name, kind, wakeup, limit, command) in [
        ("pickup", "unix n - n", "60", "1", "pickup"),
        ("cleanup", "unix n - n", "-", "0", "cleanup"),
        ("qmgr", "unix n - n", "300", "1", "qmgr"),
        ("tlsmgr", "unix - - n", "1000?", "1", "tlsmgr"),
        ("rewrite", "unix - - n", "-", "-", "trivial-rewrite"),
        ("bounce", "unix - - n", "-", "0", "bounce"),
        ("defer", "unix - - n", "-", "0", "bounce"),
        ("trace", "unix - - n", "-", "0", "bounce"),
        ("verify", "unix - - n", "-", "1", "verify"),
        ("proxymap", "unix - - n", "-", "-", "proxymap"),
        ("smtp", "unix - - n", "-", "-", "smtp"),
        ("error", "unix - - n", "-", "-", "error"),
        ("retry", "unix - - n", "-", "-", "error"),
        ("lmtp", "unix - - n", "-", "-", "lmtp"),
        ("anvil", "unix - - n", "-", "1", "anvil"),
        ("scache", "unix - - n", "-", "1", "scache"),
        ("postlog", "unix-dgram n - n", "-", "1", "postlogd"),
    ] {
        out.push_str(&format!("{name} {kind} {wakeup} {limit} {command}\n"));
    }
    out
}
