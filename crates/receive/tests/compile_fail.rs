//! What must not compile: the invariants that the types hold.

#[test]
fn unsafe_states_do_not_compile() {
    testkit::uncompiled::with_flags("unsafe_states_do_not_compile", || {
        trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
    });
}
