//! What must not compile.

#[test]
fn tls_1_the_plaintext_connection_is_gone_after_into_tls() {
    testkit::uncompiled::with_flags("tls_1_the_plaintext_connection_is_gone_after_into_tls", || {
        trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
    });
}
