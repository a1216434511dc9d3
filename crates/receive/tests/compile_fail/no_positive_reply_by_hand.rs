//! Positive replies are worded by the states of `smtp` alone.

fn main() {
    let _ = smtp::Reply::coded(250, (2, 0, 0), "Thank you");
}
