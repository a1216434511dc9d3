//! LANG (RFC 6856 §3): there is one language.

use pop3::Out;

/// Lists the languages, or takes one of them. `i-default` is what everybody must have, and English here.
pub(crate) fn run(out: &mut Out, tag: Option<&str>) {
    let Some(tag) = tag else {
        out.ok("Languages");
        out.line("i-default English");
        out.line("en English");
        out.end();
        return;
    };
    let primary = tag.split('-').next().unwrap_or_default();
    if tag == "*" || tag.eq_ignore_ascii_case("i-default") || primary.eq_ignore_ascii_case("en") {
        out.ok("en The language is English");
    } else {
        out.err(None, "There is English only");
    }
}
